"""The figures of two runs, each with its difference, what is allowed, and whether that holds."""

import math
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from msgspec import Struct

from soak.runner.judge.comparable import Probed, Series
from soak.runner.parity.outcomes import Outcomes
from soak.runner.parity.probed import with_probes
from soak.runner.parity.tolerances import SILENCE, TOLERANCES, tolerance_of, with_samples
from soak.schemas.evidence.parity import Agreement, Figure, Latencies, TaskCounts, Topic
from soak.schemas.language.expression import Unit
from soak.schemas.language.slis import Sli
from soak.schemas.language.tolerance import OVERHEAD_S, Tolerance
from soak.schemas.stream.block import Bools, Floats
from soak.schemas.stream.states import TaskState

_QUANTILES = (0.5, 0.9, 0.95, 0.99)
_FLOAT_ERROR = 1e-9
NO_PROBES: Mapping[str, tuple[Probed, Probed]] = MappingProxyType({})


class Pairs(Struct, frozen=True):
    """Every task of both runs: what became of it in each. Both have the same size."""

    base: Outcomes
    run: Outcomes

    @classmethod
    def of(cls, base: Outcomes, run: Outcomes) -> "Pairs":
        """The tasks of two runs, of which one may have come further."""
        for outcomes in (base, run):
            outcomes.grow(max(len(base), len(run)))
        return cls(base, run)

    @property
    def seen(self) -> Bools:
        """Tasks that at least one run has."""
        return (self.base.states > TaskState.NONE) | (self.run.states > TaskState.NONE)

    @property
    def accepted(self) -> Bools:
        """Tasks that both runs took in."""
        return self.base.accepted & self.run.accepted

    @property
    def other_state(self) -> Bools:
        """Tasks that did not end in the same state."""
        other: Bools = self.base.states != self.run.states
        return other

    @property
    def other_attempts(self) -> Bools:
        """Tasks that both took in and did not try equally often."""
        other: Bools = self.accepted & (self.base.attempts != self.run.attempts)
        return other

    def counts(self) -> TaskCounts:
        """How many tasks there are of each."""
        return TaskCounts(
            seen=int(self.seen.sum()),
            base_accepted=int(self.base.accepted.sum()),
            run_accepted=int(self.run.accepted.sum()),
            accepted_in_both=int(self.accepted.sum()),
            same_state=int((self.seen & ~self.other_state).sum()),
            same_attempts=int((self.accepted & ~self.other_attempts).sum()),
            latency_in_both=int((~np.isnan(self.base.latency_s - self.run.latency_s)).sum()),
        )

    def latencies(self) -> Latencies:
        """The latencies of both runs."""
        base, run = self.base.latency_s, self.run.latency_s
        both = np.flatnonzero(~np.isnan(base - run))
        order = both[np.argsort(self.base.due_s[both], kind="stable")]
        return Latencies(
            base_s=np.sort(base[~np.isnan(base)]),
            run_s=np.sort(run[~np.isnan(run)]),
            due_s=self.base.due_s[order],
            difference_s=run[order] - base[order],
        )


