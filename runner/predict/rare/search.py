"""The search for one rare event: which method answers, its pilot, its runs, and what can be said."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from soak.runner.judge.interval import wilson
from soak.runner.predict.figures import CONFIDENCE, share_of
from soak.runner.predict.rare.estimate import Mean, mean_of, mean_of_ascents
from soak.runner.predict.rare.events import Event
from soak.runner.predict.rare.pilot import Found, Pilot, Stuck
from soak.runner.predict.rare.runs import Runs, StoppedError, generator
from soak.runner.predict.rare.splitting import KINDS, MOVES, Repetition, ascend
from soak.runner.predict.rare.tilting import MOST_ATTEMPTS, Tuned, Tuning, rates_of
from soak.runner.replications.replication import Replication
from soak.schemas.evidence.prediction import Answer, Method, RareEvent, RareRate, RareRun, RareStep, Share
from soak.schemas.language.model import Process, Scenario
from soak.simulation.arrivals import arrivals
from soak.simulation.redraws import Which

COMMON = 20
"""An event that happened in so many plain replications is not rare: brute force says how likely it is."""
MOST_COMMON = 0.05
PILOT_SIZE = 50
ASCENTS, FEWEST_ASCENTS = 10, 5
SMALLEST, LARGEST = 30, 400
BATCH, FEWEST_WEIGHTS, FEWEST_HITS, MOST_OF_ONE = 100, 500, 30, 0.2
_FAR = 30.0
"""Guesses of two pilots that differ by more are of different ways to the event: the likelier one is followed."""
_CONTRADICTS = 0.999
TUNING, CLIMBING, RUNNING = 1, 2, 3


@dataclass(slots=True)
class Search:
    """Looks for one event, with `effort` runs besides those of pilots."""

    scenario: Scenario
    event: Event
    runs: Runs
    effort: int
    precision: float | None = None
    tilted: "Tuned | None" = None
    climbed: "Found | Stuck | None" = None
    pilot_runs: int = 0
    ascents: list[Repetition] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    example: RareRun | None = None
    interrupted: bool = False

    def answer(self, plain: Sequence[Replication]) -> RareEvent:
        """What can be said, given replications of the scenario as it is. An interruption ends it early."""
        brute = share_of(sum(map(self.event.in_brute_force, plain)), len(plain))
        if brute.count >= COMMON or brute.share > MOST_COMMON:
            return self._not_rare(brute)
        try:
            self._pilots()
        except StoppedError:
            self.interrupted = True
        self.pilot_runs = self.runs.made
        method = self._method()
        if method is None or self.interrupted:
            return self._told(brute, None, None, self._why_not())
        try:
            self._climb() if method is Method.SPLITTING else self._sample()
        except StoppedError:
            self.interrupted = True
        mean = self._mean()
        return self._told(brute, method, mean, self._doubt(mean, brute))

    def _pilots(self) -> None:
        seed = self.scenario.seed
        rates = rates_of(self.scenario.faults, MOST_ATTEMPTS)
        tasks = self._tasks() if rates else 0
        if tasks:
            self.tilted = Tuning(self.runs.outcomes, rates, tasks, generator(seed, self.event, TUNING)).best()
        if self.event.graded:
            drawn = self.scenario.workload.process is Process.POISSON
            kinds = KINDS if drawn else (Which.ALL,)
            rng = generator(seed, self.event, CLIMBING)
            self.climbed = Pilot(self.runs.measure, PILOT_SIZE, rng, kinds).climb()

    def _tasks(self) -> int:
        """How many tasks arrive in a run, about; 0 where users submit them."""
        if self.scenario.workload.users is not None:
            return 0
        return sum(map(len, arrivals(self.scenario.workload, self.scenario.seed, self.scenario.duration_s)))

    def _method(self) -> Method | None:
        """The one whose runs say more; where the pilots find different ways to the event, the one with the likelier way."""
        tilted, climbed = self.tilted, self.climbed
        if not isinstance(climbed, Found):
            return Method.IMPORTANCE_SAMPLING if tilted else None
        if tilted is None or climbed.guess > _FAR * tilted.guess:
            return Method.SPLITTING
        steps = len(climbed.ladder.levels) + 1
        cost = 8.0 * steps * (1 + MOVES * steps)
        return Method.IMPORTANCE_SAMPLING if tilted.relative_variance < cost else Method.SPLITTING

    def _climb(self) -> None:
        assert isinstance(self.climbed, Found)
        ladder = self.climbed.ladder
        each = 1 + MOVES * len(ladder.levels)
        size = min(LARGEST, max(SMALLEST, self.effort // (ASCENTS * each)))
        for number in range(max(FEWEST_ASCENTS, self.effort // (size * each))):
            rng = generator(self.scenario.seed, self.event, RUNNING, number)
            made = ascend(self.runs.measure, ladder, size, rng)
            self.ascents.append(made)
            if made.example and not self.example:
                redraws = [(one.seed, one.share, one.which.value) for one in made.example.redraws]
                self.example = RareRun(made.example.seed, redraws)
            if self._precise(len(self.ascents), ASCENTS):
                return

    def _sample(self) -> None:
        assert self.tilted
        for number in range(-(-self.effort // BATCH)):
            rng = generator(self.scenario.seed, self.event, RUNNING, number)
            tilted = self.tilted.proposal.draw(BATCH, rng)
            for (seed, tilt), weighed in zip(tilted, self.runs.outcomes(tilted), strict=True):
                self.weights.append(weighed.ratio if weighed else 0.0)
                if weighed and not self.example:
                    self.example = RareRun(seed, [], tilt.first)
            if self._precise(len(self.weights), FEWEST_WEIGHTS):
                return

    def _precise(self, made: int, fewest: int) -> bool:
        """Whether the interval is looked at, after `fewest` estimates and whenever they doubled, and narrow enough.

        Each look is a chance to stop where the estimate, and with it the spread, happens to be low: few looks, few misses.
        """
        looks = made >= fewest and made % fewest == 0 and (made // fewest).bit_count() == 1
        if self.precision is None or not looks:
            return False
        mean = self._mean()
        return bool(mean.value) and mean.interval[1] / mean.value - 1 <= self.precision

    def _mean(self) -> Mean:
        if self.ascents:
            return mean_of_ascents([each.estimate for each in self.ascents], CONFIDENCE)
        return mean_of(self.weights, CONFIDENCE)

    # What is said.

    def _why_not(self) -> str:
        if self.interrupted:
            return "interrupted before the pilot had found a way to the event"
        reasons = []
        if isinstance(self.climbed, Stuck):
            reached = f"came {100 * self.climbed.fraction:.3g} % of the way to the limit"
            after = f" after {self.climbed.levels} levels" if self.climbed.levels else ""
            reasons.append(f"splitting: the nearest of its runs {reached}{after}, and none came nearer")
        elif not self.event.graded:
            reasons.append("splitting: nothing lies between the ideal value and the limit")
        if self.scenario.workload.users is not None:
            reasons.append("importance sampling: not for a closed workload")
        elif not rates_of(self.scenario.faults, MOST_ATTEMPTS):
            reasons.append("importance sampling: the scenario has no faults by rate")
        else:
            reasons.append("importance sampling: it did not happen at any rate of the faults")
        return f"no way to the event was found; it may be impossible ({'; '.join(reasons)})"

    def _doubt(self, mean: Mean, brute: Share) -> str:
        """Why the estimate is not to be trusted; empty if it is."""
        if self.interrupted and max(len(self.weights) // BATCH, len(self.ascents)) < FEWEST_ASCENTS:
            return "interrupted before enough runs were made"
        if not mean.value:
            return "the event happened in no run of the estimate (raise --effort)"
        if self.ascents:
            died = sum(not each.estimate for each in self.ascents)
            if len(self.ascents) < FEWEST_ASCENTS:
                return f"only {len(self.ascents)} ascents were made (at least {FEWEST_ASCENTS} are needed)"
            if died > len(self.ascents) // 4:
                return f"{died} of {len(self.ascents)} ascents died out (raise --effort)"
        else:
            hits = sum(each > 0 for each in self.weights)
            if hits < FEWEST_HITS:
                return f"the event happened in only {hits} runs (raise --effort)"
            if max(self.weights) > MOST_OF_ONE * sum(self.weights):
                return "one run alone makes up more than a fifth of the estimate (raise --effort)"
        low, high = (
            wilson(brute.count, max(1, brute.count and round(brute.count / brute.share)), _CONTRADICTS)
            if brute.count
            else (0.0, 1.0)
        )
        if mean.interval[1] < low or mean.interval[0] > high:
            return f"brute force contradicts it: {brute.count} of the plain replications"
        return ""

    def _not_rare(self, brute: Share) -> RareEvent:
        count = round(brute.count / brute.share)
        error = ((1 - brute.share) / (brute.share * count)) ** 0.5
        reason = f"it happened in {brute.count:,} of {count:,} plain replications: brute force suffices"
        return RareEvent(
            name=self.event.name,
            what=self.event.text,
            answer=Answer.NOT_RARE,
            method=Method.BRUTE_FORCE,
            probability=brute.share,
            interval=brute.interval,
            relative_error=error,
            brute=brute,
            estimates=count,
            died_out=0,
            runs=0,
            pilot_runs=0,
            brute_runs=None,
            reason=reason,
            effort=self.effort,
        )

    def _told(self, brute: Share, method: Method | None, mean: Mean | None, doubt: str) -> RareEvent:
        sound = mean is not None and not doubt
        value, error = (mean.value, mean.relative_error) if mean and sound else (None, None)
        stopped = "interrupted: from what was made until then" if self.interrupted and sound else ""
        return RareEvent(
            name=self.event.name,
            what=self.event.text,
            answer=Answer.ESTIMATED if sound else Answer.INCONCLUSIVE,
            method=method,
            probability=value,
            interval=mean.interval if mean and sound else None,
            relative_error=error,
            brute=brute,
            estimates=len(self.ascents) or len(self.weights),
            died_out=sum(not each.estimate for each in self.ascents),
            runs=self.runs.made - self.pilot_runs,
            pilot_runs=self.pilot_runs,
            brute_runs=(1 - value) / (value * error**2) if value and error else None,
            reason=doubt or stopped,
            effort=self.effort,
            steps=self._steps() if method is Method.SPLITTING else [],
            rates=self._rates() if method is Method.IMPORTANCE_SAMPLING else [],
            stretch=self.tilted.proposal.length if self.tilted and method is Method.IMPORTANCE_SAMPLING else None,
            example=self.example,
        )

    def _steps(self) -> list[RareStep]:
        assert isinstance(self.climbed, Found)
        found = []
        for place, level in enumerate((*self.climbed.ladder.levels, 1.0)):
            shares = [each.steps[place] for each in self.ascents if len(each.steps) > place]
            if shares:
                found.append(RareStep(level, float(np.mean(shares))))
        return found

    def _rates(self) -> list[RareRate]:
        assert self.tilted
        return [
            RareRate(each.stream.partition(":")[2], each.layer, each.rate, each.tilted)
            for each in self.tilted.proposal.rates
        ]
