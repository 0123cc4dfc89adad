"""The clients of docs/examples/protocol, in Go, JavaScript and shell, against the real server and as real submitters."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from protocol_server import Seen, serving
from servers import need, until

from soak.runner.cli import run_command
from soak.runner.targets.queue.foreign.kit_folder import write_kit
from soak.runner.targets.queue.foreign.spoken import Callbacks, SpokenProcess
from soak.runner.targets.queue.foreign.spoken_child import Start

HERE = Path(__file__).resolve().parents[4] / "docs" / "examples" / "protocol"
LANGUAGES = ("go", "js", "sh")
TOOLS = {"go": "go", "js": "node", "sh": "sh", "bash": "bash"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[str]]:
    """The command of an example; programs in Go are compiled once."""
    folder = tmp_path_factory.mktemp("built")

    def command(name: str) -> list[str]:
        stem, _, kind = name.partition(".")
        tool = "bash" if "tcp" in stem else TOOLS[kind]
        need(tool)
        if kind != "go":
            return [tool, str(HERE / name)]
        program = folder / stem
        if not program.exists():
            environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
            subprocess.run(["go", "build", "-o", str(program), str(HERE / name)], check=True, env=environment)
        return [str(program)]

    return command


@pytest.fixture
def seen(tmp_path: Path) -> Iterator[Seen]:
    with serving(tmp_path, tcp=True) as seen:
        yield seen


def codes(seen: Seen, command: list[str], **more: str) -> list[int]:
    """What the command for one attempt exits with: of one that succeeds, and of each error."""
    environment = {**os.environ, **seen.server.environment, "SOAK_WORKER": "w7", **more}
    payloads = [f'{{"number": {number}, "kind": "a"}}' for number in range(3)]
    return [
        subprocess.run([*command, each], env=environment, check=False, capture_output=True, timeout=60).returncode
        for each in payloads
    ]


EVENTS = [
    *("started 0", "ended 0 ok", "started 1", "ended 1 transient network", "started 2", "ended 2 permanent bad_input")
]


@pytest.mark.parametrize("name", ["body.go", "body.js"])
def test_a_body_in_another_language(seen: Seen, built: Callable[[str], list[str]], name: str) -> None:
    assert codes(seen, built(name)) == [0, 75, 65]
    assert codes(seen, built(name), SOAK_ADDRESS=seen.server.tcp_address) == [0, 75, 65]
    until(lambda: len(seen.events) == 12)
    assert seen.events == EVENTS * 2
    assert {each.worker for each in seen.attempts} == {"w7"}
    assert len({each.pid for each in seen.attempts}) == 6
    assert seen.mistakes == []
    assert codes(seen, built(name), SOAK_TOKEN="open") == [70, 70, 70]
    assert codes(seen, built(name), SOAK_ADDRESS="unix:nowhere") == [70, 70, 70]


def test_a_body_in_bash_alone_over_tcp(seen: Seen, built: Callable[[str], list[str]]) -> None:
    command = built("body-tcp.sh")
    assert codes(seen, command) == [0, 75, 65]
    until(lambda: len(seen.events) == 6)
    assert seen.events == EVENTS
    assert seen.mistakes == []
    assert codes(seen, command, SOAK_TOKEN="open") == [70, 70, 70]
    assert codes(seen, command, SOAK_TCP="tcp:127.0.0.1:1") == [70, 70, 70]


@pytest.mark.parametrize("kind", LANGUAGES)
def test_a_submitter_in_another_language(built: Callable[[str], list[str]], tmp_path: Path, kind: str) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    answers: dict[int, str] = {}
    counts: list[object] = []
    wrong: list[str] = []
    callbacks = Callbacks(
        lambda n, answer, why: answers.update({n: answer + why * (answer == "unknown")}),
        lambda n, found, why: counts.append(found),
        wrong.append,
        wrong.append,
    )
    environment = {**os.environ, "SPOOL": str(spool)}
    with selectors.DefaultSelector() as selector:
        start = Start(built(f"submit.{kind}"), environment, tmp_path, tmp_path / "submit.log")
        process = SpokenProcess("submit", start, selector, lambda *_: None, callbacks)
        process.start()
        try:
            process.wait_until_ready(60)
            process.submit(1, "17", '{"number": 34}')
            process.submit(2, "18", '{"number": 36, "kind": "a"}')
            _handle(selector, lambda: len(answers) == 2)
            process.submit(3, "17", '{"number": 35}')
            process.census(4)
            _handle(selector, lambda: len(answers) == 3 and counts)
        finally:
            process.close()
    assert answers == {1: "accepted", 2: "accepted", 3: "refused"}
    assert counts == [{"pending": 2}]
    assert wrong == []
    assert {path.name: path.read_text() for path in spool.iterdir()} == {
        "17": '{"number": 34}',
        "18": '{"number": 36, "kind": "a"}',
    }
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("spool.")] == []


def _handle(selector: selectors.BaseSelector, ask: Callable[[], object]) -> None:
    until_s = time.monotonic() + 30
    while not ask():
        assert time.monotonic() < until_s
        for key, _ in selector.select(0.1):
            key.data()


def test_a_whole_system_in_another_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need("node")
    scenario, target = HERE.parent / "owned.yaml", HERE / "system.yaml"
    short = ("--set", "duration=90s", "--set", "drain=1m", "--set", "workload.arrivals.rate=60/min")
    words = ("--target", str(target), "--speed", "40", *short, "--out", str(tmp_path / "run"))
    run_command(["run", str(scenario), *words])
    assert "tasks: " in capsys.readouterr().out
    objectives = json.loads((tmp_path / "run" / "verdict.json").read_text())["objectives"]
    status = {each["objective"]: each["status"] for each in objectives}
    for objective in (
        "duplicate_executions == 0",
        "backoff_violations == 0",
        "excess_attempts == 0",
        "lost_tasks == 0",
    ):
        assert status[objective] == "PASS"
    assert run_command(["verify", str(tmp_path / "run")]) == 0


def test_a_worker_in_plain_shell(seen: Seen, built: Callable[[str], list[str]], tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    for number in (0, 2, 3):
        (spool / str(number)).write_text(f'{{"number": {number}}}')
    body = f"{sys.executable} {write_kit(tmp_path / 'kit')}/soak/kit.py body"
    environment = {**os.environ, **seen.server.environment, "SPOOL": str(spool), "SOAK_BODY": body}
    with subprocess.Popen(built("body.sh"), env=environment, start_new_session=True) as worker:
        try:
            until(lambda: len(seen.events) >= 6 and not list((tmp_path / "running").iterdir()))
            assert seen.events == [
                "started 0",
                "ended 0 ok",
                "started 2",
                "ended 2 permanent bad_input",
                "started 3",
                "ended 3 ok",
            ]
            assert [path.name for path in (tmp_path / "failed").iterdir()] == ["2"]
            assert list(spool.iterdir()) == []
            (spool / "1").write_text('{"number": 1}')
            until(lambda: len(seen.events) >= 10)
            assert seen.events[6:10] == ["started 1", "ended 1 transient network"] * 2
        finally:
            os.killpg(worker.pid, signal.SIGKILL)
