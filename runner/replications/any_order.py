"""Replications in whatever order they come: for searches, which know what they ask for next only from what they have."""

from collections.abc import Hashable
from concurrent.futures import BrokenExecutor
from typing import Generic, Protocol, TypeVar

from soak.runner.replications.replication import Job, Replication
from soak.runner.replications.worker_pool import LOOK_UP_S, Breakages

K = TypeVar("K", bound=Hashable)


class Coming(Protocol):
    """A replication in flight."""

    def done(self) -> bool:
        """Whether `result` gives or raises something at once."""

    def result(self, timeout: float | None = None) -> Replication:
        """The replication; raises what went wrong with it."""


class SearchPool(Protocol):
    """Workers that can be asked which of them are ready."""

    @property
    def workers(self) -> int:
        """How many there are."""

    def submit(self, job: Job) -> Coming:
        """Queue a job."""

    def attend(self, timeout_s: float | None) -> None:
        """Wait for results. Raises BrokenExecutor when a worker was killed."""

    def restart(self) -> None:
        """Start again after a worker was killed; jobs submitted before are forgotten."""


class InFlight(Generic[K]):
    """Jobs in flight, by keys of the caller's."""

    def __init__(self, pool: SearchPool) -> None:
        self._pool = pool
        self._jobs: dict[K, tuple[Job, Coming]] = {}
        self._breakages = Breakages()

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, key: K) -> bool:
        return key in self._jobs

    def add(self, key: K, job: Job) -> None:
        """Have a job made."""
        self._jobs[key] = job, self._pool.submit(job)

    def come(self) -> dict[K, Coming]:
        """Those that came within a short time: no longer in flight. Raises SoakError when workers are killed repeatedly.

        A job whose worker was killed is done again: it depends on nothing but itself.
        """
        try:
            self._pool.attend(LOOK_UP_S)
        except BrokenExecutor:
            self._breakages.add()
            self._pool.restart()
            self._jobs = {key: (job, self._again(job, coming)) for key, (job, coming) in self._jobs.items()}
        found = {key: coming for key, (_, coming) in self._jobs.items() if coming.done()}
        for key in found:
            del self._jobs[key]
        if found:
            self._breakages.clear()
        return found

    def _again(self, job: Job, coming: Coming) -> Coming:
        return coming if coming.done() else self._pool.submit(job)
