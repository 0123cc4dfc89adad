"""Labels as numbers: every combination of tenant and phase has one, so that a selector is a set of numbers."""

import numpy as np

from soak.schemas.language.expression import Selector
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats, Ints


class LabelNumbers:
    """Numbers for (tenant, phase); the last of each stands for none."""

    def __init__(self, scenario: Scenario) -> None:
        self._tenants = tuple(tenant.name for tenant in scenario.workload.tenants)
        self._phases = scenario.phases
        self.needed = bool(self._tenants or self._phases)

    @property
    def unknown(self) -> int:
        """The number of a task of which neither tenant nor phase is known."""
        return (len(self._tenants) + 1) * (len(self._phases) + 1) - 1

    def of(self, tenant: Ints, due_s: Floats) -> Ints:
        """The numbers of tasks, from their tenant (an index, -1 for none) and the time at which they were due."""
        phase = np.full(len(due_s), len(self._phases))
        for index, each in enumerate(self._phases):
            phase[(due_s >= each.window.start_s) & (due_s < each.window.end_s)] = index
        known = np.where(tenant < 0, len(self._tenants), tenant)
        result: Ints = known * (len(self._phases) + 1) + phase
        return result

    def selected(self, selector: Selector) -> frozenset[int] | None:
        """The numbers that a selector chooses; None when it chooses all."""
        if not selector:
            return None
        wanted = dict(selector)
        tenants = [*self._tenants, None]
        phases = [*(phase.name for phase in self._phases), None]
        return frozenset(
            row * len(phases) + column
            for row, tenant in enumerate(tenants)
            for column, phase in enumerate(phases)
            if wanted.get("tenant", tenant) == tenant and wanted.get("phase", phase) == phase
        )
