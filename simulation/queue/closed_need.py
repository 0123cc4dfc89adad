"""What a task of a closed workload needs of a queue."""

from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.closed import Need
from soak.simulation.queue.demand import Demand
from soak.simulation.queue.kind_demand import demand_of


def need_of(scenario: Scenario) -> Need:
    """What a task needs while the faults without windows hold.

    With several queues the first of them whose workers are all busy limits the rest: the time that a task takes of all workers
    is then what that queue allows.
    """
    queue = queue_of(scenario)
    always = tuple(fault for fault in scenario.faults if fault.rate and not fault.by_time and not fault.windows)
    demand = demand_of(scenario).of(always)
    # A task that finds a worker free waits for the next of the polls, which are spread over the interval.
    poll_s = demand.attempts * queue.poll_interval_s / (queue.dispatchers + 1)
    most, by_rule = queue.fleet.most(queue.workers), queue.fleet.scaling is not None
    taken_s = [
        _taken_s(demand),
        *(most * _taken_s(demand_of(scenario, q.kinds).of(always)) / q.workers for q in queue.queues),
    ]

    def workers_at(t_s: float) -> float:
        return most if by_rule else queue.fleet.planned(queue.workers, t_s)

    least_s = demand.held_s + demand.apart_s
    return Need(least_s, demand.held_s, max(taken_s), poll_s, most, demand.attempts, workers_at, bool(queue.queues))


def _taken_s(demand: Demand) -> float:
    """How long a task keeps a worker where work is always waiting."""
    return demand.held_s + demand.idle_s
