"""A few helper threads; one that does not come back in time is given up, and another takes its place."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from soak.runner.console import helper


@dataclass(slots=True)
class Job:
    """Something to do, which ends by itself within `within_s`, in real seconds, once it has begun."""

    work: Callable[[], None]
    within_s: float
    began: float | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def is_lost(self) -> bool:
        """Whether it should have ended."""
        return self.began is not None and not self.ended.is_set() and time.monotonic() > self.began + self.within_s


class Workers:
    """Does jobs in order, at most `count` at once. Threads never keep the process from ending."""

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._count = count
        for _ in range(count):
            self._start()

    def _start(self) -> None:
        helper(self._run, "checks").start()

    def submit(self, work: Callable[[], None], within_s: float) -> Job:
        """Do something when a thread is free."""
        job = Job(work, within_s)
        self._jobs.put(job)
        return job

    def replace(self, job: Job) -> None:
        """Give up a job that is lost: its thread is not waited for."""
        job.ended.set()
        self._start()

    def close(self) -> None:
        """Let all threads end that can."""
        for _ in range(self._count):
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.began = time.monotonic()
            try:
                job.work()
            finally:
                given_up = job.ended.is_set()
                job.ended.set()
            if given_up:
                return
