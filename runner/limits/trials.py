"""Replications at points of the parameters: made as they are needed and kept."""

from collections.abc import Callable
from contextlib import suppress

import msgspec
from msgspec import Struct

from soak.runner.limits.decision import Care, SequentialTest, Tally
from soak.runner.limits.foreseen import Foreseen, Key, NothingIdleError, Points, PointValues
from soak.runner.replications.any_order import Coming, InFlight, SearchPool
from soak.runner.replications.replication import Job, Replication, seeds
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.language.model import Scenario


class StoppedError(Exception):
    """The search was interrupted; what was made so far is kept."""


class Trial(msgspec.Struct, frozen=True):
    """The outcome of a replication; `causes`: why it did not PASS."""

    index: int
    seed: int
    verdict: Outcome
    causes: tuple[str, ...]


class Replications:
    """All replications that were asked for, by their point. Every point gets the same seeds: common random numbers.

    Workers that would be idle make what will probably be asked for next: what the search asks for when `foresee` runs it over
    results that are supposed. Only what is asked for counts, so that what is found does not depend on how many workers there are.
    """

    def __init__(
        self,
        pool: SearchPool,
        scenario_at: Callable[[PointValues], Scenario],
        seed: int,
        test: SequentialTest,
        show: Callable[[PointValues, Tally, int], None],
        interrupted: Callable[[], bool],
    ) -> None:
        self.test = test
        self.made: dict[PointValues, list[Trial]] = {}
        self.total = 0
        self.foresee: Callable[[Points], None] = _nothing_more
        self._tallies: dict[PointValues, Tally] = {}
        # One alone is never idle while it is known what to do; of several, one job waits for the first to be free.
        self._most_in_flight = pool.workers + (pool.workers > 1)
        self._in_flight: InFlight[Key] = InFlight(pool)
        self._come: dict[Key, Coming] = {}
        self._scenario_at = scenario_at
        self._scenarios: dict[PointValues, Scenario] = {}
        self._impossible: set[PointValues] = set()
        self._seeds: list[int] = []
        self._more_seeds = seeds(seed)
        self._show = show
        self._interrupted = interrupted

    def look(self, values: PointValues, care: Care) -> None:
        """Make replications at a point until they are enough. Raises StoppedError, or UsageError for a value that cannot be."""
        while not self.test.enough(self.tally(values), care):
            if self._interrupted():
                raise StoppedError
            key = values, self.tally(values).total
            if key in self._come:
                self._keep(values, self._come.pop(key).result())
                continue
            if key not in self._in_flight:
                self._submit(key, self._scenario(values))
            self._occupy(values, care)
            self._come.update(self._in_flight.come())

    def tally(self, values: PointValues) -> Tally:
        """The replications at a point."""
        return self._tallies.get(values, Tally())

    def known(self, key: Key) -> bool | None:
        """Whether a replication that was not asked for yet is PASS; None where it is not there, or failed."""
        if key not in self._come:
            return None
        try:
            return self._come[key].result().verdict is Outcome.PASS
        except Exception:
            return None

    def begun(self, key: Key) -> bool:
        """Whether nobody needs to begin with a replication: it is made, or cannot be."""
        return key in self._in_flight or key in self._come or key[0] in self._impossible

    def _keep(self, values: PointValues, replication: Replication) -> None:
        trials = self.made.setdefault(values, [])
        causes = _causes(replication, self._scenario(values))
        trials.append(Trial(replication.index, replication.seed, replication.verdict, causes))
        self.total += 1
        self._tallies[values] = self.tally(values).plus(replication.verdict is Outcome.PASS)
        self._show(values, self._tallies[values], self.total)

    def _submit(self, key: Key, scenario: Scenario) -> None:
        index = key[1]
        while len(self._seeds) <= index:
            self._seeds.append(next(self._more_seeds))
        self._in_flight.add(key, Job(index, self._seeds[index], scenario))

    def _scenario(self, values: PointValues) -> Scenario:
        found = self._scenarios.get(values)
        if found is None:
            found = self._scenarios[values] = self._scenario_at(values)
        return found

    def _occupy(self, values: PointValues, care: Care) -> None:
        """Give idle workers what will probably be needed: here first, and then where the search goes on."""
        foreseen = Foreseen(self, self._most_in_flight - len(self._in_flight))
        with suppress(NothingIdleError):
            foreseen.look(values, care)
            self.foresee(foreseen)
        for key in foreseen.wanted:
            try:
                self._submit(key, self._scenario(key[0]))
            except UsageError:
                # It is told if the search really comes to it.
                self._impossible.add(key[0])


def _nothing_more(points: Points) -> None:
    """No point follows."""


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


class PointTrials(Struct, frozen=True):
    """Points in a row, or the cells of a plane, by their number: the trials that a search asks for."""

    replications: Points
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
