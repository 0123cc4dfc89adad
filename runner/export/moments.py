"""What happened in a run, for those who are told of it: the run itself, its scheduled faults, its alerts, what aborted it."""

import math
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from itertools import islice

from msgspec import Struct, field
from msgspec.structs import replace

from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Verdict

MOST_WINDOWS = 1_000
"""Of a fault that recurs more often than this in a run, the first windows are told."""


class Subject(StrEnum):
    """What a moment is about."""

    RUN = "run"
    FAULT = "fault"
    ALERT = "alert"
    ABORT = "abort"


class Span(Struct, frozen=True):
    """Something that lasted from `start_s` to `end_s` of scenario time; None: it has not ended. `key`: unique in the run.

    facts: what is known of it from its beginning on. outcome: what is known once it is over.
    """

    subject: Subject
    name: str
    key: str
    start_s: float
    end_s: float | None
    facts: Mapping[str, str] = field(default_factory=dict)
    outcome: Mapping[str, str] = field(default_factory=dict)


class Moment(Struct, frozen=True):
    """That something began, or (`ended`) that it is over. Unix times, in seconds."""

    span: Span
    start_s: float
    end_s: float | None

    @property
    def facts(self) -> dict[str, str]:
        """What is known of it by then."""
        return {**self.span.facts, **(self.span.outcome if self.ended else {})}

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.end_s is not None

    @property
    def time_s(self) -> float:
        """When it happened."""
        return self.start_s if self.end_s is None else self.end_s


def spans_of(judge: Judge, verdict: Verdict | None = None) -> Iterator[Span]:
    """What has happened so far, or, with its verdict, in a run that has ended."""
    yield _of_the_run(judge, verdict)
    yield from _of_faults(judge, verdict)
    for alert, guard in judge.alerts:
        facts = {"severity": alert.severity.value}
        for firing in guard.timer.firings:
            value = {} if math.isnan(firing.value) else {"value": f"{firing.value:g}"}
            key = f"alert/{alert.condition.name}/{firing.fired_s:.6f}"
            end_s = firing.resolved_s if firing.resolved_s is not None or not verdict else judge.until_s
            yield Span(Subject.ALERT, alert.condition.name, key, firing.fired_s, end_s, facts | value)
    if judge.aborted_by and judge.aborted_by.held_at_s is not None:
        name, at_s = judge.aborted_by.condition.name, judge.aborted_by.held_at_s
        yield Span(Subject.ABORT, name, f"abort/{name}", at_s, at_s)


def _of_the_run(judge: Judge, verdict: Verdict | None) -> Span:
    if verdict is None:
        return Span(Subject.RUN, judge.scenario.name, "run", 0.0, None)
    outcome = {"verdict": verdict.verdict.value, "headline": verdict.headline, "end": verdict.end.value}
    if verdict.reasons:
        outcome["reasons"] = "\n".join(verdict.reasons)
    return Span(Subject.RUN, judge.scenario.name, "run", 0.0, verdict.ended_s, outcome=outcome)


def _of_faults(judge: Judge, verdict: Verdict | None) -> Iterator[Span]:
    now_s = judge.until_s
    for fault in judge.scenario.faults:
        facts = {"type": fault.type, **({"dependency": fault.dependency} if fault.dependency else {})}
        for number, window in enumerate(islice(fault.windows, MOST_WINDOWS)):
            if window.start_s > now_s or (verdict and window.start_s >= now_s):
                break
            end_s = window.end_s if window.end_s <= now_s else now_s if verdict else None
            yield Span(Subject.FAULT, fault.name, f"fault/{fault.name}/{number}", window.start_s, end_s, facts)


class MomentsSoFar:
    """What was told of a run already; `at`: from scenario time to Unix time."""

    def __init__(self) -> None:
        self._begun: set[str] = set()
        self._over: set[str] = set()

    def begin(self, scenario: str, time_s: float) -> Moment:
        """That a run of this scenario begins now."""
        span = Span(Subject.RUN, scenario, "run", 0.0, None)
        self._begun.add(span.key)
        return Moment(span, time_s, None)

    def without_verdict(self, first: Moment, time_s: float) -> Moment:
        """That the run that began with `first` ends now, without a verdict."""
        span = replace(first.span, end_s=0.0, outcome={"headline": "ended without a verdict"})
        return Moment(span, first.start_s, time_s)

    def news(self, judge: Judge, at: Callable[[float], float], verdict: Verdict | None = None) -> list[Moment]:
        """What has not been told yet, in order of time."""
        found: list[Moment] = []
        for span in spans_of(judge, verdict):
            if span.key not in self._begun:
                self._begun.add(span.key)
                found.append(Moment(span, at(span.start_s), None))
            if span.end_s is not None and span.key not in self._over:
                self._over.add(span.key)
                found.append(Moment(span, at(span.start_s), at(span.end_s)))
        return in_order(found)


def in_order(moments: list[Moment]) -> list[Moment]:
    """By time; of one time, what began first, and the end of the run last."""
    return sorted(moments, key=lambda each: (each.time_s, each.ended, each.ended and each.span.subject is Subject.RUN))


def moments_of(judge: Judge, verdict: Verdict, at: Callable[[float], float]) -> list[Moment]:
    """All that happened in a run that has ended: each beginning and each end."""
    return MomentsSoFar().news(judge, at, verdict)


def whole_moments_of(judge: Judge, verdict: Verdict, at: Callable[[float], float]) -> list[Moment]:
    """The same, each thing once."""
    found = [
        Moment(each, at(each.start_s), at(each.end_s)) for each in spans_of(judge, verdict) if each.end_s is not None
    ]
    return sorted(found, key=lambda each: each.start_s)
