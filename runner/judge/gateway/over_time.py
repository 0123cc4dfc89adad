"""Tenants over time, in some dozens of windows of a run: what was due, what ended how, and the 95th percentile of the latency."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from soak.runner.judge.course import Course
from soak.runner.judge.gateway.ended import Ended
from soak.runner.judge.samples import Samples
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Better, Sli
from soak.schemas.stream.block import Floats, Ints
from soak.schemas.systems.gateway.documents import OverTime

_MOST = 60
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_P95 = Sli("p95", "", Unit.DURATION, Aggregate.QUANTILE, "latency", Better.LOWER, 0.95)


class TenantsOverTime:
    """Follows requests by tenant and window."""

    def __init__(self, scenario: Scenario, tenants: int) -> None:
        length_s = scenario.duration_s
        self.window_s = float(
            next((step for step in _STEPS_S if length_s / step <= _MOST), math.ceil(length_s / _MOST))
        )
        # Of a long drain the last window holds the rest.
        self._size = min(math.ceil(scenario.horizon_s / self.window_s) + 1, 2 * _MOST)
        self._due, self._done, self._failed = (np.zeros((tenants, self._size), dtype=np.int64) for _ in range(3))
        self._courses = [Course(ranked=True) for _ in range(tenants)]

    def observe(self, ended: Ended, tenant: Ints, due_s: Floats, due_tenant: Ints) -> None:
        """Take in requests that ended, and others that were due, each with the number of its tenant."""
        np.add.at(self._due, (due_tenant, self._window(due_s)), 1)
        np.add.at(self._done, (tenant[ended.done], self._window(ended.t[ended.done])), 1)
        np.add.at(self._failed, (tenant[~ended.done], self._window(ended.t[~ended.done])), 1)
        for each, course in enumerate(self._courses):
            mine = ended.take(tenant == each)
            course.observe(Samples(mine.t, mine.latency_s))

    def _window(self, t_s: Floats) -> Ints:
        number: Ints = np.minimum(t_s // self.window_s, self._size - 1).astype(np.int64)
        return number

    def told(self, names: Sequence[str], until_s: float) -> Iterator[OverTime]:
        """As latency.json has it, up to `until_s`."""
        count = min(self._size, max(1, math.ceil(until_s / self.window_s)))
        edges_s = self.window_s * np.arange(count + 1, dtype=np.float64)
        for number, name in enumerate(names):
            course = self._courses[number]
            p95_s = course.windows(_P95, edges_s).value.tolist() if len(course) else [math.nan] * count
            due, done, failed = (each[number, :count].tolist() for each in (self._due, self._done, self._failed))
            yield OverTime(
                name,
                due,
                done,
                failed,
                [value if math.isfinite(value) else None for value in p95_s],
            )
