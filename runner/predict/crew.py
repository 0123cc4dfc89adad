"""Who makes replications: processes of this machine. Results come in the order of the jobs, whoever was quicker."""

import gc
import os
import signal
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import closing
from itertools import islice
from multiprocessing import get_context
from typing import Protocol

from runner.lifeline import die_with_parent
from runner.predict.replication import Job, Replication, replicate
from schemas.errors import SoakError

AHEAD = 2
"""Jobs under way for each worker: one that it works on, one that waits, so that none is idle."""
_MOST_RESTARTS = 3


class Promise(Protocol):
    """A replication under way: a future of concurrent.futures, or of a cluster."""

    def result(self) -> Replication:
        """Wait for it."""


class Crew(Protocol):
    """Workers that make replications."""

    @property
    def under_way(self) -> int:
        """How many jobs to keep under way."""

    def submit(self, job: Job) -> Promise:
        """Have a job done."""

    def restart(self) -> bool:
        """After the crew broke: make it work again; False when that is hopeless."""

    def close(self) -> None:
        """End all workers, whatever they are at."""


class LocalCrew:
    """One process for each core, or as many as asked for."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or len(os.sched_getaffinity(0))
        self._restarts = 0
        self._executor = self._start()

    @property
    def under_way(self) -> int:
        """How many jobs to keep under way."""
        return self._workers * AHEAD

    def submit(self, job: Job) -> Promise:
        """Have a job done."""
        return self._executor.submit(replicate, job)

    def restart(self) -> bool:
        """Start again after a worker was killed; False when that happened too often."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._restarts += 1
        self._executor = self._start()
        return self._restarts <= _MOST_RESTARTS

    def close(self) -> None:
        """End all workers, whatever they are at."""
        for process in list((self._executor._processes or {}).values()):
            process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        # Forked, so that nobody imports anything twice; the executor forks all of them before it starts a thread.
        return ProcessPoolExecutor(self._workers, get_context("fork"), _begin, (os.getpid(),))


def _begin(parent: int) -> None:
    """A worker leaves signals to its parent and does not outlive it; what was there before it is no garbage of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if not die_with_parent(parent):
        os._exit(1)
    gc.freeze()


def in_order(crew: Crew, jobs: Iterable[Job]) -> Generator[Replication, None, None]:
    """The results of `jobs` in their order; only so many are under way at a time, so that whoever stops early wastes little.

    A job whose worker was killed is done again: it depends on nothing but itself. Raises SoakError when that does not help.
    """
    rest = iter(jobs)
    waiting: deque[tuple[Job, Promise]] = deque()
    with closing(crew):
        while True:
            waiting.extend((job, crew.submit(job)) for job in islice(rest, crew.under_way - len(waiting)))
            if not waiting:
                return
            try:
                result = waiting[0][1].result()
            except BrokenExecutor:
                if not crew.restart():
                    raise SoakError("the processes that make replications are killed again and again") from None
                waiting = deque((job, crew.submit(job)) for job, _ in waiting)
                continue
            waiting.popleft()
            yield result
