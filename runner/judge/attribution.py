"""What each fault did and what it cost: when it was injected, detected, alerted and recovered from, window by window."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec import Struct

from soak.runner.judge.attribution_alerts import Answer, Answers
from soak.runner.judge.attribution_breach import Breaches, Lateness
from soak.runner.judge.attribution_recovery import FollowedWindow, Recoveries
from soak.runner.judge.attribution_windows import COSTS, WindowMarks
from soak.runner.judge.faults import FaultCounts
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.room import Recovered
from soak.runner.judge.samples import Facts
from soak.schemas.evidence.attribution import Cost, FaultAttribution, Occasion, Spread
from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools, Floats
from soak.schemas.stream.events import SPECS, Kind
from soak.schemas.stream.vocabulary import Vocabulary

if TYPE_CHECKING:
    from soak.runner.judge.judge import Judge

MOST_OCCASIONS = 100
"""The number of windows of a fault that are listed; delays are over all."""


class Attribution:
    """Follows the windows of faults; of a scenario that has none it follows nothing."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, labels: LabelNumbers, faults: FaultCounts) -> None:
        self.windows = faults.windows.of
        self.recoveries = Recoveries(scenario.faults, vocabulary)
        self.breaches = Breaches(scenario, labels)
        self.courses = [course for name in self.windows for course in self.recoveries.of[name]]
        """The windows of all faults, fault by fault."""
        self._start_s = np.array([course.start_s for course in self.courses])
        self.lateness = Lateness(scenario, labels, len(self.courses))

    def observe(self, block: Block, facts: Facts, recovered: Iterable[Recovered]) -> None:
        """Process a block, after the counts of faults have. recovered: what the system's tracker tells of it."""
        if not self.courses:
            return
        self.recoveries.observe(block)
        for each in recovered:
            self.recoveries.told(each)
        self.breaches.observe(facts)
        ended_s = [math.inf if each.recovered_s is None else each.recovered_s for each in self.courses]
        self.lateness.observe(facts, self._start_s, np.array(ended_s))


def attribute(judge: "Judge") -> list[FaultAttribution]:
    """What each fault of a run did and what it cost, so far; in the order of the scenario."""
    return list(_Account(judge).results())


class _Span(Struct, frozen=True):
    """A window of a fault from its start to the recovery, or the end of the run."""

    place: int
    """Among the windows of all faults."""
    number: int
    course: FollowedWindow
    start_s: float
    end_s: float
    recovered_s: float | None
    why_not: str
    answer: Answer | None


