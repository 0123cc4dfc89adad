"""How loaded the system was in a part of the run: from the samples of the levels that its room names."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from soak.runner.judge.folds import Folds
from soak.runner.judge.room import room_of
from soak.schemas.evidence.explanation import BusyLevel
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Sli, gauge


def _level(series: str) -> Sli:
    return gauge(series, Unit.COUNT, "a level, as sampled")


def record_load(folds: Folds, scenario: Scenario) -> None:
    """Have the levels recorded; before anything is observed."""
    for busy in room_of(scenario.system).busy(scenario):
        folds.record(_level(busy.series), None)


def load_between(folds: Folds, scenario: Scenario, start_s: float, end_s: float) -> Iterator[BusyLevel]:
    """The levels between two times; none for those that were not sampled then."""
    edges_s = np.array([start_s, end_s])
    for busy in room_of(scenario.system).busy(scenario):
        level, course = _level(busy.series), folds.course(_level(busy.series))
        if course is None or not len(course):
            continue
        mean = course.windows(replace(level, aggregate=Aggregate.MEAN), edges_s)
        if mean.samples[0]:
            most = course.windows(level, edges_s)
            yield BusyLevel(busy.what, float(mean.value[0]), float(most.value[0]), busy.limit)
