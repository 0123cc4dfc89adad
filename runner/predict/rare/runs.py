"""Runs for the search for a rare event, made by worker processes and counted."""

from collections.abc import Callable, Sequence

import numpy as np

from soak.runner.predict.rare.events import Event
from soak.runner.predict.rare.splitting import Recipe
from soak.runner.replications.replication import Job, Replication
from soak.runner.replications.worker_pool import WorkerPool, in_order
from soak.schemas.language.model import Scenario
from soak.simulation.redraws import Tilt, Weighed


class StoppedError(Exception):
    """Someone asked to stop."""


class Runs:
    """Makes runs in which an event is looked for. Raises StoppedError once someone asked to stop."""

    def __init__(
        self,
        scenario: Scenario,
        event: Event,
        pool: WorkerPool,
        interrupted: Callable[[], bool],
        told: Callable[[int], None],
    ) -> None:
        """pool: one that can be used again after it was closed. told: called with how many runs there are."""
        self._scenario, self._event, self._pool = scenario, event, pool
        self._interrupted, self._told = interrupted, told
        self.made = 0
        self._graded: tuple[tuple[float, ...], Scenario] | None = None

    def measure(self, recipes: Sequence[Recipe], levels: Sequence[float]) -> list[int]:
        """How many levels each reached; one more when the event happened."""
        scenario = self._with(levels)
        jobs = [Job(place, each.seed, scenario, redraws=each.redraws) for place, each in enumerate(recipes)]
        return [self._event.score(each, levels) for each in self._make(jobs)]

    def outcomes(self, tilted: Sequence[tuple[int, Tilt]]) -> list[Weighed | None]:
        """What each is weighted by; None where the event did not happen."""
        scenario = self._with(())
        jobs = [Job(place, seed, scenario, tilt=tilt) for place, (seed, tilt) in enumerate(tilted)]
        return [each.weighed if self._event.score(each, ()) else None for each in self._make(jobs)]

    def _with(self, levels: Sequence[float]) -> Scenario:
        """The scenario with these levels, the same object for the same levels: workers are sent it once."""
        if self._graded is None or self._graded[0] != tuple(levels):
            self._graded = tuple(levels), self._event.scenario(self._scenario, levels)
        return self._graded[1]

    def _make(self, jobs: Sequence[Job]) -> list[Replication]:
        made = list(in_order(self._pool, jobs, self._interrupted))
        if len(made) < len(jobs):
            raise StoppedError
        self.made += len(made)
        self._told(self.made)
        return made


def generator(seed: int, event: Event, part: int, number: int = 0) -> np.random.Generator:
    """Random choices of one part of the search: of the pilots, of an ascent, of a batch."""
    name = int.from_bytes(event.name.encode()[:64], "little")
    return np.random.default_rng([seed, part, number, name])
