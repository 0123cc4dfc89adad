"""What goes to worker processes and comes back: each scenario once, errors too, and nobody waits for a slow one."""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace
from predictions import loaded_scenario

from soak.runner.replications import preload, processes, worker
from soak.runner.replications.aside import aside
from soak.runner.replications.processes import ProcessPool
from soak.runner.replications.replication import Job, Replication, jobs, replicate
from soak.runner.replications.scenarios import KEPT, Shelf
from soak.runner.replications.worker_pool import in_order
from soak.schemas.errors import SoakError
from soak.schemas.evidence.verdict import Outcome
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.settings import queue_of


def scenario(place: Path, *settings: str) -> Scenario:
    """The uncertain scenario, shortened."""
    return loaded_scenario(place, settings=("duration=1m", "drain=1m", *settings)).scenario


def blank(job: Job, ended_s: float = 0.0) -> Replication:
    """A replication that is not even made."""
    return Replication(job.index, job.seed, Outcome.PASS, ended_s, None, [], [])


def test_a_scenario_is_packed_once(tmp_path: Path) -> None:
    pool, wanted = ProcessPool(2), list(islice(jobs(scenario(tmp_path), 3), 12))
    assert list(in_order(pool, wanted)) == [replicate(each) for each in wanted]
    assert pool.packed == 1


def more_than_are_kept(place: Path) -> list[Job]:
    """Jobs of more scenarios than a worker keeps, back and forth."""
    base = scenario(place)
    variants = [replace(base, duration_s=10.0 + number) for number in range(KEPT + 3)]
    turns = [*variants, *variants[::-1], *variants[::2], variants[0]]
    return [Job(index, 1, each) for index, each in enumerate(turns)]


def told_duration(job: Job) -> Replication:
    """What a worker makes of a job here: the duration of its scenario."""
    return blank(job, job.scenario.duration_s)


@pytest.mark.parametrize("buffer", [processes._BUFFER_BYTES, 0])
def test_every_job_is_made_of_its_own_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer: int) -> None:
    monkeypatch.setattr(worker, "replicate", told_duration)
    monkeypatch.setattr(processes, "_BUFFER_BYTES", buffer)
    wanted = more_than_are_kept(tmp_path)
    made = list(in_order(ProcessPool(3), wanted))
    assert [each.ended_s for each in made] == [each.scenario.duration_s for each in wanted]
    assert [each.index for each in made] == list(range(len(wanted)))


def test_two_shelves_that_are_asked_for_the_same_hold_the_same() -> None:
    shelf: Shelf[str] = Shelf(2)
    shelf.put(1, "one")
    shelf.put(2, "two")
    assert shelf.get(1) == "one"
    shelf.put(3, "three")
    assert [number in shelf for number in (1, 2, 3)] == [True, False, True]


def test_a_slow_job_does_not_keep_others_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first is not done before ten later ones are; all come in their order nevertheless."""
    place = tmp_path / "made"
    place.mkdir()

    def slow_first(job: Job) -> Replication:
        until = time.monotonic() + 30
        while job.index == 0 and len(list(place.iterdir())) < 10:
            assert time.monotonic() < until
            time.sleep(0.01)
        (place / str(job.index)).touch()
        return blank(job)

    monkeypatch.setattr(worker, "replicate", slow_first)
    made = in_order(ProcessPool(2), islice(jobs(scenario(tmp_path), 3), 20))
    assert [each.index for each in made] == list(range(20))


class UnsendableError(Exception):
    """An error that cannot be sent."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


@pytest.mark.parametrize(
    ("error", "kind"), [(lambda: ValueError("broken"), ValueError), (lambda: UnsendableError("bro", "ken"), SoakError)]
)
def test_an_error_comes_in_its_turn_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Callable[[], Exception], kind: type[Exception]
) -> None:
    def third_fails(job: Job) -> Replication:
        if job.index == 2:
            raise error()
        return blank(job)

    monkeypatch.setattr(worker, "replicate", third_fails)
    made = in_order(ProcessPool(2), islice(jobs(scenario(tmp_path), 3), 8))
    assert [next(made).index, next(made).index] == [0, 1]
    with pytest.raises(kind, match="broken") as raised:
        next(made)
    assert "third_fails" in raised.value.__notes__[0]


def test_a_scenario_that_is_unlike_the_last_is_sent_again(tmp_path: Path) -> None:
    """Two scenarios of one identity, one after the other: the first is held as long as its packing is."""
    with closing(ProcessPool(1)) as pool:
        for workers in (1, 2, 3):
            job = Job(0, 1, scenario(tmp_path, f"queue.workers={workers}"))
            assert queue_of(job.scenario).workers == workers
            assert pool.submit(job).result() == replicate(job)
        assert pool.packed == 3


def test_nobody_is_left_behind_in_the_middle_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "replicate", lambda _: time.sleep(60))
    pool = ProcessPool(2)
    workers = [psutil.Process(each) for each in pool.processes]
    promise = pool.submit(Job(0, 1, scenario(tmp_path)))
    with pytest.raises(TimeoutError):
        promise.result(0.01)
    pool.close()
    assert not any(each.is_running() for each in workers)
    assert pool.processes == []


def test_nobody_forks_while_modules_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "takes_long.py").write_text("import time\ntime.sleep(0.2)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with preload.loading("there.is.none", "takes_long"), closing(ProcessPool(1)):
        assert "takes_long" in sys.modules
        assert not [each for each in threading.enumerate() if each.name == preload.NAME]


def test_work_aside_is_done_once_elsewhere_or_else_here() -> None:
    with aside(os.getpid) as result:
        assert result() != os.getpid()

    def only_here() -> int:
        if os.getpid() != here:
            raise ValueError
        return os.getpid()

    here = os.getpid()
    with aside(only_here) as result:
        assert result() == here


def test_work_aside_that_nobody_waits_for_is_ended() -> None:
    before = set(psutil.Process().children())
    with aside(lambda: time.sleep(60)):
        (process,) = set(psutil.Process().children()) - before
    assert not process.is_running()
