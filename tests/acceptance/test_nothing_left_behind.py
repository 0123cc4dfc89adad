"""However a run ends, no process of an attached class outlives it, whatever that class does; nor does one of the runner's own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
BROKEN = ROOT / "tests" / "unit" / "targets"
PATIENCE_S = 30.0
STARTED = 4
"""So many processes each class starts at a time."""

SCENARIO = """
version: 1
name: short
system: queue
duration: 1m
workload:
  arrivals: {process: constant, rate: 20/min}
  task: {duration: {distribution: constant, value: 4s}}
queue: {workers: 4}
slos: [success_rate >= 0%]
telemetry: {max_gap: 10m, max_lag: 10m}
abort: [{name: too-slow, when: latency_p50 > 1s, min_samples: 5}]
"""


class Command:
    """A command that runs a class of `leaving`, and the processes that this has started."""

    def __init__(self, tmp_path: Path, *words: str) -> None:
        self._told = tmp_path / "pids"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SOAK_TEST_PIDS": str(self._told)}
        command = [sys.executable, "-P", "-m", "soak", *words]
        self.process = subprocess.Popen(
            command, cwd=BROKEN, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def started(self) -> list[int]:
        """Their process ids, once they are there."""
        until(self._told.exists)
        return [int(pid) for pid in self._told.read_text().split()]

    def guards(self) -> list[int]:
        """The runner's own processes."""
        own = str(self.process.pid)
        every = [(each.pid, each.info["cmdline"] or [""]) for each in psutil.process_iter(["cmdline"])]
        return [pid for pid, words in every if words[-1] == own and is_alive(pid)]

    def end(self) -> tuple[int, str]:
        """Its exit code, and what it said."""
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said

    def leaves_nothing(self, least: int = STARTED) -> None:
        """None of the processes is there any more, or soon is not: a guard ends those of a runner that was killed."""
        started = self.started()
        assert len(started) >= least
        until(lambda: not self.guards())
        assert [pid for pid in started if is_alive(pid)] == []


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and is only waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(met: Callable[[], bool]) -> None:
    """Wait for something."""
    end = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Makes commands; whatever is left is ended after the test."""
    made: list[Command] = []

    def make(*words: str) -> Command:
        made.append(Command(tmp_path, *words))
        return made[-1]

    yield make
    for each in made:
        each.process.kill()
        each.process.wait()
        each.process.stderr.close()
        for pid in each.started():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def run(tmp_path: Path, command: Callable[..., Command]) -> Callable[..., Command]:
    """Makes runs against a class of `leaving`."""
    scenario = tmp_path / "short.yaml"
    scenario.write_text(SCENARIO)

    def make(kind: str, *words: str, speed: int = 100) -> Command:
        target = "--target", f"leaving:{kind}", "--speed", str(speed), "--out", str(tmp_path / "run")
        return command("run", str(scenario), *target, *words)

    return make


@pytest.mark.parametrize(
    ("kind", "words", "exit_code", "message"),
    [
        ("Leaving", ("--no-abort",), 3, "left 4 processes behind, now ended (sleep "),
        ("Leaving", (), 4, "left 4 processes behind"),
        ("LeavingSystem", ("--set", "abort=[]"), 0, "left 4 processes behind"),
        ("LeavingSystem", (), 4, "left 4 processes behind"),
        ("RaisesWhenMade", (), 2, "ConnectionError: no server"),
        ("SystemRaisesWhenMade", (), 2, "ConnectionError: no server"),
        ("RaisesLater", (), 1, "RaisesLater.claim raised KeyError: 'no such row'"),
        ("HangsWhenMade", ("--patience", "200ms"), 1, "HangsWhenMade(settings) has not answered for 0.2 s"),
        ("HangsLater", ("--patience", "200ms"), 1, "HangsLater.claim has not answered for 0.2 s"),
        ("StartsMoreWhileItHangs", ("--patience", "200ms"), 1, "(settings) has not answered for 0.2 s"),
    ],
)
def test_a_run_that_ends(
    run: Callable[..., Command], kind: str, words: tuple[str, ...], exit_code: int, message: str
) -> None:
    ended = run(kind, *words)
    code, said = ended.end()
    assert (code, message in said) == (exit_code, True), said
    ended.leaves_nothing()


@pytest.mark.parametrize(
    ("kind", "signals", "exit_code"),
    [
        ("Leaving", [signal.SIGKILL], -signal.SIGKILL),
        ("Leaving", [signal.SIGINT], 130),
        ("Leaving", [signal.SIGTERM, signal.SIGTERM], 130),
        ("LeavingSystem", [signal.SIGKILL], -signal.SIGKILL),
        ("LeavingSystem", [signal.SIGHUP], 130),
        ("HangsWhenMade", [signal.SIGKILL], -signal.SIGKILL),
        ("HangsWhenMade", [signal.SIGINT], 1),
    ],
)
def test_a_run_that_is_ended(
    run: Callable[..., Command], kind: str, signals: list[signal.Signals], exit_code: int
) -> None:
    ended = run(kind, "--set", "abort=[]", "--patience", "1s", speed=1)
    pids = ended.started()
    assert all(map(is_alive, pids))
    for number in signals:
        ended.process.send_signal(number)
    code, said = ended.end()
    assert code == exit_code, said
    ended.leaves_nothing()


@pytest.mark.parametrize(("kind", "exit_code"), [("Leaving", 0), ("RaisesWhenMade", 2), ("HangsWhenMade", 3)])
def test_a_check_that_ends(command: Callable[..., Command], kind: str, exit_code: int) -> None:
    checked = command("target", "check", f"leaving:{kind}", "--patience", "1")
    code, said = checked.end()
    assert code == exit_code, said
    checked.leaves_nothing()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_check_that_is_ended(command: Callable[..., Command], number: signal.Signals) -> None:
    checked = command("target", "check", "leaving:Leaving")
    assert all(map(is_alive, checked.started()))
    checked.process.send_signal(number)
    assert checked.end()[0] != 0
    checked.leaves_nothing()


def test_a_class_that_lets_go_of_everything_is_not_remarked_upon(run: Callable[..., Command], tmp_path: Path) -> None:
    (tmp_path / "pids").write_text("")
    ended = run("MemoryQueue", "--set", "abort=[]")
    code, said = ended.end()
    assert (code, "behind" in said) == (0, False)
    ended.leaves_nothing(least=0)