class Measure(Struct, frozen=True):
    """Judges figures; `speed` is the larger one of the two runs. interval_s: between samples; 0: not known."""

    speed: float
    interval_s: float = 0.0

    @property
    def overhead_s(self) -> float:
        """What a real system may take for each task on top of a model, in seconds of scenario time."""
        return OVERHEAD_S * self.speed

    def single(
        self,
        name: str,
        topic: Topic,
        unit: Unit,
        values: tuple[float | None, float | None],
        tolerance: Tolerance | None,
        description: str,
    ) -> Figure:
        """A figure that each run has by itself."""
        base, run = map(_known, values)
        difference = None if base is None or run is None else run - base
        one_only = (base is None) != (run is None)
        detail = "observed in one of the runs only" if one_only and tolerance else ""
        return self._figure(
            name, topic, unit, (base, run, difference), tolerance, description, reference=base or 0.0, detail=detail
        )

    def paired(
        self, name: str, topic: Topic, unit: Unit, difference: float, description: str, *, reference: float = 0.0
    ) -> Figure:
        """A figure that only the pair of runs has."""
        values = (None, None, _known(difference))
        return self._figure(name, topic, unit, values, TOLERANCES[name], description, reference=reference)

    def series(self, base: Series, run: tuple[float, ...]) -> Figure:
        """A figure with several values, of which each has its counterpart."""
        counts = len(base.values), len(run)
        detail = (
            f"observed {counts[0]} times in the base and {counts[1]} times in the run" if counts[0] != counts[1] else ""
        )
        pairs = list(zip(base.values, run, strict=False))
        values = max(pairs, key=lambda pair: self._excess(pair, base.tolerance), default=(None, None))
        difference = None if values[0] is None or values[1] is None else values[1] - values[0]
        reference = abs(values[0] or 0.0)
        told = (*values, difference)
        return self._figure(
            base.name,
            Topic.SYSTEM,
            base.unit,
            told,
            base.tolerance,
            base.description,
            reference=reference,
            detail=detail,
        )

    def _excess(self, pair: tuple[float, float], tolerance: Tolerance) -> float:
        return abs(pair[1] - pair[0]) - tolerance.allowed(pair[0], self.speed)

    def _figure(
        self,
        name: str,
        topic: Topic,
        unit: Unit,
        values: tuple[float | None, float | None, float | None],
        tolerance: Tolerance | None,
        description: str,
        *,
        reference: float,
        detail: str = "",
    ) -> Figure:
        base, run, difference = values
        allowed = tolerance.allowed(reference, self.speed) if tolerance else None
        status = _status(difference, allowed, lacking=bool(detail))
        if difference is None and tolerance and not detail:
            detail = "nothing observed in either run"
        words = tolerance.words(unit) if tolerance else ""
        return Figure(name, topic, description, unit.value, base, run, difference, allowed, words, status, detail)


def _status(difference: float | None, allowed: float | None, *, lacking: bool) -> Agreement:
    if lacking:
        return Agreement.DIFFERS
    if difference is None or allowed is None:
        return Agreement.NOT_COMPARED
    holds = abs(difference) <= allowed * (1 + _FLOAT_ERROR) + _FLOAT_ERROR
    return Agreement.AGREES if holds else Agreement.DIFFERS


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def task_figures(pairs: Pairs, measure: Measure) -> Iterator[Figure]:
    """Whether tasks were taken in, ended in the same state and took as many attempts."""
    counts, topic = pairs.counts(), Topic.TASKS
    either = counts.base_accepted + counts.run_accepted - counts.accepted_in_both
    yield measure.paired(
        "tasks_accepted_in_one", topic, Unit.RATIO, _share(either - counts.accepted_in_both, either),
        "tasks that only one of the runs took in, of all that either took in",
    )  # fmt: skip
    yield measure.paired(
        "tasks_in_other_state", topic, Unit.RATIO, _share(counts.seen - counts.same_state, counts.seen),
        "tasks whose state at the end is not the same in both runs",
    )  # fmt: skip
    means = _mean(pairs.base, pairs.accepted), _mean(pairs.run, pairs.accepted)
    yield measure.single(
        "attempts_mean", Topic.ATTEMPTS, Unit.COUNT, means, TOLERANCES["attempts_mean"],
        "attempts of a task on average, of those that both runs took in",
    )  # fmt: skip
    other = counts.accepted_in_both - counts.same_attempts
    yield measure.paired(
        "tasks_with_other_attempts", Topic.ATTEMPTS, Unit.RATIO, _share(other, counts.accepted_in_both),
        "tasks that did not take as many attempts in both runs, of those that both took in",
    )  # fmt: skip


def _mean(outcomes: Outcomes, chosen: Bools) -> float:
    return float(outcomes.attempts[chosen].mean()) if chosen.any() else math.nan


