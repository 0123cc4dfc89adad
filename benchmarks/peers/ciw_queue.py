"""The queue in Ciw: a node of workers and a node without limit in which tasks wait to be tried again."""

from importlib.metadata import version
from math import inf
from typing import Any

import ciw
from queue_model import (
    BACKOFF_S,
    BLOCKED,
    BUSY_TIMEOUT_S,
    DB_LOCK,
    TRANSIENT,
    Draws,
    Setting,
    Tally,
    main,
    until_poll_s,
)


def run(setting: Setting) -> Tally:
    """Simulate it."""
    draws, tally = Draws(setting), Tally()
    times = draws.arrivals()

    class Arrivals(ciw.dists.Distribution):
        """The time between arrivals."""

        last_s = 0.0

        def sample(self, t: float | None = None, ind: Any = None) -> float:
            due_s = next(times, inf)
            between_s, self.last_s = due_s - self.last_s, due_s
            return between_s

    class Service(ciw.dists.Distribution):
        """An attempt; what it meets is kept with the task."""

        def sample(self, t: float | None = None, ind: Any = None) -> float:
            ind.met = draws.met()
            ind.tried = getattr(ind, "tried", 0) + 1
            tally.attempts += 1
            held_s = BUSY_TIMEOUT_S if TRANSIENT <= ind.met < DB_LOCK else 0.0
            return until_poll_s(t or 0.0) + draws.service_s() + held_s

    class Backoff(ciw.dists.Distribution):
        """The wait before a task is tried again."""

        def sample(self, t: float | None = None, ind: Any = None) -> float:
            tally.retries += 1
            return BACKOFF_S[ind.tried - 1]

    class Fate(ciw.routing.NodeRouting):
        """Out, or to the wait."""

        def next_node(self, ind: Any) -> Any:
            if ind.met < DB_LOCK and ind.tried <= len(BACKOFF_S):
                return self.simulation.nodes[2]
            if ind.met >= BLOCKED:
                tally.done += 1
                tally.latency_s += self.simulation.current_time - ind.arrival_date_first
            return self.simulation.nodes[-1]

    class Task(ciw.Individual):
        """Knows when it came first."""

        def __init__(self, *words: Any, **named: Any) -> None:
            super().__init__(*words, **named)
            tally.tasks += 1

        @property
        def arrival_date_first(self) -> float:
            return self.data_records[0].arrival_date if self.data_records else self.arrival_date

    network = ciw.create_network(
        arrival_distributions=[Arrivals(), None],
        service_distributions=[Service(), Backoff()],
        number_of_servers=[setting.workers, inf],
        routing=ciw.routing.NetworkRouting(routers=[Fate(), ciw.routing.Direct(to=1)]),
    )
    simulation = ciw.Simulation(network, individual_class=Task)
    simulation.simulate_until_max_time(setting.drain_s)
    return tally


if __name__ == "__main__":
    main("Ciw", version("ciw"), run)
