"""Follows a run and says when its verdict is known: a pure function of the stream, wherever its blocks end."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from soak.runner.judge.combined import AnyGuard
from soak.runner.judge.deciding.grid import Grid
from soak.runner.judge.deciding.limits import Limit, limit_of
from soak.runner.judge.deciding.measured import Found, Measured, is_measured
from soak.runner.judge.deciding.tallies import Selection
from soak.runner.judge.deciding.waits import Waits
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts
from soak.runner.judge.window_fold import WindowFold
from soak.schemas.evidence.decided import Decided, DecidedObjective
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.conditions import Alert, Objective, Reference
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import AT_THE_END, Aggregate
from soak.schemas.stream.block import Block
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.units import show_duration

ERROR = 0.05
"""The probability with which any objective of a scenario is decided wrongly, in all looks at all of them."""

_EARLY = Found(None, "it is too early to look")

Alerts: TypeAlias = Sequence[tuple[Alert, AnyGuard]]


@dataclass(slots=True)
class _Case:
    """One objective, how it is decided (None: only by the end, `waits` says why), and what was found."""

    objective: Objective
    selection: Selection
    latency: Selection
    how: Measured | Limit | WindowFold | None
    waits: str
    found: Found = _EARLY
    at_s: float = math.inf

    @property
    def only_at_end(self) -> bool:
        """Whether nothing before the end can make it PASS."""
        return (
            self.how is None
            or isinstance(self.how, WindowFold)
            or (isinstance(self.how, Limit) and self.how.status is Status.FAIL)
        )

    def observe(self, facts: Facts) -> None:
        if isinstance(self.how, Measured) and self.at_s == math.inf:
            latency = (
                self.latency.of(facts) if self.latency.series != self.selection.series else self.selection.of(facts)
            )
            self.how.observe(self.selection.of(facts), latency)
        elif isinstance(self.how, Limit) and self.at_s == math.inf:
            stretches = facts.stretches.get(self.selection.series, [])
            self.how.observe(
                self.selection.of(facts), [each for each in stretches if each.end_s >= self.selection.warmup_s]
            )
            if self.how.passed_s < math.inf:
                self.found, self.at_s = Found(self.how.status), self.how.passed_s

        elif isinstance(self.how, WindowFold) and self.at_s == math.inf and self.how.first_s < math.inf:
            self.found, self.at_s = Found(Status.FAIL), self.how.first_s

    def look(self, steps: int, t_s: float, error: float) -> None:
        if isinstance(self.how, Measured) and self.at_s == math.inf:
            self.found = self.how.look(steps, error)
            if self.found.status:
                self.at_s = t_s

    def status_at(self, t_s: float) -> Status | None:
        """As what it is known at `t_s`."""
        return self.found.status if self.at_s <= t_s else None

    def result(self, ended_s: float) -> DecidedObjective:
        known = self.at_s <= ended_s
        # What the rest of a block told of it after the verdict was known is not part of that.
        why = _EARLY.why if self.found.status else self.found.why
        return DecidedObjective(
            self.objective.comparison.text,
            self.found.status if known else None,
            self.at_s if known else None,
            self.found.bounds if known else None,
            "" if known else self.waits + self._so_far(ended_s) if self.only_at_end else why,
            self.only_at_end,
        )

    def _so_far(self, t_s: float) -> str:
        """Of a count of nothing so far: the rate that would have given one by now with 95 % (it holds at every look)."""
        counts = isinstance(self.how, Limit) and self.objective.comparison.sli.aggregate is Aggregate.COUNT
        over_s = t_s - self.selection.warmup_s
        if not counts or not isinstance(self.how, Limit) or self.how.first_s <= t_s or over_s <= 0:
            return ""
        return f"; none in {show_duration(round(over_s))}: fewer than {-math.log(ERROR) / over_s * 3600:.2g} per hour with 95 %"


class Deciding:
    """Observes what the judge does, and looks after whole steps. It stops working once the verdict is known."""

    def __init__(
        self,
        scenario: Scenario,
        labels: LabelNumbers,
        vocabulary: Vocabulary,
        windows: Mapping[int, WindowFold],
        *,
        bounded: bool = True,
    ) -> None:
        """windows: objectives in windows, by their place. bounded: whether bounds are asked for as well."""
        self._grid = Grid.of(scenario)
        self._waits = Waits(scenario, vocabulary, self._grid)
        self._cases = [
            _case(each, scenario, labels, self._grid, windows.get(place), bounded)
            for place, each in enumerate(scenario.objectives)
        ]
        measured = sum(isinstance(each.how, Measured) for each in self._cases)
        self._error = ERROR / max(1, measured)
        self._looks = self._grid.looks()
        self._next = next(self._looks, None)
        self._waiting: list[str] = []
        self._phased_s = max((phase.window.end_s for phase in scenario.phases), default=0.0)
        self.failed_s = self.passed_s = self.decidable_s = math.inf
        """When it was known that the run fails; that it passes; that it passes but for what only the end decides."""

    @property
    def known_s(self) -> float:
        """When the verdict was known; infinite as long as it is not."""
        return min(self.failed_s, self.passed_s)

    def stops_s(self, *, decidable: bool) -> float:
        """When to stop; `decidable`: what only the end decides is not waited for."""
        return min(self.known_s, self.decidable_s) if decidable else self.known_s

    def observe(self, block: Block, facts: Facts, alerts: Alerts) -> None:
        """Process the facts of a block, complete up to its end."""
        if self.known_s < math.inf:
            return
        self._waits.observe(block)
        for case in self._cases:
            case.observe(facts)
        while self._next is not None and self._grid.end_s(self._next) <= facts.settled_s and self.known_s == math.inf:
            self._look(self._next, alerts)
            self._next = next(self._looks, None)
        self._fail(facts.settled_s)

    def _look(self, steps: int, alerts: Alerts) -> None:
        t_s = self._grid.end_s(steps)
        self._fail(t_s)
        if self.failed_s <= t_s:
            return
        for case in self._cases if t_s >= self._phased_s else ():
            case.look(steps, t_s, self._error)
        self._fail(t_s)
        self._waiting = list(self._waits.at(t_s, [(alert, guard.timer.firings) for alert, guard in alerts]))
        if self._waiting or self.failed_s <= t_s or not self._cases:
            return
        known = [case.status_at(t_s) is Status.PASS for case in self._cases]
        if all(known):
            self.passed_s = t_s
        open_to_end = all(sure or case.only_at_end for sure, case in zip(known, self._cases, strict=True))
        if any(known) and open_to_end:
            self.decidable_s = min(self.decidable_s, t_s)

    def _fail(self, until_s: float) -> None:
        """The first objective that is known to be broken by then decides."""
        broken = (case.at_s for case in self._cases if case.found.status is Status.FAIL and case.at_s <= until_s)
        self.failed_s = min(self.failed_s, *broken, math.inf)

    def result(self, ended_s: float, *, stopped: bool) -> Decided | None:
        """For the verdict on a run that ended then; None for one without objectives."""
        if not self._cases:
            return None
        known = self.known_s <= ended_s
        status = Status.FAIL if self.failed_s <= self.passed_s else Status.PASS
        return Decided(
            error=ERROR,
            every_s=self._grid.step_s,
            cycle_s=self._grid.cycle_s,
            status=status.value if known else None,
            at_s=self.known_s if known else None,
            decidable_at_s=self.decidable_s if self.decidable_s < math.inf else None,
            stopped=stopped,
            waits=[] if known else self._waiting,
            objectives=[case.result(min(ended_s, self.known_s)) for case in self._cases],
        )


def _case(
    objective: Objective,
    scenario: Scenario,
    labels: LabelNumbers,
    grid: Grid,
    windows: WindowFold | None,
    bounded: bool,
) -> _Case:
    comparison, target = objective.comparison, objective.comparison.target
    chosen = labels.selected(comparison.selector)
    selection = Selection(comparison.sli.series, chosen, scenario.warmup_s)
    latency = Selection("latency", chosen, scenario.warmup_s)
    how: Measured | Limit | WindowFold | None = None
    if windows is not None and objective.share is None:
        how, waits = windows, "only the end decides that it holds: one window can break it"
    elif windows is not None:
        waits = "only the end decides: it is a share of windows"
    elif isinstance(target, Reference):
        waits = "only the end decides: it is compared with another part of the run"
    elif any(name == "phase" for name, _ in comparison.selector):
        waits = "only the end decides: it is about one phase"
    elif comparison.sli.name == AT_THE_END:
        waits = "only the end decides: it is counted there"
    elif objective.min_samples <= 1 and (limit := limit_of(comparison, target)):
        how, waits = limit, "only the end decides that it holds: one observation can break it"
    elif is_measured(comparison, target):
        how, waits = Measured(comparison, target, objective.min_samples, grid, bounded=bounded), ""
    else:
        waits = "only the end decides: nothing sound can be said before"
    return _Case(objective, selection, latency, how, waits)
