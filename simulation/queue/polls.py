"""When dispatchers poll: computed, never stepped."""

import math

from msgspec import Struct

from soak.schemas.language.windows import Window
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan
from soak.simulation.queue.lease import Leases, first_outside, windows_of
from soak.simulation.streams import Stream


class Polls(Struct, frozen=True):
    """The poll interval in seconds (0: at any time), and at which point of it each dispatcher polls."""

    interval_s: float
    phases_s: tuple[float, ...]
    leases: Leases
    gone: tuple[Window, ...]
    """When the first dispatcher is gone."""

    regular: bool
    """Whether the polls are the multiples of the interval: one dispatcher, always there, and a database that always works."""

    @classmethod
    def of(cls, plan: Plan, leases: Leases) -> "Polls":
        """The polls of a plan's dispatchers: the first begins with the run, the others anywhere in the interval."""
        queue, gone = queue_of(plan.scenario), windows_of(plan.scenario, QueueFault.DISPATCHER_CRASH)
        others = Stream(plan.seed, "dispatchers").at(0).random(queue.dispatchers - 1) * queue.poll_interval_s
        regular = queue.poll_interval_s > 0 and queue.dispatchers == 1 and not leases.outages and not gone
        return cls(queue.poll_interval_s, (0.0, *others.tolist()), leases, gone, regular)

    def first_from(self, t_s: float) -> float:
        """The first poll of any dispatcher at or after `t_s` that finds the database working."""
        if self.regular:
            return _multiple_from(t_s, self.interval_s)
        while True:
            poll_s = min(self._first_of(place, t_s) for place in range(len(self.phases_s)))
            writable_s = self.leases.writable_from(poll_s)
            if writable_s == poll_s:
                return poll_s
            t_s = writable_s

    def _first_of(self, place: int, t_s: float) -> float:
        """The first poll of one dispatcher at or after `t_s`."""
        poll_s = self._tick(self.phases_s[place], t_s)
        back_s = first_outside(self.gone, poll_s) if place == 0 else poll_s
        return poll_s if back_s == poll_s else self._tick(self.phases_s[place], back_s)

    def _tick(self, phase_s: float, t_s: float) -> float:
        return max(t_s, _multiple_from(t_s - phase_s, self.interval_s) + phase_s) if self.interval_s else t_s


def _multiple_from(t_s: float, interval_s: float) -> float:
    """The first multiple of the interval at or after `t_s`; rounding must not put it before, or time would stand still."""
    return max(t_s, math.ceil(t_s / interval_s) * interval_s)
