"""What a run must leave behind to be explained, and what the supervisor reports, held against what is seen."""

import math
from collections.abc import Iterator

import numpy as np

from soak.runner.judge.pipeline.ends import Ends
from soak.runner.judge.pipeline.parts import Parts
from soak.runner.judge.pipeline.probes import Probes
from soak.runner.judge.room import Law
from soak.runner.judge.samples import Facts
from soak.runner.judge.violations import Told, law, note
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.units import show_size

_LOGS = "nothing that a process has written to its log is gone"
_RESOURCES = "the memory that the supervisor reports of every process is what is measured from outside"
_EXPORTS = "every export that the supervisor reports has arrived"
_HEALTH = "no process that the supervisor reports as healthy was down, or failed its probes, at that time"
_COUNTED = (Kind.EXPORT_MADE, Kind.REPORTED_EXPORTS, Kind.PROBE_DISPUTED)
_FOLLOWED = kind_flags(Kind.REPORTED_PROCESS_RSS, Kind.LOG_LOST, Kind.SAMPLE_LOG_SIZE, *_COUNTED)

APART = 2.0
"""Largest samples of one process that were taken at other times may differ by this factor."""

_PROBED = 2
"""A process that was healthy in that many probes was there long enough to be measured."""


class Reported:
    """Follows logs, and the supervisor's word of the resources of its processes."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._rss: dict[int, float] = {}
        self._sizes: dict[int, float] = {}
        self._lost: dict[int, float] = {}
        self._arrived = 0
        self._exported: int | None = None
        self._disputed: dict[int, int] = {}

    def observe(self, block: Block, facts: Facts) -> None:
        """Take in a block."""
        for place in np.flatnonzero(_FOLLOWED[block.kind]).tolist():
            number, value = int(block.worker[place]), float(block.value[place])
            match block.kind[place]:
                case Kind.REPORTED_PROCESS_RSS:
                    self._rss[number] = value
                case Kind.SAMPLE_LOG_SIZE:
                    self._sizes[number] = value
                case Kind.EXPORT_MADE:
                    self._arrived += 1
                case Kind.REPORTED_EXPORTS:
                    self._exported = int(value)
                case Kind.PROBE_DISPUTED:
                    self._disputed[number] = self._disputed.get(number, 0) + 1
                case Kind.LOG_LOST:
                    self._lost[number] = self._lost.get(number, 0.0) + value
                    self._note(facts, block, place)

    def _note(self, facts: Facts, block: Block, place: int) -> None:
        size, name = show_size(float(block.value[place])), self._parts.name(int(block.worker[place]))
        told = Told(detail=size, part=name)
        note(facts, law("logs"), block, np.array([place]), cause="gone", told=lambda position: told)

    def laws(self, ends: Ends, probes: Probes) -> Iterator[Law]:
        """Logs and resources, where they are followed and reported."""
        if self._sizes or self._lost:
            names = [f"{self._parts.name(each)}: {show_size(size)}" for each, size in sorted(self._lost.items())]
            yield Law("logs", _LOGS, float(len(names)), "; ".join(names))
        if self._exported is not None:
            missing = max(0, self._exported - self._arrived)
            detail = f"{self._exported} reported, {self._arrived} arrived" if missing else ""
            yield Law("exports", _EXPORTS, float(missing), detail)
        if self._disputed:
            names = [f"{self._parts.name(each)}: {count} probes" for each, count in sorted(self._disputed.items())]
            yield Law("health", _HEALTH, float(sum(self._disputed.values())), "; ".join(names))
        if self._rss:
            wrong = list(self._differing(ends, probes))
            yield Law("resources", _RESOURCES, float(len(wrong)), "; ".join(wrong))

    def _differing(self, ends: Ends, probes: Probes) -> Iterator[str]:
        for number, (measured, probe) in enumerate(zip(ends.most["process_rss"], probes.of, strict=True)):
            reported = self._rss.get(number)
            if reported is None or math.isnan(measured) or probe.good < _PROBED:
                continue
            name = self._parts.name(number)
            if reported == 0:
                yield f"{name}: {show_size(measured)} measured, nothing reported"
            elif not measured / APART <= reported <= measured * APART:
                yield f"{name}: {show_size(measured)} measured, {show_size(reported)} reported"
