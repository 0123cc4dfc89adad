"""Who makes replications: processes of this machine. Results come in the order of the jobs, whoever was quicker."""

import gc
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Protocol

from soak.runner.engine import never
from soak.runner.lifeline import die_with_parent
from soak.runner.replications.replication import Job, Replication, replicate
from soak.schemas.errors import SoakError, UsageError

AHEAD = 2
"""Jobs under way for each worker: one that it works on, one that waits, so that none is idle."""
_MOST_FAILURES = 3
"""How often in a row the crew may break before a result comes."""
_LOOK_UP_S = 0.2
"""How long to wait for a result before looking whether someone interrupts."""


class Promise(Protocol):
    """A replication under way: a future of concurrent.futures, or of a cluster."""

    def result(self, timeout: float | None = None) -> Replication:
        """Wait for it; raises TimeoutError after `timeout` seconds."""


class Crew(Protocol):
    """Workers that make replications."""

    @property
    def under_way(self) -> int:
        """How many jobs to keep under way."""

    def submit(self, job: Job) -> Promise:
        """Have a job done."""

    def restart(self) -> None:
        """After the crew broke: make it work again; what it was asked for before is forgotten."""

    def close(self) -> None:
        """End all workers, whatever they are at."""


class LocalCrew:
    """One process for each core, or as many as asked for."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or _cores()
        self._executor = self._start()

    @property
    def under_way(self) -> int:
        """How many jobs to keep under way."""
        return self._workers * AHEAD

    def submit(self, job: Job) -> Promise:
        """Have a job done."""
        with _held(signal.SIGINT):
            return self._executor.submit(replicate, job)

    def restart(self) -> None:
        """Start again after a worker was killed."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = self._start()

    def close(self) -> None:
        """End all workers, whatever they are at."""
        for process in list((self._executor._processes or {}).values()):
            process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        # Forked, so that nobody imports anything twice; the executor forks all of them before it starts a thread.
        # Where that is not safe, they are started afresh.
        context = get_context("fork" if sys.platform == "linux" else "spawn")
        return ProcessPoolExecutor(self._workers, context, _begin, (os.getpid(),))


def _cores() -> int:
    """How many cores this process may use, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_crew(processes: int | None, cluster: str | None) -> Crew:
    """The crew that was asked for: workers of the Dask cluster at that address, or processes here. Raises UsageError."""
    if processes is not None and cluster is not None:
        raise UsageError("--jobs and --dask exclude each other: a cluster has the workers that it has (remove one)")
    if cluster is not None:
        from soak.runner.replications.cluster import DaskCrew

        return DaskCrew(cluster)
    return LocalCrew(processes)


@contextmanager
def _held(number: signal.Signals) -> Iterator[None]:
    """Have a signal wait: while a process forks, Python loses an interruption that comes in the middle of its hooks."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(parent: int) -> None:
    """A worker leaves signals to its parent and does not outlive it; what was there before it is no garbage of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if not die_with_parent(parent):
        os._exit(1)
    gc.freeze()


@dataclass(slots=True)
class _UnderWay:
    """A job, and its result once a worker has been asked for it."""

    job: Job
    promise: Promise | None = None


def in_order(
    crew: Crew, jobs: Iterable[Job], interrupted: Callable[[], bool] = never
) -> Generator[Replication, None, None]:
    """The results of `jobs` in their order; only so many are under way at a time, so that whoever stops early wastes little.

    Ends when someone interrupts. A job whose worker was killed is done again: it depends on nothing but itself. Raises
    SoakError when that does not help.
    """
    rest = iter(jobs)
    waiting: deque[_UnderWay] = deque()
    failures = 0
    with closing(crew):
        while not interrupted():
            waiting.extend(map(_UnderWay, islice(rest, max(0, crew.under_way - len(waiting)))))
            if not waiting:
                return
            try:
                result = _first(crew, waiting)
            except TimeoutError:
                continue
            except BrokenExecutor:
                failures += 1
                if failures > _MOST_FAILURES:
                    what = "the processes that make replications are killed again and again"
                    raise SoakError(f"{what} (give them more memory, or use fewer: --jobs)") from None
                crew.restart()
                waiting = deque(_UnderWay(each.job) for each in waiting)
                continue
            failures = 0
            waiting.popleft()
            yield result


def _first(crew: Crew, waiting: deque[_UnderWay]) -> Replication:
    """The first result, once all are asked for. Raises TimeoutError when it is not there yet."""
    for each in waiting:
        each.promise = each.promise or crew.submit(each.job)
    promise = waiting[0].promise
    assert promise
    return promise.result(_LOOK_UP_S)
