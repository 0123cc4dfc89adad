"""`soak target check FILE.yaml`: what it says of files that are right, and of processes that misbehave."""

import json
import shutil
from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.targets.processes.ledger_trial import fault_of_ledger
from soak.runner.targets.processes.trial import FAILED, OK, Step, trial
from soak.schemas.target.load import load_target

HERE = Path(__file__).parent
OWN = Path(__file__).resolve().parents[4] / "docs" / "examples" / "targets" / "own"

BAD = """
name: bad
ports: [a, b]
processes:
  - {name: early, command: "sh -c 'echo cannot go on; exit 3'"}
  - {name: late, command: "{python} tiny.py sleep", ready: {tcp: "{port.a}", within: 300ms}}
  - {name: gone, command: "{python} tiny.py http {port.b}", ready: {tcp: "{port.b}"}}
"""
STUBBORN = """
name: stubborn
ports: [a]
processes:
  - name: deaf
    command: "{python} tiny.py deaf"
    stop: {grace: 300ms}
    metrics: {dropped: {json: "{dir}/none.json", at: a}}
  - name: family
    command: "{python} tiny.py family"
    kill: {of: group}
  - {name: daemon, command: "{python} tiny.py daemon {dir}/d.pid", find: {pid_file: "{dir}/d.pid"}}
sinks:
  there: {jsonl: "{here}/there.jsonl", key: seq, at: at}
  wrong: {jsonl: "{here}/there.jsonl", key: number, at: at}
"""


def steps(text: str, folder: Path) -> dict[str, Step]:
    shutil.copy(HERE / "tiny.py", folder)
    (folder / "target.yaml").write_text(text)
    return {each.name: each for each in trial(load_target(folder / "target.yaml"))}


def test_the_example_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["target", "check", str(OWN / "target.yaml"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["kept"]
    assert {each["status"] for each in said["checks"]} == {OK}
    assert [each["name"] for each in said["checks"]][-4:] == [
        "collect comes back after a kill",
        "transform comes back after a kill",
        "processes stop",
        "nothing is left",
    ]


def test_what_does_not_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    found = steps(BAD, tmp_path)
    assert found["early is ready"].detail == "exited with 3: cannot go on"
    assert found["late is ready"].detail == "was not ready within 0.3 s: begun"
    assert [each.status for each in found.values()] == [FAILED, FAILED, OK], "and nothing else is tried"


def test_what_misbehaves_later_is_named(tmp_path: Path) -> None:
    (tmp_path / "there.jsonl").write_text('{"seq": 1, "at": 2}\n{"seq"')
    found = steps(STUBBORN, tmp_path)
    assert found["deaf reports dropped"] == Step("deaf reports dropped", FAILED, "it is missing")
    assert found["sink there is read"].status == OK
    assert found["sink wrong is read"].detail == "has no 'number'; it has at, seq"
    assert [found[f"{name} comes back after a kill"].status for name in ("deaf", "family", "daemon")] == [OK] * 3
    assert found["processes stop"].detail == "not within their grace period"
    assert found["nothing is left"].status == FAILED
    assert found["nothing is left"].detail.startswith("python")


def test_a_file_that_is_wrong_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: a\nprocesses: [{name: a, command: no-such-command-here}]\n")
    assert run_command(["target", "check", str(path)]) == 2
    assert "processes[0].command: there is no command 'no-such-command-here'" in capsys.readouterr().err
    assert run_command(["target", "check", str(path), "--patience", "1s"]) == 2
    assert run_command(["target", "check", str(tmp_path / "none.yaml")]) == 2


def test_a_database_is_looked_at(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    from msgspec.structs import replace

    path = tmp_path / "a.db"
    (tmp_path / "a.yaml").write_text(
        "name: a\nprocesses: [{name: a, command: x}]\n"
        f'sinks: {{a: {{sqlite: "{path}", query: "SELECT rowid AS position, seq, at FROM t WHERE rowid > {{after}}", at: at}}}}\n'
    )
    ledger = load_target(tmp_path / "a.yaml").file.sinks["a"]
    ledger = replace(ledger, key="seq")
    assert fault_of_ledger(ledger) is None
    with closing(sqlite3.connect(path)) as database:
        assert "no such table" in (fault_of_ledger(ledger) or "") or (fault_of_ledger(ledger) or "").startswith(
            "its query"
        )
        database.execute("CREATE TABLE t (seq, at)")
        assert fault_of_ledger(ledger) is None
        database.execute("INSERT INTO t VALUES (1, 2)")
        database.commit()
    assert fault_of_ledger(ledger) == ""
    assert fault_of_ledger(replace(ledger, at="when")) == "has no 'when'; it has at, position, seq"
