"""The expected load of a queue by kinds of work, and on queues with workers of their own."""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.queue.demand import Demand, Demanded, TaskDemand
from soak.simulation.segments import Segment
from soak.simulation.shares import expected_shares


class KindFigures(Struct, frozen=True):
    """A kind of work: its share of the arrivals, the mean service time, attempts of a task, workers that it holds on average."""

    name: str
    share: float
    service_mean_s: float
    attempts_per_task: float
    mean_load: float
    priority: int
    queue: str


class QueueFigures(Struct, frozen=True):
    """A queue with workers of its own, and how many of them are held on average."""

    name: str
    workers: int
    kinds: tuple[str, ...]
    mean_load: float
    rate_limit_per_s: float | None
    prefetch: int


class KindsDemand:
    """The demand of a task of any kind, on the workers of those kinds that are looked at.

    Kinds have their shares in what the rate brings; of what arrives at set times the kind may be known.
    """

    def __init__(self, scenario: Scenario, kinds: Sequence[int]) -> None:
        all_kinds = scenario.workload.kinds
        self._parts = {all_kinds[kind].name: (all_kinds[kind].share, TaskDemand(scenario, kind)) for kind in kinds}
        self._known: dict[tuple[tuple[Fault, ...], str], Demand] = {}

    def of(self, faults: tuple[Fault, ...], kind: str = "") -> Demand:
        """The demand while these faults by rate hold, including accepted duplicates."""
        if (faults, kind) not in self._known:
            parts = [
                (1.0 if kind else share, demand.of(faults))
                for name, (share, demand) in self._parts.items()
                if kind in {"", name}
            ]
            fails = sum(share * each.fails for share, each in parts)
            after_s = sum(share * each.fails * each.fails_after_s for share, each in parts)
            self._known[faults, kind] = Demand(
                attempts=sum(share * each.attempts for share, each in parts),
                held_s=sum(share * each.held_s for share, each in parts),
                idle_s=sum(share * each.idle_s for share, each in parts),
                fails=fails,
                fails_after_s=after_s / fails if fails else 0.0,
                apart_s=sum(share * each.apart_s for share, each in parts),
            )
        return self._known[faults, kind]


def demand_of(scenario: Scenario, kinds: Sequence[int] | None = None) -> Demanded:
    """The demand of a task; `kinds`: on the workers of these kinds only."""
    if not scenario.workload.kinds:
        return TaskDemand(scenario)
    return KindsDemand(scenario, range(len(scenario.workload.kinds)) if kinds is None else kinds)


def total_of(demand: Demanded, parts: Iterable[Segment], measure: Callable[[Demand], float]) -> float:
    """What all tasks ask for that arrive in these segments, those at set times included."""
    return sum(
        part.by_rate * measure(demand.of(part.faults))
        + sum(each.count * measure(demand.of(part.faults, each.kind)) for each in part.at_once)
        for part in parts
    )


def held_by(demand: Demanded, parts: Sequence[Segment]) -> float:
    """Workers that are held on average."""
    length_s = sum(part.length_s for part in parts)
    return total_of(demand, parts, lambda each: each.held_s) / length_s if length_s else 0.0


def kind_figures(scenario: Scenario, parts: list[Segment]) -> tuple[KindFigures, ...]:
    """The load by kind of work, in the order of the file."""
    queue, shares = queue_of(scenario), expected_shares(scenario)
    arrivals = sum(part.arrivals for part in parts)
    found = []
    for place, kind in enumerate(scenario.workload.kinds):
        demand = demand_of(scenario, (place,))
        tasks, attempts = arrivals * shares[place], demand.of((), kind.name).attempts
        if tasks:
            attempts = total_of(demand, parts, lambda each: each.attempts) / tasks
        where = dict(kind.labels).get("queue", "")
        settings, held = queue.of_kind(place), held_by(demand, parts)
        found.append(
            KindFigures(kind.name, shares[place], kind.service.mean_s, attempts, held, settings.priority, where)
        )
    return tuple(found)


def queue_figures(scenario: Scenario, parts: list[Segment]) -> tuple[QueueFigures, ...]:
    """The load by queue, in the order of the file."""
    found, kinds = [], scenario.workload.kinds
    for queue in queue_of(scenario).queues:
        demand = demand_of(scenario, queue.kinds)
        held = held_by(demand, parts)
        names = tuple(kinds[place].name for place in queue.kinds)
        found.append(QueueFigures(queue.name, queue.workers, names, held, queue.rate_per_s, queue.prefetch))
    return tuple(found)
