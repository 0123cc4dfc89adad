"""The census that a command takes, whatever the command does: it is small, it ends in time, and it is counts."""

import os
import resource
import selectors
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from soak.contract import Snapshot
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.processes.brief import answer_of
from soak.runner.targets.processes.launch import Launcher
from soak.runner.targets.processes.prepared import Prepared
from soak.runner.targets.queue.foreign.census import Census
from soak.schemas.stream.states import TaskState
from soak.schemas.target.load import load_target

NOTHING = Snapshot(pending=0, in_progress=0, done=0, failed=0, blocked=0, busy_workers=0)
TARGET = """
name: counted
system: queue
workers: {command: "sleep 600"}
submit: {command: "true {key} {payload}"}
census: {command: "%s", timeout: %s, directory: .}
"""


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    with offspring_ended("the test"):
        yield


def census(folder: Path, script: str, timeout: str = "20s") -> Census:
    """The census of a Python script."""
    (folder / "count.py").write_text(script)
    (folder / "target.yaml").write_text(TARGET % (f"{sys.executable} count.py", timeout))
    file = load_target(folder / "target.yaml").file
    prepared = Prepared(file, folder, {}, Launcher(folder, folder, {}))
    return Census(prepared, None, selectors.DefaultSelector())


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("print('[' * 100_000)", "exited with 0 and said [[["),
        ("print('x' * 5_000_000)", "exited with 0 and said xxx"),
        ("print([1])", "exited with 0 and said [1] (let it exit with 0 and print counts, such as"),
        ("import sys; sys.exit('\\x1b[2Jno')", "exited with 1 and said nothing"),
    ],
)
def test_what_is_no_census_is_said_and_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], script: str, why: str
) -> None:
    assert census(tmp_path, script).settled(NOTHING) == {}
    assert why in capsys.readouterr().err


def test_what_is_no_number_of_tasks_is_left_out_and_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counted = census(tmp_path, 'print(\'{"failed": 0, "done": %d, "odd": 1, "pending": -1}\' % 2**70)')
    assert [counted.take(), counted.take()] == [{TaskState.FAILED: 0}] * 2
    said = "not a number of tasks in a state: done, odd, pending (left out of the census)\n"
    assert capsys.readouterr().err.count(said) == 1


def test_a_census_that_leaves_a_process_behind_is_taken_all_the_same(tmp_path: Path) -> None:
    script = "import subprocess\nprint('{\"done\": 0}', flush=True)\nsubprocess.Popen(['setsid', 'sleep', '600'])"
    assert census(tmp_path, script, "500s").settled(NOTHING) == {TaskState.DONE: 0}


def test_a_census_without_an_end_is_given_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    endless = (
        "import os, subprocess\nsubprocess.Popen(['setsid', 'sleep', '600'])\nwhile True: os.write(1, b'x' * 60_000)"
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert census(tmp_path, endless, "1s").settled(NOTHING) == {}
    assert "has not ended after 1 s (make it quicker, or set timeout)" in capsys.readouterr().err
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000, "its output is not kept"


def test_what_a_command_leaves_in_its_group_is_ended(tmp_path: Path) -> None:
    said = answer_of(["sh", "-c", "sleep 600 & echo $!"], tmp_path, dict(os.environ), 20.0, 100)
    assert said.code == 0
    pid = int(said.output)
    until = time.monotonic() + 20
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < until
        time.sleep(0.01)
