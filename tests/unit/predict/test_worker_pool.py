"""Workers: results in order whatever happens to them, nothing twice, nothing lost, nobody left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import psutil
import pytest
from predictions import loaded_scenario, predicted
from servers import until

from soak.runner.predict import table
from soak.runner.replications.processes import LocalPromise, ProcessPool
from soak.runner.replications.replication import Job, Replication, jobs, replicate
from soak.runner.replications.worker_pool import in_order
from soak.schemas.errors import SoakError
from soak.schemas.evidence.verdict import Outcome

ROOT = Path(__file__).resolve().parents[3]


def files(directory: Path) -> dict[str, bytes]:
    """Every file of a directory."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


class Killing(ProcessPool):
    """A pool one of whose workers is killed when the sixth job comes in."""

    submitted = 0

    def submit(self, job: Job) -> LocalPromise:
        self.submitted += 1
        if self.submitted == 6:
            os.kill(self.processes[0], signal.SIGKILL)
        return super().submit(job)


def test_a_worker_that_is_killed_changes_nothing(tmp_path: Path) -> None:
    pools: list[Killing] = []

    def killing() -> Killing:
        pools.append(Killing(2))
        return pools[-1]

    _, undisturbed, _ = predicted(tmp_path, replications=15, open_pool=lambda: ProcessPool(1))
    _, disturbed, _ = predicted(tmp_path, replications=15, open_pool=killing)
    assert pools[0].submitted > 15
    assert files(disturbed) == files(undisturbed)


class Broken:
    """A pool that loses everything it is asked for, or a promise that is never kept."""

    in_flight = 2

    def __init__(self) -> None:
        self.restarts, self.closed = 0, False

    def submit(self, job: Job) -> "Broken":
        return self

    def result(self, timeout: float | None = None) -> Replication:
        raise BrokenExecutor

    def restart(self) -> None:
        self.restarts += 1

    def close(self) -> None:
        self.closed = True


def test_a_pool_that_breaks_again_and_again_is_given_up(tmp_path: Path) -> None:
    pool = Broken()
    with pytest.raises(SoakError, match="killed repeatedly"):
        next(in_order(pool, jobs(loaded_scenario(tmp_path).scenario, 1)))
    assert (pool.restarts, pool.closed) == (3, True)


class Shrinking:
    """A pool that does everything at once, and has fewer workers from its fifth job on."""

    def __init__(self) -> None:
        self.jobs: list[int] = []

    @property
    def in_flight(self) -> int:
        return 4 if len(self.jobs) < 5 else 1

    def submit(self, job: Job) -> "Done":
        self.jobs.append(job.index)
        return Done(job)

    def restart(self) -> None:
        raise AssertionError

    def close(self) -> None:
        """Nothing is open."""


class Done:
    """A replication that is not even made."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def result(self, timeout: float | None = None) -> Replication:
        return Replication(self.job.index, self.job.seed, Outcome.PASS, 0.0, None, [], [])


def test_a_pool_may_become_smaller(tmp_path: Path) -> None:
    pool = Shrinking()
    made = in_order(pool, islice(jobs(loaded_scenario(tmp_path).scenario, 1), 12))
    assert [each.index for each in made] == list(range(12))
    assert pool.jobs == list(range(12))


def test_only_a_window_is_under_way(tmp_path: Path) -> None:
    pool = Shrinking()
    made = in_order(pool, jobs(loaded_scenario(tmp_path).scenario, 1))
    next(made)
    assert len(pool.jobs) == 4
    made.close()


def test_the_same_is_made_by_any_number_of_processes(tmp_path: Path) -> None:
    _, one, _ = predicted(tmp_path, replications=25, precision=0.25, open_pool=lambda: ProcessPool(1))
    prediction, three, _ = predicted(tmp_path, replications=25, precision=0.25, open_pool=lambda: ProcessPool(3))
    assert files(one) == files(three)
    assert [each.index for each in table.read_csv((three / table.FILE).read_bytes())] == list(range(prediction.made))


def test_the_workers_do_what_is_done_here(tmp_path: Path) -> None:
    wanted = list(islice(jobs(loaded_scenario(tmp_path).scenario, 1), 3))
    assert list(in_order(ProcessPool(2), wanted)) == [replicate(job) for job in wanted]


# Processes of the command.


@contextmanager
def started(place: Path, *words: str) -> "Iterator[tuple[subprocess.Popen[str], Path]]":
    """A prediction that takes long, in a process group of its own; it is ended if the test has not."""
    scenario = loaded_scenario(place).source
    out = place / "out"
    command = [sys.executable, "-m", "soak", "predict", str(scenario), "-n", "400", "--duration", "8h"]
    process = subprocess.Popen(
        [*command, "--out", str(out), *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process, out
    finally:
        process.kill()
        process.communicate(timeout=30)


def lines(out: Path) -> int:
    """How many replications are in the table."""
    path = out / table.FILE
    return path.read_bytes().count(b"\n") - 1 if path.exists() else 0


def gone(processes: list[psutil.Process]) -> Callable[[], bool]:
    """Whether none of them runs any more."""
    return lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


def test_an_interruption_keeps_what_was_made_and_leaves_nobody(tmp_path: Path) -> None:
    with started(tmp_path, "--jobs", "2", "--require", "50%") as (process, out):
        until(lambda: lines(out) >= 2)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) == 2
        # As a terminal does it: everyone in the group is told.
        os.killpg(process.pid, signal.SIGINT)
        told, said = process.communicate(timeout=30)
        assert process.returncode == 130, said
        until(gone(workers))
    assert "Interrupted after" in told
    assert ".py" not in said
    made = table.read_csv((out / table.FILE).read_bytes())
    assert 2 <= len(made) < 400
    assert f'"made": {len(made)}' in (out / "prediction.json").read_text()
    assert '"stopped": "interrupted"' in (out / "prediction.json").read_text()
    assert (out / "prediction.html").exists()


def test_workers_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    with started(tmp_path, "--jobs", "2") as (process, out):
        until(lambda: lines(out) >= 1)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) == 2
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
        until(gone(workers))
    assert table.read_csv((out / table.FILE).read_bytes())
