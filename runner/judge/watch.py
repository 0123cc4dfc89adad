"""Conditions during the run: when each begins and ceases to hold, to the microsecond.

Every aggregate is brought down to sums over the observations of a window, so that a whole block is evaluated at once:
a quantile is above X exactly when fewer than its rank are at or below X. A window is (t - window, t]: an observation made
at t belongs to it until just before t + window. All that happens at one instant counts at once: a condition is evaluated after
it, whatever the order in which it stands in the stream, and so not before the instant is known to be complete.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from msgspec import Struct

from soak.runner.judge.histogram import Histogram, rank
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.sweep import swept
from soak.runner.judge.timer import Transition
from soak.schemas.language.conditions import Condition
from soak.schemas.language.expression import Op
from soak.schemas.language.slis import Aggregate
from soak.schemas.stream.block import TICKS_PER_S, Bools, Floats, Ints, quantise, tick

RANKED = frozenset({Aggregate.QUANTILE, Aggregate.MAX, Aggregate.GAUGE})
SUMMED = frozenset({Aggregate.COUNT, Aggregate.RATE})

COMPARE = {
    Op.LE: np.less_equal,
    Op.GE: np.greater_equal,
    Op.LT: np.less,
    Op.GT: np.greater,
    Op.EQ: np.equal,
    Op.NE: np.not_equal,
}
"""Each operator, for arrays."""


@dataclass(slots=True)
class Observations:
    """Observations that a window still holds; `part`: what each adds to a numerator."""

    t: Floats
    value: Floats
    part: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.t)

    def take(self, index: slice) -> "Observations":
        """Some of them."""
        return Observations(self.t[index], self.value[index], self.part[index], self.weight[index])

    def then(self, later: "Observations") -> "Observations":
        """These, and later ones."""
        if not len(self):
            return later
        return Observations(
            *(np.concatenate([getattr(self, name), getattr(later, name)]) for name in ("t", "value", "part", "weight"))
        )


class Moved(Struct, frozen=True):
    """A window at instants `t`: which of the observations `seen` it holds (from `first` up to `last`), and their sums."""

    t: Floats
    first: Ints
    last: Ints
    part: Floats
    weight: Floats
    seen: Observations

    def values(self, index: int) -> Floats:
        """The values that the window holds at the instant of that number."""
        return self.seen.value[self.first[index] : self.last[index]]


class Watch:
    """One condition, fed block by block."""

    def __init__(self, condition: Condition, labels: frozenset[int] | None) -> None:
        assert isinstance(condition.comparison.target, float)
        self.condition = condition
        self._labels = labels
        self._sli = condition.comparison.sli
        self._op = condition.comparison.op
        self._target = condition.comparison.target
        self._ranked = self._sli.aggregate in RANKED and not self._latest
        self._q = self._sli.q if self._sli.aggregate is Aggregate.QUANTILE else float(not self._sli.lowest)
        self._holds = False
        self._from_s = 0.0
        self._kept = self._held_back = Observations(np.empty(0), np.empty(0), np.empty(0), np.empty(0))
        self._count, self._sum, self._weight = 0, 0.0, 0.0
        self._histogram = self._new_histogram()
        self._newest = math.nan

    def _new_histogram(self) -> Histogram:
        histogram = Histogram()
        histogram.pin(self._target)
        return histogram

    @property
    def _latest(self) -> bool:
        return self._sli.aggregate is Aggregate.GAUGE and self.condition.window_s is None

    def observe(self, facts: Facts) -> list[Transition]:
        """The changes that a block brings, in time order, up to the last instant that is complete."""
        if self._sli.aggregate is Aggregate.LONGEST:
            return self._observe_stretches(facts)
        fresh = self._complete(facts)
        if self.condition.window_s is not None:
            changes = self._moving(fresh, facts.settled_s)
        elif not len(fresh):
            changes = []
        else:
            changes = self._latest_changes(fresh) if self._latest else self._so_far(fresh)
        self._from_s = facts.settled_s
        return changes

    def _complete(self, facts: Facts) -> Observations:
        """The observations of instants that are complete; those of the last one wait for what else happens then."""
        samples = facts.get(self._sli.series)
        if self._labels is not None and samples.label is not None:
            samples = samples.take(np.isin(samples.label, list(self._labels)))
        seen = self._held_back.then(Observations(samples.t, samples.value, self._part(samples), samples.weights))
        complete = int(np.searchsorted(seen.t, facts.settled_s, side="right"))
        self._held_back = seen.take(slice(complete, None))
        return seen.take(slice(0, complete))

    def value(self) -> float:
        """The value at the last complete instant; NaN with too few observations.

        For intervals it is the current one, or 0.
        """
        if self._sli.aggregate is Aggregate.LONGEST:
            return self._newest if self._newest == self._newest else 0.0
        kept, window_s = self._kept, self.condition.window_s
        if window_s is None and not (self._weight or self._count):
            return math.nan  # Without a window it is looked at when something is observed.
        weight = float(kept.weight.sum()) if window_s is not None else self._count if self._latest else self._weight
        if not self._enough(np.array([self._from_s]), np.array([weight]))[0]:
            return math.nan
        if self._latest:
            return self._newest
        if self._ranked:
            return self._value_of(kept.value) if window_s is not None else self._histogram.quantile(self._q)
        part = float(kept.part.sum()) if window_s is not None else self._sum
        return float(self._aggregated(np.array([self._from_s]), np.array([part]), np.array([weight]))[0])

    def _part(self, samples: Samples) -> Floats:
        """What each observation adds to the numerator, in ticks; for a quantile whether it is below, or at most, the target."""
        if not self._ranked:
            return np.rint(samples.value * TICKS_PER_S)
        at_or_below = self._op in {Op.GT, Op.LE}
        below: Bools = samples.value <= self._target if at_or_below else samples.value < self._target
        return below.astype(np.float64)

    def _truth(self, t: Floats, part: Floats, weight: Floats) -> tuple[Bools, Floats]:
        """Whether the condition holds, and the value (NaN for a quantile), from sums over the window."""
        if self._ranked:
            above = part < np.maximum(1, np.ceil(self._q * weight - 1e-9))
            holds, value = (above if self._op in {Op.GT, Op.GE} else ~above), np.full(len(t), np.nan)
        else:
            value = self._aggregated(t, part, weight)
            holds = COMPARE[self._op](value, self._target)
        return holds & self._enough(t, weight), value

    def _aggregated(self, t: Floats, part: Floats, weight: Floats) -> Floats:
        """The value of an aggregate that is made of sums."""
        aggregate = self._sli.aggregate
        with np.errstate(invalid="ignore", divide="ignore"):
            if aggregate is Aggregate.RATE:
                value: Floats = weight / (self.condition.window_s or t)
            elif aggregate is Aggregate.MEAN:
                value = part / weight / TICKS_PER_S
            else:
                value = part / TICKS_PER_S if aggregate is Aggregate.COUNT else part / TICKS_PER_S / weight
        return value

    def _enough(self, t: Floats, weight: Floats) -> Bools:
        """Whether enough was observed for the condition to hold."""
        window_s = self.condition.window_s
        if self._sli.aggregate not in SUMMED:
            return weight >= self.condition.min_samples
        few = self._op in {Op.LT, Op.LE, Op.EQ} and window_s is not None
        full = t >= window_s if few and window_s else np.ones(len(t), dtype=np.bool_)
        # A count of 0 is a value: without `min_samples` it needs no observation.
        return full & (weight >= self.condition.min_samples) if self.condition.min_samples > 1 else full

    def _so_far(self, fresh: Observations) -> list[Transition]:
        if self._sli.aggregate is Aggregate.COUNT and self.condition.min_samples <= 1 and not fresh.part.any():
            return self._unchanged(fresh)
        part, weight = self._sum + np.cumsum(fresh.part), self._weight + np.cumsum(fresh.weight)
        last = _instants(fresh.t)
        holds, value = self._truth(fresh.t[last], part[last], weight[last])
        changes = self._changes(
            fresh.t[last],
            holds,
            (lambda index: self._value_so_far(fresh.value[: last[index] + 1])) if self._ranked else value.item,
        )
        if self._ranked:
            self._histogram.add(fresh.value)
        self._sum, self._weight = float(part[-1]), float(weight[-1])
        return changes

    def _unchanged(self, fresh: Observations) -> list[Transition]:
        """Nothing more was counted: the value is the same at all instants."""
        self._weight += float(fresh.weight.sum())
        value = np.array([self._sum / TICKS_PER_S])
        return self._changes(fresh.t[:1], COMPARE[self._op](value, self._target), value.item)

    def _value_so_far(self, values: Floats) -> float:
        histogram = self._new_histogram()
        histogram.merge(self._histogram)
        histogram.add(values)
        return histogram.quantile(self._q)

    def _moving(self, fresh: Observations, until_s: float) -> list[Transition]:
        window_s = self.condition.window_s
        assert window_s is not None
        moved = self._move(fresh, until_s, [window_s] if self._from_s < window_s <= until_s else [])
        holds, value = self._truth(moved.t, moved.part, moved.weight)
        return self._changes(
            moved.t, holds, (lambda index: self._value_of(moved.values(index))) if self._ranked else value.item
        )

    def _move(self, fresh: Observations, until_s: float, more: Iterable[float]) -> Moved:
        """The window at every instant up to `until_s` at which its content changes, and at those of `more`."""
        window_s = self.condition.window_s
        assert window_s is not None
        seen = self._kept.then(fresh)
        expiry = quantise(seen.t + window_s)
        known = len(self._kept)
        self._kept = seen.take(slice(int(np.searchsorted(expiry, until_s, side="right")), None))
        moments = np.fromiter(more, dtype=np.float64)
        found = swept(seen.t, expiry, seen.part, seen.weight, known, moments, self._from_s, until_s)
        return Moved(*found, seen)

    def _value_of(self, values: Floats) -> float:
        return float(np.sort(values)[rank(self._q, len(values)) - 1]) if len(values) else math.nan

    def _latest_changes(self, fresh: Observations) -> list[Transition]:
        """Of several samples at one instant the largest counts, as in a window."""
        last = _instants(fresh.t)
        value = np.maximum.reduceat(fresh.value, np.concatenate([[0], last[:-1] + 1]))
        count = self._count + last + 1
        self._count += len(fresh)
        self._newest = float(value[-1])
        holds = COMPARE[self._op](value, self._target) & (count >= self.condition.min_samples)
        return self._changes(fresh.t[last], holds, value.item)

    def _changes(self, t: Floats, holds: Bools, value_at: Callable[[int], float]) -> list[Transition]:
        if not len(t):
            return []
        before = np.concatenate([[self._holds], holds[:-1]])
        self._holds = bool(holds[-1])
        changed = np.flatnonzero(before != holds).tolist()
        return [Transition(float(t[index]), bool(holds[index]), value_at(index)) for index in changed]

    def _observe_stretches(self, facts: Facts) -> list[Transition]:
        changes = []
        stretches = facts.stretches.get(self._sli.series, [])
        self._newest = stretches[-1].length_s if stretches and not stretches[-1].over else 0.0
        for stretch in stretches:
            too_long = stretch.length_s >= self._target if self._op is Op.GE else stretch.length_s > self._target
            if too_long and not self._holds:
                # A stretch that must be longer than the target is so from the next tick on, and the stream ends there.
                length_s = self._target if self._op is Op.GE else tick(self._target + 1 / TICKS_PER_S)
                changes.append(Transition(tick(stretch.start_s + length_s), True, length_s))
                self._holds = True
            if stretch.over and self._holds:
                # One as long as its limit reaches it at the instant at which it ends, and no longer.
                just = self._op is Op.GE and stretch.length_s == self._target
                end_s = tick(stretch.end_s + 1 / TICKS_PER_S) if just else stretch.end_s
                changes.append(Transition(end_s, False, stretch.length_s))
                self._holds = False
        return changes


def _instants(t: Floats) -> Ints:
    """The place of the last observation of each instant; `t` ascends."""
    return np.flatnonzero(np.append(t[1:] != t[:-1], np.True_))
