"""The place of a task among those that wait: by priority, and within one by the order of arrival."""

from collections.abc import Callable

from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan

_ARRIVALS = 1 << 40
"""More than arrive in any run."""


class Places:
    """Numbers for tasks, the lowest of which is dispatched first."""

    def __init__(self, kind_of: Callable[[int], int], priorities: list[int]) -> None:
        self._kind_of = kind_of
        self.before: list[int] = [(max(priorities) - priority) * _ARRIVALS for priority in priorities]
        """By kind: how far its tasks come behind those of the highest priority."""

    @classmethod
    def of(cls, plan: Plan) -> "Places | None":
        """Those of a plan; None where all work is dispatched in the order of arrival."""
        priorities = [each.priority for each in queue_of(plan.scenario).by_kind]
        return cls(plan.kinds.one, priorities) if plan.kinds and len(set(priorities)) > 1 else None

    def of_task(self, number: int, order: int) -> int:
        """The place of the task that is the `order`-th to arrive."""
        return self.before[self._kind_of(number)] + order
