"""Health probes: of each process one is due at every multiple of the interval, and one that is missing is not green.

A probe belongs to the due time that is nearest to it; of several the nearest counts. Without any probe nothing is known, and none
is due; once one of any process was seen, each was due from the first multiple on, also those that were missing before it. Where
telemetry was lost on purpose, a missing probe says nothing.
"""

from dataclasses import dataclass

import numpy as np

from soak.runner.judge.pipeline.parts import Gathered, Parts, note_one
from soak.runner.judge.samples import Facts
from soak.runner.judge.violations import Told
from soak.schemas.language.faults import TELEMETRY_LOSS
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import TICKS_PER_S, Block, tick
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.pipeline.settings import Health, pipeline_of
from soak.schemas.units import show_duration

_PROBES = (Kind.PROBE_GREEN, Kind.PROBE_FAILED)
_FOLLOWED = kind_flags(*_PROBES, Kind.SHUTDOWN_STARTED, Kind.RUN_RESUMED)


@dataclass(slots=True)
class _Due:
    """The probe of a process that is nearest to the next due time: apart_s from it, None for none yet. last_s: the last probe."""

    apart_s: float | None = None
    green: bool = False
    cause: int = 0
    last_s: float = 0.0
    probed: int = 0
    good: int = 0


class Probes:
    """Follows the probes of all processes."""

    def __init__(self, scenario: Scenario, parts: Parts, vocabulary: Vocabulary) -> None:
        pipeline = pipeline_of(scenario)
        self._health: Health = pipeline.supervisor.health
        self._parts, self._vocabulary = parts, vocabulary
        losses = [fault for fault in scenario.faults if fault.type == TELEMETRY_LOSS]
        self._losses = tuple(window for fault in losses for window in fault.windows)
        self.of = [_Due() for _ in pipeline.processes]
        """By process; `probed` counts those that were due, `good` the green ones among them."""
        self._next = 1
        """The number of the next due time."""
        self._seen_s: float | None = None
        """When the first probe of all was seen."""
        self._over_s: float | None = None
        """When the shutdown began: nothing is due from then on."""

    def observe(self, block: Block, facts: Facts) -> None:
        """Take in a block: add probes that were due and the gaps between probes."""
        probes, gaps = Gathered(), Gathered()
        for place in np.flatnonzero(_FOLLOWED[block.kind]).tolist():
            t_s, kind = float(block.t[place]), int(block.kind[place])
            if kind in _PROBES and self._seen_s is None:
                self._seen_s = t_s
            self._settle(tick(t_s - 1 / TICKS_PER_S), probes, facts)
            if kind == Kind.SHUTDOWN_STARTED and self._over_s is None:
                self._finish(t_s, probes, gaps, facts)
                self._over_s = t_s
            elif kind == Kind.RUN_RESUMED:
                self._resume(t_s)
            elif self._over_s is None and kind in _PROBES:
                self._take(block, place, gaps)
        self._settle(facts.settled_s, probes, facts)
        if facts.ended and self._over_s is None:
            self._finish(facts.until_s, probes, gaps, facts)
            self._over_s = facts.until_s
        facts.series["probes"], facts.series["probe_gap"] = probes.samples(), gaps.samples()

    def _resume(self, t_s: float) -> None:
        """What the supervisor did while the runner was down is not known."""
        self._over_s = None
        self._next = int(t_s // self._health.every_s) + 1
        for due in self.of:
            due.apart_s, due.last_s = None, t_s

    def _take(self, block: Block, place: int, gaps: Gathered) -> None:
        number, t_s = int(block.worker[place]), float(block.t[place])
        if not 0 <= number < len(self.of):
            return
        due = self.of[number]
        if t_s > due.last_s:
            if not self._lost(due.last_s, t_s):
                gaps.add(t_s, tick(t_s - due.last_s), self._parts.of_process(number, t_s))
            due.last_s = t_s
        apart_s = abs(t_s - self._due_s)
        # What is nearer to an earlier due time is not of this one.
        if apart_s <= self._health.every_s / 2 and (due.apart_s is None or apart_s < due.apart_s):
            due.apart_s, due.green, due.cause = apart_s, block.kind[place] == Kind.PROBE_GREEN, int(block.cause[place])

    @property
    def _due_s(self) -> float:
        return tick(self._next * self._health.every_s)

    def _settle(self, until_s: float, probes: Gathered, facts: Facts) -> None:
        """Close all due times to which no probe belongs that comes after `until_s`."""
        if self._seen_s is None or self._over_s is not None:
            return
        while (end_s := tick(self._due_s + self._health.every_s / 2)) <= until_s:
            self._close(max(end_s, self._seen_s), probes, facts, least=True)

    def _finish(self, t_s: float, probes: Gathered, gaps: Gathered, facts: Facts) -> None:
        """Nothing is due any more: what was due shortly before is missing only where it had time to come."""
        if self._seen_s is None:
            return
        if self._due_s <= t_s:
            self._close(t_s, probes, facts, least=self._due_s + self._health.timeout_s < t_s)
        for number, due in enumerate(self.of):
            if t_s > due.last_s and not self._lost(due.last_s, t_s):
                gaps.add(t_s, tick(t_s - due.last_s), self._parts.of_process(number, t_s))

    def _close(self, t_s: float, probes: Gathered, facts: Facts, *, least: bool) -> None:
        """A due time is over. least: whether a probe that is missing counts."""
        due_s = self._due_s
        blind = self._lost(due_s - self._health.every_s / 2, t_s)
        for number, due in enumerate(self.of):
            if due.apart_s is not None or (least and not blind):
                label = self._parts.of_process(number, due_s)
                green = due.apart_s is not None and due.green
                probes.add(t_s, float(green), label)
                due.probed, due.good = due.probed + 1, due.good + green
                if not green:
                    self._note(facts, t_s, number, label, due)
            due.apart_s = None
        self._next += 1

    def _lost(self, start_s: float, end_s: float) -> bool:
        return any(window.start_s < end_s and start_s < window.end_s for window in self._losses)

    def _note(self, facts: Facts, t_s: float, number: int, label: int, due: _Due) -> None:
        cause = self._vocabulary.causes[due.cause] if due.apart_s is not None else None
        word = "no probe when one was due" if cause is None else cause.error or cause.fault or "not healthy"
        name, due_s = self._parts.names[number], self._due_s
        fault = f", fault {cause.fault}" if cause and cause.fault else ""
        told = Told(detail=f"due at {show_duration(due_s)}{fault}", part=name)
        note_one(facts, "probes", t_s, label, word, told)
