"""The pilot: replications of the simulation, and what they say of each objective."""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, stdev

from msgspec import Struct

from soak.runner.judge.histogram import upper_edge, value_of
from soak.runner.replications.replication import ObjectiveOutcome, Replication
from soak.schemas.errors import UsageError
from soak.schemas.evidence.power import Pilot
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.language.conditions import Objective

LEAST = 5
"""Fewer replications give no usable spread."""

_STATED = 0.9


class Sample(Struct, frozen=True):
    """One objective in all replications that went to their end; `hours` of observation in each."""

    objective: Objective
    outcomes: tuple[ObjectiveOutcome, ...]
    hours: float

    @property
    def observed(self) -> tuple[ObjectiveOutcome, ...]:
        """Those that observed something."""
        return tuple(each for each in self.outcomes if each.samples and each.value is not None)

    @property
    def values(self) -> list[float]:
        """The objective's value in each that observed it."""
        return [each.value for each in self.observed if each.value is not None]

    @property
    def counts(self) -> list[int]:
        """Observations in each, those without any too."""
        return [each.samples for each in self.outcomes]

    @property
    def observations(self) -> float:
        """Of a run, on average."""
        return fmean(self.counts)

    @property
    def per_hour(self) -> float:
        """Observations in an hour, on average."""
        return self.observations / self.hours

    @property
    def dispersion(self) -> float:
        """The variance of the number of observations, over its mean."""
        return stdev(self.counts) ** 2 / self.observations if self.observations else 0.0

    @property
    def relative(self) -> list[float]:
        """The value as a multiple of its target in each, where both are above zero."""
        pairs = [(each.value, each.target) for each in self.observed]
        return [value / target for value, target in pairs if value and target and value > 0 and target > 0]

    @property
    def half_widths(self) -> tuple[float, float] | None:
        """Mean and standard deviation of half the width of the interval; None where more than a tenth have none."""
        widths = [each.half_width for each in self.observed if each.half_width is not None]
        if not widths or len(widths) < _STATED * len(self.observed):
            return None
        return fmean(widths), stdev(widths) if len(widths) > 1 else 0.0

    def summary(self) -> Pilot:
        """How it came out."""
        statuses = Counter(each.status for each in self.outcomes)
        mean = fmean(self.values) if self.values else None
        sd = stdev(self.values) if len(self.values) > 1 else None
        return Pilot(statuses[Status.PASS], statuses[Status.FAIL], statuses[Status.INCONCLUSIVE], mean, sd)


def samples_of(objectives: Sequence[Objective], replications: Sequence[Replication], hours: float) -> list[Sample]:
    """Each objective in the replications that went to their end.

    Raises UsageError when too many did not, or nothing was observed in any.
    """
    whole = [each for each in replications if each.verdict is not Outcome.ABORTED]
    if len(whole) < max(LEAST, len(replications) / 2):
        aborted = Counter(each.aborted_by for each in replications if each.aborted_by)
        name = aborted.most_common(1)[0][0]
        raise UsageError(
            f"{len(replications) - len(whole)} of {len(replications)} replications were ended by an abort condition, most by "
            f"{name}: such a run ends before its duration (change the scenario until it does not: soak run shows why)"
        )
    samples = [
        Sample(objective, tuple(each.objectives[index] for each in whole), hours)
        for index, objective in enumerate(objectives)
    ]
    if not any(each.observed for each in samples):
        raise UsageError("no replication observed anything that an objective is about (make the run longer)")
    return samples


def design_effect(shares: Sequence[float], counts: Sequence[int]) -> float | None:
    """How much more shares vary between replications than those of independent observations would (Kish 1965, 8.2).

    At least 1; None where all shares are the same, 0 or 1, so that nothing can be said.
    """
    kept = [(share, count) for share, count in zip(shares, counts, strict=True) if count]
    if len(kept) < 2:
        return None
    mean = sum(share * count for share, count in kept) / sum(count for _, count in kept)
    binomial = mean * (1 - mean) * fmean(1 / count for _, count in kept)
    return max(1.0, stdev(share for share, _ in kept) ** 2 / binomial) if binomial > 1e-18 else None


def index_of_dispersion(counts: Sequence[float]) -> float | None:
    """The variance of counts over their mean, which of independent events is 1 (Cox and Lewis 1966); None without any event."""
    mean = fmean(counts)
    return max(1.0, stdev(counts) ** 2 / mean) if mean > 0 else None


class PooledDistribution:
    """The observations of all replications together, as a survival function that is continuous."""

    def __init__(self, outcomes: Sequence[ObjectiveOutcome]) -> None:
        total: Counter[int] = Counter()
        for each in outcomes:
            total.update(each.buckets)
        self._buckets = sorted(total)
        count = sum(total.values())
        above = count
        self._above = []
        self._edges = [_edges(bucket) for bucket in self._buckets]
        for bucket in self._buckets:
            above -= total[bucket]
            self._above.append(above / count)

    def share_above(self, value: float) -> float:
        """The share of observations above `value`; within a bucket they lie evenly on a scale of ratios."""
        before = 1.0
        for (low, high), above in zip(self._edges, self._above, strict=True):
            if value <= low:
                return before
            if value < high and low > 0:
                return before + (above - before) * math.log(value / low) / math.log(high / low)
            before = above
        return 0.0

    def value_with_above(self, share: float) -> float:
        """The value that this share of observations lies above."""
        before = 1.0
        for (low, high), above in zip(self._edges, self._above, strict=True):
            if above <= share:
                part = (before - share) / (before - above)
                return low * (high / low) ** part if low > 0 else 0.0
            before = above
        return self._edges[-1][1]


def share_beyond(outcome: ObjectiveOutcome, value: float) -> float:
    """The share of one replication's observations in buckets that lie above `value`."""
    return sum(count for bucket, count in outcome.buckets.items() if value_of(bucket) > value) / outcome.samples


def _edges(bucket: int) -> tuple[float, float]:
    return (upper_edge(bucket - 1), upper_edge(bucket)) if bucket else (0.0, 0.0)
