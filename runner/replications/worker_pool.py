"""Worker pools make replications: processes of this machine or of a cluster. Results come in job order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import BrokenExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from soak.runner.engine import never
from soak.runner.replications.replication import Job, Replication
from soak.schemas.errors import SoakError, UsageError

_MOST_FAILURES = 3
"""How often in a row workers may be killed before a result comes."""
LOOK_UP_S = 0.2
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


def make_pool(processes: int | None, cluster: str | None) -> WorkerPool:
    """The workers of the Dask cluster at that address, or processes on this machine. Raises UsageError."""
    if processes is not None and cluster is not None:
        raise UsageError("--jobs and --dask exclude each other: a cluster has the workers that it has (remove one)")
    if cluster is not None:
        from soak.runner.replications.cluster import DaskPool

        return DaskPool(cluster)
    from soak.runner.replications.processes import ProcessPool

    return ProcessPool(processes)


class Lasting:
    """A pool for several series: it stays open when one of them ends, and is closed by whoever opened it."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self.submit, self.restart = pool.submit, pool.restart

    @property
    def in_flight(self) -> int:
        """See `WorkerPool`."""
        return self._pool.in_flight

    def close(self) -> None:
        """Nothing: there may be another series."""


class Breakages:
    """How often in a row workers were killed before a result came."""

    def __init__(self) -> None:
        self._count = 0

    def add(self) -> None:
        """Workers were killed again. Raises SoakError when that makes too many."""
        self._count += 1
        if self._count > _MOST_FAILURES:
            what = "the processes that make replications are killed repeatedly"
            raise SoakError(f"{what} (give them more memory, or use fewer: --jobs)") from None

    def clear(self) -> None:
        """A result came."""
        self._count = 0


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
    breakages = Breakages()
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
                breakages.add()
                pool.restart()
                waiting = deque(_InFlight(each.job) for each in waiting)
                continue
            breakages.clear()
            waiting.popleft()
            yield result


def _first(pool: WorkerPool, waiting: deque[_InFlight]) -> Replication:
    """The first result, once all are submitted. Raises TimeoutError when it is not there yet."""
    for each in waiting:
        each.promise = each.promise or pool.submit(each.job)
    promise = waiting[0].promise
    assert promise
    return promise.result(LOOK_UP_S)