class _Account:
    """Puts together what the folds of a judge know of its faults at the end."""

    def __init__(self, judge: "Judge") -> None:
        self._judge, self._fold, self._until_s = judge, judge.attribution, judge.until_s
        self._answers = Answers(judge.alerts)
        self._beside: Counter[tuple[str, int, str]] = Counter()
        """What no event with its cause says: by fault, window and what it is."""
        for each in judge.lifecycle.tracker.consequences(judge.lifecycle):
            own = self._fold.windows.get(each.fault)
            number = int(own.place_of(np.array([each.met_s]))[0]) if own else 0
            self._beside[each.fault, number, each.what] += each.count
        place, self._spans = 0, dict[str, list[_Span]]()
        for name, own in self._fold.windows.items():
            begun = range(own.begun(self._until_s))
            self._spans[name] = [self._span(own, number, place + number) for number in begun]
            place += len(own.start_s)
        self._broken = self._fold.breaches.broken(self._until_s)
        self._all = [span for spans in self._spans.values() for span in spans if span.course.injected]
        self._starts_s = np.array([span.start_s for span in self._all])
        self._ends_s = np.array([span.end_s for span in self._all])

    def _span(self, own: WindowMarks, number: int, place: int) -> _Span:
        course = self._fold.courses[place]
        if own.fault.type == TELEMETRY_LOSS:
            back_s = _time(own.ended_s[number])
            why = "telemetry was not back" if back_s is None else ""
        else:
            back_s, why = self._fold.recoveries.result(course)
            if not course.injected and math.isfinite(own.injected_s[number]):
                why = "it struck after its window was over"
            elif back_s is None:
                why = self._judge.lifecycle.tracker.not_recovered(own.fault.name, course.start_s) or why
        start_s, end_s = course.start_s, self._until_s if back_s is None else back_s
        next_s = float(own.start_s[number + 1]) if number + 1 < len(own.start_s) else math.inf
        answer = self._answers.to(own.fault.name, start_s, end_s, next_s) if course.injected else None
        return _Span(place, number, course, start_s, end_s, back_s, why, answer)

    def results(self) -> Iterator[FaultAttribution]:
        """Of every fault of the scenario."""
        counts = self._judge.faults
        for fault in self._judge.scenario.faults:
            cost = {name: counts.count(fault.name, (kind,)) for name, kind in COSTS.items()}
            for (name, _, what), count in self._beside.items():
                cost[what] = cost.get(what, 0) + count if name == fault.name else cost.get(what, 0)
            whole = FaultAttribution(
                fault=fault.name,
                type=fault.type,
                injected=counts.injected(fault),
                seen=counts.count(fault.name, fault.spec.seen_by),
                cost=Cost(**cost),
            )
            yield self._with_windows(whole, fault, self._fold.windows[fault.name]) if fault.windows else whole

    def _with_windows(self, whole: FaultAttribution, fault: Fault, own: WindowMarks) -> FaultAttribution:
        spans = self._spans[fault.name]
        injected = [span for span in spans if span.course.injected]
        since_s = {span.number: float(own.injected_s[span.number]) for span in injected}
        alerted = [(since_s[span.number], span.answer.fired_s) for span in injected if span.answer]
        ended = [(self._cleared(own, span), span.recovered_s) for span in injected]
        return msgspec.structs.replace(
            whole,
            alerts=len(self._judge.alerts),
            windows=len(spans),
            occasions=[self._occasion(own, span) for span in spans[:MOST_OCCASIONS]],
            detected=_spread([(since, float(own.detected_s[number])) for number, since in since_s.items()]),
            alerted=_spread(alerted),
            recovered=_spread([(a, b) for a, b in ended if a is not None and b is not None]),
            bin_s=self._fold.breaches.width_s if self._fold.breaches.any else None,
            breach_otherwise=self._breach_otherwise(),
        )

    def _occasion(self, own: WindowMarks, span: _Span) -> Occasion:
        number, course, answer, late = span.number, span.course, span.answer, self._fold.lateness
        known = course.injected and not course.blind
        cost = {name: int(counts[number]) for name, counts in own.costs.items()}
        cost |= {
            what: n for (name, place, what), n in self._beside.items() if (name, place) == (own.fault.name, number)
        }
        in_bins = known and self._fold.breaches.any
        detected_s = _time(own.detected_s[number])
        return Occasion(
            start_s=span.start_s,
            injected_s=_time(own.injected_s[number]),
            cleared_s=self._cleared(own, span),
            detected_s=detected_s,
            detected_by="" if detected_s is None else SPECS[Kind(int(own.detected_by[number]))].type,
            alert=answer.name if answer else "",
            alerted_s=answer.fired_s if answer else None,
            resolved_s=answer.resolved_s if answer else None,
            recovered_s=span.recovered_s if course.injected else None,
            not_recovered=span.why_not,
            open_before=course.level if known else None,
            still_open=len(self._fold.recoveries.open) if known and span.recovered_s is None else None,
            cost=Cost(**cost),
            ended=int(late.ended[span.place]) if known else None,
            late=int(late.late[span.place]) if known and late.limited else None,
            breach_s=_overlap(self._broken, self._fold.breaches.width_s, span) if in_bins else None,
            shared_with=list(dict.fromkeys(self._overlapping(span))) if course.injected else [],
        )

    def _cleared(self, own: WindowMarks, span: _Span) -> float | None:
        """When the fault ended; one by rate ends with its window, if not before."""
        if not span.course.injected:
            return None
        planned_s = float(own.end_s[span.number])
        over = not own.fault.by_time and planned_s <= self._until_s
        return _time(min(float(own.ended_s[span.number]), planned_s if over else math.inf))

    def _overlapping(self, span: _Span) -> Iterator[str]:
        """Names of faults that had a window, or had not been recovered from, at the same time."""
        for n in np.flatnonzero((self._starts_s < span.end_s) & (span.start_s < self._ends_s)).tolist():
            if self._all[n].place != span.place:
                yield self._all[n].course.fault.name

    def _breach_otherwise(self) -> float | None:
        """The share of the bins outside all windows and recoveries that are in breach."""
        width_s, free = self._fold.breaches.width_s, np.ones(len(self._broken), dtype=np.bool_)
        for span in self._all:
            free[int(span.start_s // width_s) : int(span.end_s // width_s) + 1] = False
        known = self._fold.breaches.any and free.any()
        return round(float(self._broken[free].mean()), 6) if known else None


def _time(t_s: float) -> float | None:
    return float(t_s) if math.isfinite(t_s) else None


def _spread(delays: list[tuple[float, float]]) -> Spread | None:
    """Of pairs of times, the latter infinite where it is not known."""
    known = [max(0.0, end_s - start_s) for start_s, end_s in delays if math.isfinite(end_s)]
    return Spread(len(known), round(float(np.median(known)), 6), round(max(known), 6)) if known else None


def _overlap(broken: Bools, width_s: float, span: _Span) -> float:
    """How much of a span lies in bins in breach, in seconds."""
    edges: Floats = np.arange(len(broken) + 1, dtype=np.float64) * width_s
    inside = np.minimum(edges[1:], span.end_s) - np.maximum(edges[:-1], span.start_s)
    return round(float(np.maximum(inside, 0.0)[broken].sum()), 6)
