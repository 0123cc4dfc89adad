"""What operators ask of a run that goes on: a mark and a stop become events, the evidence says who, and `verify` agrees."""

import json
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import servers

from soak.runner.cli import run_command
from soak.runner.requests import FILE, LONGEST_TEXT, MOST_BYTES, Request, Requests, ask, requests_to
from soak.schemas.stream.block import make_block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
HOSTILE = 'deploy <script>alert(1)</script> | "quoted"\x1b[31m\nand a line'


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A real run that was marked twice and then stopped."""
    out = tmp_path_factory.mktemp("operators") / "run"
    words = ["run", str(EXAMPLES / "attached.yaml"), "--target", "memory_queue:MemoryQueue", "--speed", "120"]

    def operate() -> None:
        def begun() -> bool:
            return any(b"task.done" in path.read_bytes() for path in out.glob("soak_*.jsonl"))

        servers.until(begun, 20)
        assert ask(out, Request("mark", HOSTILE, "Anna")) == ""
        with (out / FILE).open("ab") as file:
            file.write(b'{"type":"explode"}\nnonsense\n{"type":"mark"}\n')
        assert ask(out, Request("mark", "second")) == ""
        servers.until(lambda: b"second" in next(out.glob("soak_*.jsonl")).read_bytes(), 20)
        assert ask(out, Request("stop", by="Ben")) == ""

    thread = threading.Thread(target=operate)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(EXAMPLES)
        patch.syspath_prepend(str(EXAMPLES))
        thread.start()
        code = run_command([*words, "--out", str(out)])
        thread.join()
    yield out, code


def events(run: Path, *types: str) -> list[dict[str, object]]:
    lines = next(run.glob("soak_*.jsonl")).read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["type"] in types]


def test_both_are_events_and_the_run_ends_interrupted(stopped: tuple[Path, int]) -> None:
    run, code = stopped
    assert code == 130
    first, second, stop, end = events(run, "run.marked", "run.stop_requested", "run.interrupted")
    assert (first["by"], second.get("by"), stop["by"]) == ("Anna", None, "Ben")
    assert first["name"] == 'deploy <script>alert(1)</script> | "quoted"�[31m and a line'
    assert stop["t"] <= end["t"]
    assert end["type"] == "run.interrupted"


def test_the_verdict_says_who_asked_and_verify_agrees(
    stopped: tuple[Path, int], capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = stopped
    verdict = json.loads((run / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["end"]) == ("INCONCLUSIVE", "interrupted")
    assert any(reason.endswith(": Ben asked to stop it") for reason in verdict["reasons"])
    assert [(mark["by"], mark["stop"]) for mark in verdict["marks"]] == [
        ("Anna", False),
        ("an operator", False),
        ("Ben", True),
    ]
    assert not (run / FILE).exists()
    assert run_command(["verify", str(run)]) in {0, 3, 130}
    assert "the evidence agrees" in capsys.readouterr().out


def test_the_reports_show_them_as_text(stopped: tuple[Path, int]) -> None:
    run, _ = stopped
    page, summary = (run / "report.html").read_text(), (run / "soak_summary.md").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    assert "Ben asked to stop the run" in page
    assert "Ben asked to stop the run" in summary
    assert "marked by Anna" in summary
    assert "<script>alert(1)" not in summary


def test_a_run_that_is_resumed_was_not_stopped(stopped: tuple[Path, int]) -> None:
    from soak.runner.judge.operators import Operators

    vocabulary = Vocabulary()
    operators = Operators(vocabulary)
    cause = vocabulary.cause("", "Ben")
    operators.observe(make_block([5.0], [Kind.RUN_STOP_REQUESTED], until_s=5.0, cause=[cause]))
    assert operators.asked_to_stop is not None
    operators.observe(make_block([5.0], [Kind.RUN_RESUMED], until_s=5.0, value=[0.0]))
    assert operators.asked_to_stop is None
    assert [mark.by for mark in operators.marks] == ["Ben"]


def test_requests_are_read_whole_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.runner.requests._LOOK_EVERY_S", 0.0)
    vocabulary = Vocabulary()
    with requests_to(tmp_path, vocabulary, real=True) as requests:
        assert isinstance(requests, Requests)
        block = make_block([1.0], [Kind.TASK_DONE], until_s=2.0, task=[0])
        assert requests.into(block) is block
        line = msgspec.json.encode(Request("mark", "half"))
        (tmp_path / FILE).write_bytes(line[:7])
        assert requests.into(block) is block
        (tmp_path / FILE).write_bytes(line + b"\n")
        marked = requests.into(block)
        assert marked.kind.tolist() == [Kind.TASK_DONE, Kind.RUN_MARKED]
        assert marked.t.tolist() == [1.0, 2.0]
        assert vocabulary.names[int(marked.value[1])] == "half"
        assert requests.into(block) is block
        assert not requests.stop
    assert not (tmp_path / FILE).exists()


def test_what_was_asked_of_an_earlier_runner_is_forgotten(tmp_path: Path) -> None:
    assert ask(tmp_path, Request("stop")) == ""
    with requests_to(tmp_path, Vocabulary(), real=True) as requests:
        block = make_block([1.0], [Kind.TASK_DONE], until_s=2.0, task=[0])
        assert requests.into(block) is block
        assert not requests.stop


def test_a_simulation_is_not_asked(tmp_path: Path) -> None:
    assert ask(tmp_path, Request("stop")) == ""
    with requests_to(tmp_path, Vocabulary(), real=False) as requests:
        block = make_block([1.0], [Kind.TASK_DONE], until_s=2.0, task=[0])
        assert requests.into(block) is block
    shutil.rmtree(tmp_path)


def test_requests_have_bounds(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"x" * MOST_BYTES)
    assert "as many requests as it takes" in ask(tmp_path, Request("mark", "one more"))
    (tmp_path / FILE).unlink()
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    assert "cannot be written" in ask(tmp_path, Request("mark", "elsewhere"))
    assert (tmp_path / "elsewhere").read_text() == ""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(Request("mark", "x" * (LONGEST_TEXT + 1))), type=Request)
    assert Request("mark", " \n ").problem
