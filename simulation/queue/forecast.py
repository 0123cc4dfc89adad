"""What a plan asks of a queue, without running it: counts, offered load, and where it is overloaded by design."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.language.distributions import Constant
from soak.schemas.language.model import Process, Scenario
from soak.schemas.language.rhythms import bursts_of
from soak.schemas.stream.block import Floats
from soak.schemas.stream.events import COPY
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.units import show_duration, show_rate
from soak.simulation.plan import Plan
from soak.simulation.queue.delivery import expected_lost, outlasting
from soak.simulation.queue.demand import Demand, Demanded
from soak.simulation.queue.kind_demand import (
    KindFigures,
    QueueFigures,
    demand_of,
    held_by,
    kind_figures,
    queue_figures,
    total_of,
)
from soak.simulation.queue.planned import Batch, PlannedWorkers, planned_workers
from soak.simulation.queue.set_times import (
    Lane,
    SetTimeFigures,
    Steps,
    left_over,
    set_time_figures,
    set_time_warnings,
)
from soak.simulation.segments import Segment, segments, shortfall
from soak.simulation.shares import AtOnce, expected_arrivals, service_mean_s

POINTS = 72
_ROUNDING = 1e-9
"""Of a load, relative: what is left when a rate is multiplied by a time."""


class QueueForecast(Struct, frozen=True):
    """Figures of a plan.

    arrivals, duplicates: drawn. attempts_per_task, service_mean_s: expected. mean_load, load, peak_load: workers that are
    held (they run an attempt, hang, wait for the database or are started again) on average while work arrives, between
    bursts and in them, retries included; scheduled faults, such as outages, are left out. faults: hits by name, as drawn:
    of tasks, or of first attempts. rate_per_s: arrivals per second, drawn, in POINTS equal parts of the run.
    cycle_rate_per_s: planned, over the first `cycle_s` (two cycles, or the whole run).
    workers: at the start; mean_workers: over the time in which work arrives, as planned; planned_workers: where they change,
    from which time on there are how many. outlasting: the share of attempts that take longer than a visibility timeout;
    expected_lost: tasks that crashes lose where they are acknowledged early. at_set_times: how long what arrives at set times
    takes to be cleared.
    """

    arrivals: int
    duplicates: int
    expected_arrivals: float
    attempts_per_task: float
    service_mean_s: float
    load: float
    mean_load: float
    peak_load: float
    workers: int
    faults: dict[str, int]
    rate_per_s: Floats
    cycle_s: float
    cycle_rate_per_s: Floats
    warnings: tuple[str, ...]
    kinds: tuple[KindFigures, ...] = ()
    queues: tuple[QueueFigures, ...] = ()
    mean_workers: float = 0.0
    planned_workers: tuple[tuple[float, float], ...] = ()
    outlasting: float = 0.0
    expected_lost: float = 0.0
    at_set_times: tuple[SetTimeFigures, ...] = ()


def forecast_queue(plan: Plan) -> QueueForecast:
    """The forecast of a plan."""
    scenario, rate = plan.scenario, plan.rate
    counts, duplicates, faults, rate_per_s = _draw(plan)
    load = Load.of(plan)
    planned = None
    if queue_of(scenario).fleet.varies:
        planned = planned_workers(scenario, load.over_time(), load.batches)
    lanes, short = list(_lanes(scenario, load, planned)), shortfall(scenario, counts)
    overloads = _fleet_warnings(scenario, load, planned) if planned else _all_warnings(scenario, load)
    cycle_s = min(2 * rate.cycle_s, scenario.duration_s) if rate.cycle_s else scenario.duration_s
    return QueueForecast(
        arrivals=counts,
        duplicates=duplicates,
        expected_arrivals=expected_arrivals(scenario, rate),
        attempts_per_task=load.attempts_per_task,
        service_mean_s=service_mean_s(scenario),
        load=load.between,
        mean_load=load.mean,
        peak_load=load.peak,
        workers=queue_of(scenario).workers,
        faults=faults,
        rate_per_s=rate_per_s,
        cycle_s=cycle_s,
        cycle_rate_per_s=rate.at((np.arange(POINTS) + 0.5) / POINTS * cycle_s),
        warnings=(*overloads, *set_time_warnings(scenario, load.at_once, lanes), *short),
        kinds=kind_figures(scenario, load.parts),
        queues=queue_figures(scenario, load.parts),
        mean_workers=planned.mean(scenario.duration_s) if planned else float(queue_of(scenario).workers),
        planned_workers=planned.steps() if planned else (),
        outlasting=outlasting(scenario),
        expected_lost=expected_lost(scenario),
        at_set_times=tuple(set_time_figures(scenario, load.at_once, lanes)) if load.at_once else (),
    )


def _draw(plan: Plan) -> tuple[int, int, dict[str, int], Floats]:
    arrivals = duplicates = 0
    hits: Counter[str] = Counter()
    edges = np.linspace(0.0, plan.scenario.duration_s, POINTS + 1)
    histogram = np.zeros(POINTS)
    for chunk in plan.submissions():
        first = chunk.number & COPY == 0
        arrivals += int(first.sum())
        duplicates += int((~first).sum())
        for cause, count in zip(*np.unique(chunk.cause[~first], return_counts=True), strict=True):
            hits[plan.vocabulary.causes[int(cause)].fault] += int(count)
        histogram += np.histogram(chunk.due_s[first], edges)[0]
        for number, due_s in zip(chunk.number[first].tolist(), chunk.due_s[first].tolist(), strict=True):
            _, cause, _ = plan.fate(number, 1, due_s)
            if cause:
                hits[plan.vocabulary.causes[cause].fault] += 1
    faults = {fault.name: hits[fault.name] for fault in plan.scenario.faults if fault.rate}
    return arrivals, duplicates, faults, histogram / (edges[1] - edges[0])


class Load(Struct, frozen=True):
    """The load on the workers, by segments of the plan; see `QueueForecast`."""

    parts: list[Segment]
    demand: Demanded

    @classmethod
    def of(cls, plan: Plan) -> "Load":
        """The load of a plan."""
        return cls(segments(plan.scenario, plan.rate), demand_of(plan.scenario))

    def _of(self, part: Segment) -> Demand:
        return self.demand.of(part.faults)

    def held(self, parts: list[Segment]) -> float:
        """Workers that are held on average in these segments."""
        return held_by(self.demand, parts)

    def held_by_rate(self, parts: list[Segment]) -> float:
        """The same of what the rate brings."""
        return self._by_rate(parts, lambda task: task.held_s)

    def taken(self, parts: list[Segment]) -> float:
        """Workers that this holds, or that have come free and wait for the next poll, were work always waiting."""
        return self._by_rate(parts, _taken_s)

    @property
    def attempts_per_s(self) -> float:
        """Attempts that are made a second at what the rate brings, on average."""
        return self._by_rate(self.parts, lambda task: task.attempts)

    def _by_rate(self, parts: list[Segment], measure: Callable[[Demand], float]) -> float:
        length_s = sum(part.length_s for part in parts)
        return sum(part.by_rate * measure(self._of(part)) for part in parts) / length_s if length_s else 0.0

    def over_time(self) -> Callable[[float], tuple[float, float]]:
        """A function: at a time, the workers that work takes, and for how many seconds a task does."""
        ends_s = list(accumulate(part.length_s for part in self.parts))
        known = [(self.taken([part]), _taken_s(self._of(part))) for part in self.parts]

        def at(t_s: float) -> tuple[float, float]:
            place = bisect_right(ends_s, t_s)
            return known[place] if place < len(known) else (0.0, 0.0)

        return at

    @property
    def at_once(self) -> list[AtOnce]:
        """What arrives at set times."""
        return [each for part in self.parts for each in part.at_once]

    @property
    def batches(self) -> list[Batch]:
        """What arrives at set times, and for how long a task of it takes a worker."""
        return [Batch(each.t_s, each.count, _taken_s(task)) for each, task in self.demands]

    @property
    def demands(self) -> Iterator[tuple[AtOnce, Demand]]:
        """What arrives at set times, and the demand of a task of it."""
        return ((each, self.demand.of(part.faults, each.kind)) for part in self.parts for each in part.at_once)

    def lane(self, able: Steps, workers: int | None, queue: str = "", *, attempts: bool = False) -> Lane:
        """What is left of the workers that there are, or of the attempts that a rate limit allows, and what needs them."""
        measure = _attempts if attempts else _taken_s
        starts_s = accumulate((part.length_s for part in self.parts), initial=0.0)
        rates = [*(self._by_rate([part], measure) for part in self.parts), 0.0]
        demands = list(self.demands)
        return Lane(
            left_over(able, list(zip(starts_s, rates, strict=True))),
            [each.count * measure(task) for each, task in demands],
            [task.held_s + task.apart_s if task.held_s else 0.0 for _, task in demands],
            workers,
            queue,
        )

    @property
    def attempts_per_task(self) -> float:
        """Attempts of a task on average."""
        arrivals = sum(part.arrivals for part in self.parts)
        if not arrivals:
            return self.demand.of(()).attempts
        return total_of(self.demand, self.parts, _attempts) / arrivals

    @property
    def mean(self) -> float:
        """Over all the time in which work arrives."""
        return self.held(self.parts)

    @property
    def between(self) -> float:
        """Between bursts."""
        return self.held(self.between_bursts)

    @property
    def peak(self) -> float:
        """In bursts, or between them where that is more."""
        return max(self.between, self.held(self.bursts))

    @property
    def bursts(self) -> list[Segment]:
        """The segments in bursts."""
        return [part for part in self.parts if part.burst]

    @property
    def between_bursts(self) -> list[Segment]:
        """The segments between bursts."""
        return [part for part in self.parts if not part.burst]


def _taken_s(task: Demand) -> float:
    """How long a task takes a worker, where work is always waiting."""
    return task.held_s + task.idle_s


def _attempts(task: Demand) -> float:
    return task.attempts


def _lanes(scenario: Scenario, load: Load, planned: PlannedWorkers | None) -> Iterator[Lane]:
    """All workers; those of each queue, and its rate limit, where they belong to queues."""
    queue = queue_of(scenario)
    if planned:
        yield load.lane(list(zip(planned.t_s.tolist(), planned.able.tolist(), strict=True)), None)
    elif not queue.queues:
        yield load.lane([(0.0, queue.workers)], queue.workers)
    else:
        for each in queue.queues:
            own = Load(load.parts, demand_of(scenario, each.kinds))
            yield own.lane([(0.0, each.workers)], each.workers, each.name)
            if each.rate_per_s:
                yield own.lane([(0.0, each.rate_per_s)], each.workers, each.name, attempts=True)


def _all_warnings(scenario: Scenario, load: Load) -> list[str]:
    """Of all workers; of those of each queue where they belong to queues."""
    queue = queue_of(scenario)
    if not queue.queues:
        return _warnings(scenario, load)
    found = []
    for each in queue.queues:
        alone = replace(scenario, system_settings=replace(queue, workers=each.workers))
        own = Load(load.parts, demand_of(scenario, each.kinds))
        found += [f"queue {each.name}: {warning}" for warning in _warnings(alone, own)]
        attempts = own.attempts_per_s
        if each.rate_per_s and attempts > each.rate_per_s * (1 + _ROUNDING):
            asked = f"{show_rate(attempts)} attempts would be made, but its rate_limit is {show_rate(each.rate_per_s)}"
            found.append(f"queue {each.name}: {asked}; the queue grows for as long as work arrives")
    return found


def _warnings(scenario: Scenario, load: Load) -> list[str]:
    workers = queue_of(scenario).workers
    if load.taken(load.parts) > workers * (1 + _ROUNDING):
        busy = f"{_busy(scenario, load, load.parts, ' on average')}, but there are {workers}"
        return [f"overloaded by design: {busy}; the queue grows for as long as work arrives"]
    if load.taken(load.parts) >= workers * (1 - _ROUNDING) and not _is_regular(scenario):
        busy = f"{_busy(scenario, load, load.parts, ' on average')}, and there are {workers}"
        return [f"at its limit by design: {busy}; with random arrivals or service times the backlog has no bound"]
    if load.taken(load.bursts) > workers * (1 + _ROUNDING):
        busy = f"{_busy(scenario, load, load.bursts)}, but there are {workers}"
        if bursts_of(scenario):
            return [f"overloaded during bursts: {busy}; a backlog builds up in each burst"]
        return [f"overloaded at the busiest times: {busy}; a backlog builds up then"]
    for faults, parts in _by_faults(load.parts).items():
        if load.taken(parts) > workers * (1 + _ROUNDING):
            busy = f"{_busy(scenario, load, parts)}, but there are {workers}"
            return [f"overloaded while {' and '.join(faults)} lasts: {busy}; a backlog builds up"]
    return []


def _fleet_warnings(scenario: Scenario, load: Load, planned: PlannedWorkers) -> list[str]:
    """Where the workers that there are then, as planned, are too few."""
    able = planned.able_between(0.0, scenario.duration_s)
    if load.taken(load.parts) > able * (1 + _ROUNDING):
        busy = f"{_busy(scenario, load, load.parts, ' on average')}, but there are {able:.2f} as planned"
        return [f"overloaded by design: {busy}; the queue grows for as long as work arrives"]
    start_s = 0.0
    for part in load.parts:
        edges = [start_s, *(t for t in planned.t_s.tolist() if start_s < t < start_s + part.length_s)]
        for begin_s, end_s in pairwise([*edges, start_s + part.length_s]):
            there = planned.able_between(begin_s, end_s)
            if load.taken([part]) > there * (1 + _ROUNDING):
                busy = f"{_busy(scenario, load, [part])}, but there are {there:.4g} as planned"
                span = f"from {show_duration(begin_s)} to {show_duration(end_s)}"
                return [f"overloaded {span}: {busy}; a backlog builds up"]
        start_s += part.length_s
    return []


def _busy(scenario: Scenario, load: Load, parts: list[Segment], when: str = "") -> str:
    held, taken = load.held_by_rate(parts), load.taken(parts)
    if held > queue_of(scenario).workers or taken - held < 0.005:
        return f"{held:.2f} workers would be busy{when}"
    every = show_duration(queue_of(scenario).poll_interval_s)
    return f"{held:.2f} workers would be busy{when} and {taken - held:.2f} idle until the next poll (every {every})"


def _is_regular(scenario: Scenario) -> bool:
    """Whether nothing in the workload is random, so that workers who are all busy all the time keep up with it."""
    workload = scenario.workload
    struck = [fault.type for fault in scenario.faults if fault.rate and not fault.by_time]
    # Where no task can fail, a second submission is skipped.
    chance = any(kind != QueueFault.DUPLICATE_ENQUEUE for kind in struck)
    constant = workload.process is Process.CONSTANT and isinstance(workload.service, Constant)
    return constant and workload.is_plain and workload.burst is None and not chance


def _by_faults(parts: list[Segment]) -> dict[tuple[str, ...], list[Segment]]:
    """The segments in which faults with windows hold, by their names."""
    found: dict[tuple[str, ...], list[Segment]] = {}
    for part in parts:
        names = tuple(fault.name for fault in part.faults if fault.windows)
        if names:
            found.setdefault(names, []).append(part)
    return found
