"""Worker pools: processes of this machine that make replications. Results come in job order."""

import gc
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Protocol

from soak.runner.engine import never
from soak.runner.lifeline import die_with_parent
from soak.runner.replications.replication import Job, Replication, replicate
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.language.registry import use

AHEAD = 2
"""Jobs in flight for each worker: one that it works on and one that waits, so that none is idle."""
_MOST_FAILURES = 3
"""How often in a row workers may be killed before a result comes."""
_LOOK_UP_S = 0.2
"""How long to wait for a result before checking for an interruption."""


class Promise(Protocol):
    """A replication in flight: a future of concurrent.futures, or of a cluster."""

    def result(self, timeout: float | None = None) -> Replication:
        """Wait for it; raises TimeoutError after `timeout` seconds."""


class WorkerPool(Protocol):
    """Workers that make replications: processes of this machine, or those of a cluster."""

    @property
    def in_flight(self) -> int:
        """How many jobs to keep in flight."""

    def submit(self, job: Job) -> Promise:
        """Queue a job."""

    def restart(self) -> None:
        """Start again after workers were killed; jobs submitted before are forgotten."""

    def close(self) -> None:
        """End all workers, also in the middle of a job."""


class ProcessPool:
    """One process for each core, or `workers` of them."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or _cores()
        self._executor = self._start()

    @property
    def in_flight(self) -> int:
        """How many jobs to keep in flight."""
        return self._workers * AHEAD

    def submit(self, job: Job) -> Promise:
        """Queue a job."""
        with _held(signal.SIGINT):
            return self._executor.submit(_made, job.scenario.system, pickle.dumps(job, pickle.HIGHEST_PROTOCOL))

    def restart(self) -> None:
        """Start again after a worker was killed."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = self._start()

    def close(self) -> None:
        """End all workers, also in the middle of a job."""
        for process in list((self._executor._processes or {}).values()):
            process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        # Forked, so that nobody imports anything twice; the executor forks all of them before it starts a thread.
        # Where that is not safe, they are started afresh.
        context = get_context("fork" if sys.platform == "linux" else "spawn")
        return ProcessPoolExecutor(self._workers, context, _begin, (os.getpid(),))


def _made(system: str, packed: bytes) -> Replication:
    """Do the job. Called by a worker, which has to know the system before it unpacks a scenario with events of it."""
    use(system)
    return replicate(pickle.loads(packed))


def _cores() -> int:
    """How many cores this process may use, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ReusablePool(ProcessPool):
    """Processes for several series: `close` ends a series and cancels what of it has not begun, `end` ends the processes."""

    def __init__(self, workers: int | None = None) -> None:
        super().__init__(workers)
        self._submitted: list[Promise] = []

    def submit(self, job: Job) -> Promise:
        """Queue a job."""
        promise = super().submit(job)
        self._submitted.append(promise)
        return promise

    def close(self) -> None:
        """End a series: jobs that run go on to their end, and the next series does not wait for those that have not begun."""
        for promise in self._submitted:
            if isinstance(promise, Future):
                promise.cancel()
        self._submitted.clear()

    def end(self) -> None:
        """End all workers, also in the middle of a job."""
        super().close()


@contextmanager
def reusable_pool(workers: int | None) -> Iterator[ReusablePool]:
    """Processes that are ended when the last series is."""
    pool = ReusablePool(workers)
    try:
        yield pool
    finally:
        pool.end()


def make_pool(processes: int | None, cluster: str | None) -> WorkerPool:
    """The workers of the Dask cluster at that address, or processes on this machine. Raises UsageError."""
    if processes is not None and cluster is not None:
        raise UsageError("--jobs and --dask exclude each other: a cluster has the workers that it has (remove one)")
    if cluster is not None:
        from soak.runner.replications.cluster import DaskPool

        return DaskPool(cluster)
    return ProcessPool(processes)


@contextmanager
def _held(number: signal.Signals) -> Iterator[None]:
    """Hold a signal back: while a process forks, Python loses one that comes in the middle of its hooks."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(parent: int) -> None:
    """Start of a worker: it leaves signals to its parent, does not outlive it, and does not collect its parent's garbage."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    if not die_with_parent(parent):
        os._exit(1)
    gc.freeze()


@dataclass(slots=True)
class _InFlight:
    """A job, and its result once it was submitted."""

    job: Job
    promise: Promise | None = None


def in_order(
    pool: WorkerPool, jobs: Iterable[Job], interrupted: Callable[[], bool] = never
) -> Generator[Replication, None, None]:
    """The results of `jobs` in their order; few are in flight at a time, so that stopping early wastes little. Closes the pool.

    Ends on an interruption. A job whose worker was killed is done again: it depends on nothing but itself. Raises SoakError
    when that does not help.
    """
    rest = iter(jobs)
    waiting: deque[_InFlight] = deque()
    failures = 0
    with closing(pool):
        while not interrupted():
            waiting.extend(map(_InFlight, islice(rest, max(0, pool.in_flight - len(waiting)))))
            if not waiting:
                return
            try:
                result = _first(pool, waiting)
            except TimeoutError:
                continue
            except BrokenExecutor:
                failures += 1
                if failures > _MOST_FAILURES:
                    what = "the processes that make replications are killed repeatedly"
                    raise SoakError(f"{what} (give them more memory, or use fewer: --jobs)") from None
                pool.restart()
                waiting = deque(_InFlight(each.job) for each in waiting)
                continue
            failures = 0
            waiting.popleft()
            yield result


def _first(pool: WorkerPool, waiting: deque[_InFlight]) -> Replication:
    """The first result, once all are submitted. Raises TimeoutError when it is not there yet."""
    for each in waiting:
        each.promise = each.promise or pool.submit(each.job)
    promise = waiting[0].promise
    assert promise
    return promise.result(_LOOK_UP_S)
