"""From the course of a series: from when on an objective was broken, and in which stretches of the run."""

import math

import numpy as np
from msgspec import Struct

from soak.runner.judge.course import Course
from soak.schemas.evidence.explanation import Stretch
from soak.schemas.language.expression import AT_LEAST, AT_MOST, Op
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.stream.block import Bools, Floats, Ints

_LENGTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""Lengths of the stretches into which a run is divided."""

_MOST, _FEWEST = 300, 3
"""How many stretches there are at most and at least: as many as hold enough observations on average."""

_MOST_OF = {Aggregate.COUNT: 30}
"""Of what needs no observations to be told by, fewer are enough."""

_ENOUGH = {Aggregate.RATIO: (100, 20), Aggregate.MEAN: (50, 20), Aggregate.RATE: (100, 20)}
_IN_THE_TAIL = (5, 1)
"""Observations (beyond a quantile) that a stretch should hold on average, and how few will do in a short run."""


def side_of(op: Op, value: float, target: float) -> int:
    """On which side of its target a broken value lies: 1 above, -1 below, 0 for none."""
    if op in AT_MOST:
        return 1
    if op in AT_LEAST:
        return -1
    return int(np.sign(value - target)) if math.isfinite(value) and math.isfinite(target) else 0


class Places(Struct, frozen=True):
    """Stretches of a run: the worst, those with enough observations, and those that were broken by themselves, in time order."""

    length_s: float
    worst: Stretch
    seen: list[Stretch]
    broken: list[Stretch]


class History(Struct, frozen=True):
    """How an indicator went on beside a target; `op`: how they must compare, `side`: where it is broken, `least`: samples."""

    course: Course
    sli: Sli
    op: Op
    target: float
    side: int
    least: int
    begin_s: float
    end_s: float

    def since(self) -> float | None:
        """The first moment from which on the value of the run so far was broken to the end; None if that cannot be said.

        As exact as stretches of the course are short; a quantile within a bucket of its target cannot be told from it.
        """
        if not len(self.course) or not self.side:
            return None
        enough = np.cumsum(self.course.weight) >= self.least
        for so_far in self._broken_so_far():
            broken = so_far & enough
            if broken[-1]:
                held = np.flatnonzero(~broken)
                return float(self.course.last_s[int(held[-1]) + 1 if len(held) else 0])
        return None

    def _broken_so_far(self) -> tuple[Bools, ...]:
        """After each stretch, whether the run so far was broken; several answers where the course is too coarse for one."""
        course, aggregate = self.course, self.sli.aggregate
        weight, total = np.cumsum(course.weight), np.cumsum(course.total)
        if aggregate is Aggregate.QUANTILE and course.ranked:
            wanted = np.maximum(1, np.ceil(self.sli.q * weight - 1e-9))
            return tuple(
                (np.cumsum(each) < wanted) if self.side > 0 else (np.cumsum(each) >= wanted)
                for each in reversed(course.at_most(self.target))
            )
        if aggregate in {Aggregate.RATIO, Aggregate.MEAN}:
            with np.errstate(invalid="ignore", divide="ignore"):
                return (self._is_broken(total / weight),)
        if aggregate is Aggregate.COUNT and self.side > 0:
            return (self._is_broken(total),)
        if self.sli.lowest:
            return (self._is_broken(np.minimum.accumulate(course.largest)),)
        if aggregate in {Aggregate.MAX, Aggregate.GAUGE} and self.side > 0:
            return (self._is_broken(np.maximum.accumulate(course.largest)),)
        return ()

    def _is_broken(self, value: Floats) -> Bools:
        """Which values are on the wrong side; NaN is on none."""
        strict = self.op in {Op.LT, Op.GT}
        apart = (value - self.target) * self.side
        broken: Bools = apart >= 0 if strict else apart > 0
        return broken

    def places(self) -> Places | None:
        """The stretches of the run that were broken by themselves; None where nothing can be said of stretches."""
        stretches = self.stretches()
        too_few = self.sli.aggregate is Aggregate.COUNT and self.side < 0
        if not self.side or stretches is None or too_few:
            return None
        edges_s, value, samples = stretches
        with np.errstate(invalid="ignore"):
            enough = (samples >= max(1, self._enough()[-1] // 2)) & ~np.isnan(value)
            broken = enough & self._is_broken(value)
        if not enough.any():
            return None
        starts_s = np.maximum(edges_s[:-1], self.begin_s).tolist()
        ends_s = np.minimum(edges_s[1:], self.end_s).tolist()
        all_ = [Stretch(*each) for each in zip(starts_s, ends_s, value.tolist(), samples.tolist(), strict=True)]
        worst = all_[int(np.argmax(np.where(enough, value * self.side, -math.inf)))]
        seen = [each for each, known in zip(all_, enough.tolist(), strict=True) if known]
        by_itself = [each for each, bad in zip(all_, broken.tolist(), strict=True) if bad] if self._by_itself() else []
        return Places(float(edges_s[1] - edges_s[0]), worst, seen, by_itself)

    def _by_itself(self) -> bool:
        """Whether the value of a part of the run can be compared with the target: not that of a number of events."""
        return self.sli.aggregate not in {Aggregate.COUNT, Aggregate.RATE}

    def stretches(self) -> tuple[Floats, Floats, Ints] | None:
        """The run in equal stretches: their edges, the value in each (NaN for none), observations; None where it is too short."""
        length_s = self._length_s()
        if length_s is None:
            return None
        # A rate is relative to the length of its stretch, which must be whole.
        last = math.floor if self.sli.aggregate is Aggregate.RATE else math.ceil
        first = math.floor(self.begin_s / length_s)
        edges_s: Floats = np.arange(first, last(self.end_s / length_s) + 1).astype(np.float64) * length_s
        windows = self.course.windows(self.sli, edges_s)
        return edges_s, windows.value, windows.samples

    def _enough(self) -> tuple[int, ...]:
        """Observations that a stretch should hold on average, and how few will do."""
        if self.sli.aggregate is Aggregate.QUANTILE:
            tails = (math.ceil(tail / (1 - self.sli.q)) for tail in _IN_THE_TAIL)
            return tuple(max(least, tail) for least, tail in zip(_ENOUGH[Aggregate.MEAN], tails, strict=True))
        return _ENOUGH.get(self.sli.aggregate, (1,))

    def _length_s(self) -> float | None:
        run_s, seen = float(self.course.last_s[-1] - self.course.first_s[0]), float(self.course.weight.sum())
        if not seen:
            return None
        most = _MOST_OF.get(self.sli.aggregate, _MOST)
        needed_s = [max(enough / seen, 1 / most) * run_s for enough in self._enough()]
        fitting = (each for wanted_s in needed_s for each in _LENGTHS_S if wanted_s <= each <= run_s / _FEWEST)
        return next(fitting, None)
