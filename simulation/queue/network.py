"""Attempts while the network is slow: what hands out a task, and its result, each arrive later."""

from collections.abc import Callable
from typing import TypeAlias

from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan

Fate: TypeAlias = Callable[[int, int, float], tuple[float, int, float]]

_WAYS = 2
"""A task and its result are late once each."""


def slow_windows(plan: Plan) -> list[tuple[Window, float, int]]:
    """When the network is slow, by how many seconds that makes an attempt longer, and the cause."""
    at = queue_of(plan.scenario).at_services
    return [
        (window, _WAYS * at[fault.name].by_s, plan.cause_of(fault))
        for fault in plan.scenario.faults
        if fault.type == QueueFault.NETWORK_DELAY
        for window in fault.windows
    ]


def delayed(fate: Fate, plan: Plan, row: Callable[[tuple[float, ...]], None]) -> Fate:
    """What attempts meet, the time included by which `network_delay` makes them longer; `fate` itself where there is none."""
    slow = slow_windows(plan)
    if not slow:
        return fate
    seen = set[float]()

    def later(number: int, attempt: int, start_s: float) -> tuple[float, int, float]:
        service_s, cause, within = fate(number, attempt, start_s)
        for window, more_s, slowed in slow:
            if window.start_s <= start_s < window.end_s:
                service_s += more_s
                if window.start_s not in seen:
                    seen.add(window.start_s)
                    row((start_s, Kind.FAULT_SEEN, -1, 0, -1, slowed, 0.0))
        return service_s, cause, within

    return later
