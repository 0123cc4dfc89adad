"""An objective in windows of the run: at every instant, over what was observed in the time of a window before it.

Windows are (t - window, t], as those of conditions, and lie wholly between the warm-up and the end of the run. What is true of
them changes when an observation enters or leaves one, so that for how long one was broken is exact, as a number of ticks.
All of it is a pure function of the stream, wherever its blocks end.
"""

import math
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from soak.runner.judge.alerts import number_or_none
from soak.runner.judge.course import Course
from soak.runner.judge.folds import Fold, Sketch, Tally
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.timer import Transition
from soak.runner.judge.watch import Moved, Observations, Watch
from soak.schemas.evidence.windows import WindowResult, WindowsResult
from soak.schemas.language.conditions import Comparison, Condition, Objective
from soak.schemas.language.expression import AT_LEAST, AT_MOST, OPPOSITE, Op, Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Better, Sli
from soak.schemas.stream.block import TICKS_PER_S, Bools, Floats, Ints, tick


@dataclass(slots=True)
class Worst:
    """The window farthest on the wrong side: when it ends, its value, and how many observations it holds."""

    end_s: float
    value: float
    samples: int


class WindowFold(Watch):
    """One objective in windows: a watch for the opposite of what it demands.

    good, course: one observation for each of the windows that follow one another: 1 where it held, when the window ended.
    """

    def __init__(self, objective: Objective, scenario: Scenario, labels: frozenset[int] | None) -> None:
        comparison, window_s = objective.comparison, objective.window_s
        assert window_s is not None
        broken = replace(comparison, op=OPPOSITE[comparison.op])
        super().__init__(Condition("", broken, window_s, 0.0, objective.min_samples), labels)
        self.objective, self._window_s = objective, window_s
        self._warmup_s = scenario.warmup_s
        self.begin_s = tick(scenario.warmup_s + window_s)
        self._latest_s = scenario.duration_s if _needs_arrivals(comparison) else math.inf
        self._next = 1
        """The number of the next of the windows that follow one another."""
        self.good, self.course = Tally(), Course(ranked=False)
        self.worst: Worst | None = None
        self.first_s = math.inf
        """The first instant at which it was broken."""
        self.spells = 0
        self._since_s = self.begin_s
        self._broken = self._thin = False
        self._broken_ticks = self._thin_ticks = 0

    def observe(self, facts: Facts) -> list[Transition]:
        """Process the facts of a block."""
        settled_s = min(facts.settled_s, self._latest_s)
        self._moving(self._complete(facts), max(self._from_s, settled_s))
        self._from_s = max(self._from_s, settled_s)
        return []

    def _moving(self, fresh: Observations, until_s: float) -> list[Transition]:
        ends_s = self._ends_s(until_s)
        moved = self._move(fresh.take(slice(0, int(np.searchsorted(fresh.t, until_s, side="right")))), until_s, ends_s)
        broken, value = self._truth(moved.t, moved.part, moved.weight)
        enough = self._enough(moved.t, moved.weight)
        whole = moved.t >= self.begin_s
        consecutive = np.isin(moved.t, ends_s)
        self._follow(moved.t[whole], broken[whole], ~enough[whole])
        self._tell(moved.t[consecutive & enough], ~broken[consecutive & enough])
        self._find_worst(moved, value, whole & enough & (consecutive if self.objective.share is not None else whole))
        return []

    def _ends_s(self, until_s: float) -> list[float]:
        """When the windows end that follow one another, up to `until_s`."""
        ends_s = []
        while (end_s := tick(self._warmup_s + self._next * self._window_s)) <= until_s:
            ends_s.append(end_s)
            self._next += 1
        return ends_s

    def _follow(self, t: Floats, broken: Bools, thin: Bools) -> None:
        """Add up for how long windows were broken, or held too few observations."""
        if not len(t):
            return
        ticks = np.rint(np.diff(np.concatenate([[self._since_s], t])) * TICKS_PER_S).astype(np.int64)
        was_broken, was_thin = (
            np.concatenate([[before], now[:-1]]) for before, now in ((self._broken, broken), (self._thin, thin))
        )
        self._broken_ticks += int(ticks[was_broken].sum())
        self._thin_ticks += int(ticks[was_thin].sum())
        begins = np.flatnonzero(broken & ~was_broken)
        self.spells += len(begins)
        if len(begins):
            self.first_s = min(self.first_s, float(t[begins[0]]))
        self._since_s, self._broken, self._thin = float(t[-1]), bool(broken[-1]), bool(thin[-1])

    def _tell(self, t: Floats, good: Bools) -> None:
        if len(t):
            samples = Samples(t, good.astype(np.float64))
            self.good.observe(samples)
            self.course.observe(samples)

    def _find_worst(self, moved: Moved, value: Floats, looked_at: Bools) -> None:
        places = np.flatnonzero(looked_at)
        if not len(places):
            return
        if self._ranked:
            found = self._worst_quantile(moved, places)
        else:
            distance = self._distance(value[places])
            best = int(np.argmax(distance))
            beyond = self.worst is None or distance[best] > self._distance(np.array([self.worst.value]))[0]
            found = (int(places[best]), float(value[places[best]])) if beyond else None
        if found:
            place, worst = found
            self.worst = Worst(float(moved.t[place]), worst, int(moved.weight[place]))

    def _distance(self, value: Floats) -> Floats:
        """How far values lie on the wrong side of the target."""
        op = self.objective.comparison.op
        apart = value - self._target
        return apart if op in AT_MOST else -apart if op in AT_LEAST else np.abs(apart) * (1 if op is Op.EQ else -1)

    def _worst_quantile(self, moved: Moved, places: Ints) -> tuple[int, float] | None:
        """The first place of the worst quantile, if it is worse than the worst so far; found by halving the values there are."""
        upper = self.objective.comparison.op in AT_MOST
        wanted = np.maximum(1, np.ceil(self._q * moved.weight[places] - 1e-9))
        holds = moved.weight[places] > 0
        first, last = moved.first[places], moved.last[places]

        def reaches(limit: float) -> Bools:
            """Where the quantile is `limit` or worse."""
            below = moved.seen.value < limit if upper else moved.seen.value <= limit
            number = np.concatenate([[0], np.cumsum(below)])
            counted = number[last] - number[first]
            reached: Bools = holds & ((counted < wanted) if upper else (counted >= wanted))
            return reached

        values = np.unique(moved.seen.value)
        values = values if upper else values[::-1]
        if self.worst is not None:
            values = values[(values > self.worst.value) if upper else (values < self.worst.value)]
        low, high = -1, len(values) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if reaches(float(values[middle])).any():
                low = middle
            else:
                high = middle - 1
        if low < 0:
            return None
        return int(places[int(np.argmax(reaches(float(values[low]))))]), float(values[low])

    def so_far(self) -> tuple[float, float, bool | None]:
        """The value that is compared, its target, and whether it is met; None where nothing was seen of any window."""
        value = self.good.total / self.good.samples if self.good.samples else math.nan
        if self.objective.share is not None:
            return value, self.objective.share, value >= self.objective.share if self.good.samples else None
        return self.worst.value if self.worst else math.nan, self._target, not self.spells if self.worst else None

    # At the end.

    def result(self, ended_s: float) -> WindowsResult:
        """For the verdict on a run that ended then."""
        end_s = max(self.begin_s, min(ended_s, self._latest_s))
        rest = round((end_s - self._since_s) * TICKS_PER_S) if end_s > self._since_s else 0
        worst = self.worst
        return WindowsResult(
            length_s=self._window_s,
            share=self.objective.share,
            limit=self._target,
            consecutive=self._next - 1,
            enough=self.good.samples,
            good=round(self.good.total),
            looked_s=tick(end_s - self.begin_s),
            thin_s=(self._thin_ticks + rest * self._thin) / TICKS_PER_S,
            broken_s=(self._broken_ticks + rest * self._broken) / TICKS_PER_S,
            spells=self.spells,
            first_s=None if self.first_s == math.inf else self.first_s,
            worst=WindowResult(
                tick(worst.end_s - self._window_s), worst.end_s, number_or_none(worst.value), worst.samples
            )
            if worst
            else None,
        )

    def last_window(self) -> Fold:
        """What the last window holds."""
        fold: Fold = Sketch() if self._ranked else Tally()
        kept = self._kept
        fold.observe(Samples(kept.t, kept.value, kept.weight))
        return fold


def _needs_arrivals(comparison: Comparison) -> bool:
    """Whether less is observed once no more work arrives, so that only windows before that are looked at."""
    aggregate = comparison.sli.aggregate
    return aggregate is Aggregate.RATE or (aggregate is Aggregate.COUNT and comparison.op in AT_LEAST)


def windows_of(scenario: Scenario, labels: LabelNumbers) -> dict[int, WindowFold]:
    """The objectives in windows, by their place among all."""
    return {
        place: WindowFold(objective, scenario, labels.selected(objective.comparison.selector))
        for place, objective in enumerate(scenario.objectives)
        if objective.window_s is not None
    }


def share_of_windows(objective: Objective) -> Comparison:
    """What is demanded of the windows that follow one another: that the objective holds in a share of them."""
    comparison, share = objective.comparison, objective.share
    assert share is not None
    name = f"good windows of {comparison.text}"
    sli = Sli(name, name, Unit.RATIO, Aggregate.RATIO, name, Better.HIGHER)
    return Comparison(comparison.text, sli, comparison.selector, Op.GE, share)
