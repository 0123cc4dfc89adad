"""The steps in which a run is shown: minutes, as in metrics.csv; less for a short run, more for a very long one."""

import math

import numpy as np
from msgspec import Struct

from soak.runner.evidence.metrics import MINUTE_S, WINDOW_MINUTES
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats, Ints

_STEPS_S = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, MINUTE_S, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0)
_LEAST, _MOST = 60, 5000
"""Steps of a run: fewer of shorter ones would show little, and more of longer ones would not be seen."""

WINDOW = WINDOW_MINUTES
"""Steps in a rolling window."""


class Grid(Struct, frozen=True):
    """Steps of `step_s` seconds; what happens at the end of a step belongs to it."""

    step_s: float

    @property
    def window_s(self) -> float:
        """The length of a rolling window."""
        return WINDOW * self.step_s

    def of(self, t_s: Floats) -> Ints:
        """The step, from 0, that times belong to."""
        return np.maximum(np.ceil(t_s / self.step_s).astype(np.int64) - 1, 0)

    def number(self, t_s: float) -> int:
        """The step that a time belongs to."""
        return max(math.ceil(t_s / self.step_s) - 1, 0)

    def ended(self, until_s: float) -> int:
        """How many steps a run has that ended then: the last may be cut short."""
        return math.ceil(until_s / self.step_s)


def grid_of(scenario: Scenario) -> Grid:
    """The steps for a run of this scenario."""
    length_s = scenario.duration_s
    fine = [step_s for step_s in _STEPS_S if step_s <= MINUTE_S and length_s / step_s >= _LEAST]
    coarse = [step_s for step_s in _STEPS_S if step_s >= MINUTE_S and length_s / step_s <= _MOST]
    if fine and fine[-1] < MINUTE_S:
        return Grid(fine[-1])
    return Grid(_STEPS_S[0] if not fine else coarse[0] if coarse else _STEPS_S[-1])
