"""Temporary folders of a runner that is killed: the guardian removes them."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import until

RUNNER = """
import time
from pathlib import Path
from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.processes.faketime.clock import FakeClock
from soak.runner.targets.sockets import socket_directory
with offspring_ended("x"):
    sockets = socket_directory()
    closed = Path("no entry")
    closed.mkdir(mode=0o700)
    clock = FakeClock(2.0, closed)
    print(sockets.name, clock.directory, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for temporary files whose path is short."""
    with tempfile.TemporaryDirectory(prefix="t-") as name:
        yield Path(name)


def test_what_a_killed_runner_leaves_is_removed_and_nothing_else(tmp_path: Path, temporary: Path) -> None:
    others = temporary / "soak-1-x"
    others.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout
        made = [Path(each) for each in runner.stdout.readline().split()]
        assert [each.parent == temporary and each.is_dir() for each in made] == [True, True]
        runner.send_signal(signal.SIGKILL)
    until(lambda: not any(each.exists() for each in made), 10)
    assert [*temporary.iterdir()] == [others]
