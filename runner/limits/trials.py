"""Replications at points of the parameters: made as they are needed and kept."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

import msgspec

from soak.runner.limits.decision import Care, SequentialTest, Tally
from soak.runner.replications.replication import Replication, jobs
from soak.runner.replications.worker_pool import WorkerPool, in_order
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.language.model import Scenario

PointValues = tuple[str, ...]
"""A point: the value of each parameter as a scenario writes it."""


class StoppedError(Exception):
    """The search was interrupted; what was made so far is kept."""


class Trial(msgspec.Struct, frozen=True):
    """The outcome of a replication; `causes`: why it did not PASS."""

    index: int
    seed: int
    verdict: Outcome
    causes: tuple[str, ...]


class Replications:
    """All replications that were made, by their point. Every point gets the same seeds: common random numbers."""

    def __init__(
        self,
        pool: WorkerPool,
        scenario_at: Callable[[PointValues], Scenario],
        seed: int,
        test: SequentialTest,
        show: Callable[[PointValues, Tally, int], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self.test = test
        self.made: dict[PointValues, list[Trial]] = {}
        self.total = 0
        self._pool = pool
        self._scenario_at = scenario_at
        self._seed = seed
        self._show = show
        self._interrupted = interrupted

    def look(self, values: PointValues, care: Care) -> None:
        """Make replications at a point until they are enough. Raises StoppedError, or UsageError for a value that cannot be."""
        tally = self.tally(values)
        if self.test.enough(tally, care):
            return
        scenario = self._scenario_at(values)
        trials = self.made.setdefault(values, [])
        wanted = islice(jobs(scenario, self._seed), len(trials), self.test.most)
        with closing(in_order(self._pool, wanted, self._interrupted)) as results:
            for replication in results:
                trials.append(
                    Trial(replication.index, replication.seed, replication.verdict, _causes(replication, scenario))
                )
                self.total += 1
                tally = tally.plus(replication.verdict is Outcome.PASS)
                self._show(values, tally, self.total)
                if self.test.enough(tally, care):
                    return
        raise StoppedError

    def tally(self, values: PointValues) -> Tally:
        """The replications at a point."""
        trials = self.made.get(values, [])
        return Tally(sum(trial.verdict is Outcome.PASS for trial in trials), len(trials))


def _causes(replication: Replication, scenario: Scenario) -> tuple[str, ...]:
    """Why it did not PASS: the abort condition that ended it, or else what is broken, or else what is not known."""
    if replication.verdict is Outcome.PASS:
        return ()
    if replication.aborted_by is not None:
        return (f"abort condition {replication.aborted_by}",)
    broken = replication.verdict is Outcome.FAIL
    objectives = [
        f"objective {objective.comparison.text}{'' if broken else ' (inconclusive)'}"
        for objective, outcome in zip(scenario.objectives, replication.objectives, strict=True)
        if outcome.status is (Status.FAIL if broken else Status.INCONCLUSIVE)
    ]
    return tuple(objectives or replication.doubts or ["telemetry"])


@dataclass(frozen=True, slots=True)
class PointTrials:
    """Points in a row, or the cells of a plane, by their number: the trials that a search asks for."""

    replications: Replications
    values: Callable[[int], PointValues]

    def look(self, point: int, care: Care) -> None:
        """Make replications there until they are enough. Raises as `Replications.look` does."""
        self.replications.look(self.values(point), care)

    def passes(self, point: int) -> bool:
        """Whether they are evidence for PASS being likely enough."""
        return self.replications.test.passes(self.replications.tally(self.values(point)))

    def decided(self, point: int) -> bool:
        """Whether they are enough to base the answer on."""
        return self.replications.test.enough(self.replications.tally(self.values(point)), Care.DECIDE)
