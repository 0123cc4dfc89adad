"""When dispatchers poll: computed, never stepped."""

import math
from dataclasses import dataclass

from simulation.lease import Leases
from simulation.plan import Plan
from simulation.streams import Stream


@dataclass(frozen=True, slots=True)
class Polls:
    """The poll interval in seconds (0: at any time), and at which point of it each dispatcher polls."""

    interval_s: float
    phases_s: tuple[float, ...]
    leases: Leases
    regular: bool
    """Whether the polls are the multiples of the interval: one dispatcher, and a database that always works."""

    @classmethod
    def of(cls, plan: Plan, leases: Leases) -> "Polls":
        """The polls of a plan's dispatchers: the first begins with the run, the others anywhere in the interval."""
        queue = plan.scenario.queue
        others = Stream(plan.seed, "dispatchers").at(0).random(queue.dispatchers - 1) * queue.poll_interval_s
        regular = queue.poll_interval_s > 0 and queue.dispatchers == 1 and not leases.outages
        return cls(queue.poll_interval_s, (0.0, *others.tolist()), leases, regular)

    def first_from(self, t_s: float) -> float:
        """The first poll of any dispatcher at or after `t_s` that finds the database working."""
        if self.regular:
            return math.ceil(t_s / self.interval_s) * self.interval_s
        while True:
            poll_s = t_s
            if self.interval_s:
                poll_s = min(
                    math.ceil((t_s - phase_s) / self.interval_s) * self.interval_s + phase_s
                    for phase_s in self.phases_s
                )
            writable_s = self.leases.writable_from(poll_s)
            if writable_s == poll_s:
                return poll_s
            t_s = writable_s
