"""How loaded the system was in a part of the run: from the samples of the levels that its room names."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from soak.runner.judge.course import Course
from soak.runner.judge.room import Busy, room_of
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.evidence.explanation import BusyLevel
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Better, Sli

_AT_ONCE = 4096
"""Samples are recorded that many at a time: a block has few of them."""


@dataclass(slots=True)
class _Level:
    """The course of a level, and samples that are still to be recorded."""

    busy: Busy
    course: Course = field(default_factory=lambda: Course(ranked=False))
    waiting: list[Samples] = field(default_factory=list)
    count: int = 0

    def add(self, samples: Samples) -> None:
        if not len(samples):
            return
        self.waiting.append(samples)
        self.count += len(samples)
        if self.count >= _AT_ONCE:
            self.record()

    def record(self) -> None:
        """Record the samples that wait."""
        if self.waiting:
            t_s, value = (np.concatenate([getattr(each, name) for each in self.waiting]) for name in ("t", "value"))
            self.course.observe(Samples(t_s, value))
            self.waiting, self.count = [], 0


class LoadRecord:
    """Records the levels that show how loaded a system is."""

    def __init__(self, scenario: Scenario) -> None:
        self._levels = [_Level(busy) for busy in room_of(scenario.system).busy(scenario)]

    def observe(self, facts: Facts) -> None:
        """Process the facts of a block."""
        for level in self._levels:
            level.add(facts.get(level.busy.series))

    def between(self, start_s: float, end_s: float) -> Iterator[BusyLevel]:
        """The levels between two times; none of those that were not sampled then."""
        edges_s = np.array([start_s, end_s])
        for level in self._levels:
            level.record()
            if len(level.course):
                mean = level.course.windows(_sli(level.busy, Aggregate.MEAN), edges_s)
                if mean.samples[0]:
                    most = level.course.windows(_sli(level.busy, Aggregate.GAUGE), edges_s)
                    yield BusyLevel(
                        level.busy.what,
                        float(mean.value[0]),
                        float(most.value[0]),
                        None if level.busy.limit is None else float(level.busy.limit),
                    )


def _sli(busy: Busy, aggregate: Aggregate) -> Sli:
    return Sli(busy.series, busy.what, Unit.COUNT, aggregate, busy.series, Better.LOWER)