def latency_figures(latencies: Latencies, measure: Measure) -> Iterator[Figure]:
    """Quantiles of the latency of all tasks, the distance of its distributions, and the median paired difference."""
    base, run, topic = latencies.base_s, latencies.run_s, Topic.LATENCY
    for q in _QUANTILES:
        name = f"task_latency_p{q * 100:.0f}"
        what = f"{q:.0%} of the tasks that ended DONE or FAILED took no longer; the warm-up included"
        values = _quantile(base, q), _quantile(run, q)
        yield measure.single(name, topic, Unit.DURATION, values, TOLERANCES[name], what)
    yield measure.paired(
        "latency_distance", topic, Unit.RATIO, kolmogorov_smirnov(base, run),
        "two-sample Kolmogorov-Smirnov distance of the latencies: the overhead of a real system is still in it",
    )  # fmt: skip
    yield measure.paired(
        "latency_distance_beyond_overhead", topic, Unit.RATIO, kolmogorov_smirnov(base, run, measure.overhead_s),
        "what is left of that distance when each latency may be off by the overhead that is allowed",
    )  # fmt: skip
    median = float(np.median(latencies.difference_s)) if len(latencies.difference_s) else math.nan
    reference = _known(_quantile(base, 0.5)) or 0.0
    yield measure.paired(
        "latency_paired_median", topic, Unit.DURATION, median,
        "median of how much longer a task took in the run than the same task in the base", reference=reference,
    )  # fmt: skip


def _quantile(ascending: Floats, q: float) -> float:
    return float(np.quantile(ascending, q, method="inverted_cdf")) if len(ascending) else math.nan


def sli_figures(
    slis: Mapping[str, Sli],
    base: Mapping[str, float | None],
    run: Mapping[str, float | None],
    measure: Measure,
    probed: Mapping[str, tuple[Probed, Probed]] = NO_PROBES,
) -> Iterator[Figure]:
    """Every SLI of the verdicts; probed: what those are made of in both runs that are shares of probes."""
    for name, sli in slis.items():
        values, tolerance = (base.get(name), run.get(name)), tolerance_of(sli)
        if tolerance and name in probed:
            tolerance = with_probes(tolerance, *probed[name], measure.overhead_s)
        if tolerance and name == SILENCE:
            tolerance = with_samples(tolerance, *values, measure.interval_s)
        yield measure.single(name, Topic.SLI, sli.unit, values, tolerance, sli.description)


def series_figures(base: Sequence[Series], run: Sequence[Series], measure: Measure) -> Iterator[Figure]:
    """Figures of the system, each by its values that are furthest apart for what is allowed."""
    others = {each.name: each for each in run}
    for each in base:
        yield measure.series(each, others[each.name].values)


def kolmogorov_smirnov(one: Floats, other: Floats, shift: float = 0.0) -> float:
    """The two-sample Kolmogorov-Smirnov distance of two ascending samples: `sup |F(x) - G(x)|`, F and G their ECDFs.

    With a `shift`, the part of it that is left when every value may be off by as much: the larger of
    `sup F(x) - G(x + shift)` and `sup G(x) - F(x + shift)`, at least 0. NaN for an empty sample.

    Source: N. V. Smirnov 1939; W. J. Conover, Practical Nonparametric Statistics, 3rd ed. 1999, section 6.3; the statistic
    of `scipy.stats.ks_2samp`. The shift is that of the Levy metric.
    """
    if not len(one) or not len(other):
        return float("nan")
    return max(_excess(one, other, shift), _excess(other, one, shift), 0.0)


def _excess(one: Floats, other: Floats, shift: float) -> float:
    """How far the ECDF of `one` is above that of `other` moved back by `shift`, at most: it is largest at a jump of `one`."""
    above = np.searchsorted(one, one, side="right") / len(one)
    return float((above - np.searchsorted(other, one + shift, side="right") / len(other)).max())
