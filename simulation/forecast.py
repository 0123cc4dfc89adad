"""What a plan asks of a queue, without running it: counts, offered load, and where it is overloaded by design."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from schemas.block import Floats
from schemas.events import COPY
from schemas.faults import FaultType
from schemas.model import Scenario
from simulation.plan import Plan

POINTS = 72


@dataclass(frozen=True, slots=True)
class Forecast:
    """Figures of a plan.

    arrivals, duplicates: drawn. attempts_per_task, service_mean_s: expected. mean_load, load, peak_load: busy workers
    on average, between bursts and in them, retries included. faults: hits by name, as drawn: of tasks, or of first
    attempts. rate_per_s: arrivals per second, drawn, in POINTS equal parts of the run. cycle_rate_per_s: planned, over
    the first `cycle_s` (two bursts).
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


def forecast(plan: Plan) -> Forecast:
    """The forecast of a plan."""
    scenario = plan.scenario
    counts, duplicates, faults, rate_per_s = _draw(plan)
    attempts = expected_attempts(scenario)
    held_s = attempts * scenario.workload.service.mean_s + _held_by_faults_s(scenario)
    rate = plan.rate
    cycle_s = min(2 * rate.period_s, scenario.duration_s) if rate.burst_s else scenario.duration_s
    load, peak, mean = (
        rate.base_per_s * held_s,
        max(rate.base_per_s, rate.burst_per_s) * held_s,
        rate.mean_per_s * held_s,
    )
    return Forecast(
        arrivals=counts,
        duplicates=duplicates,
        expected_arrivals=float(rate.expected(np.array([scenario.duration_s]))[0]),
        attempts_per_task=attempts,
        service_mean_s=scenario.workload.service.mean_s,
        load=load,
        mean_load=mean,
        peak_load=peak,
        workers=scenario.queue.workers,
        faults=faults,
        rate_per_s=rate_per_s,
        cycle_s=cycle_s,
        cycle_rate_per_s=rate.at((np.arange(POINTS) + 0.5) / POINTS * cycle_s),
        warnings=tuple(_warnings(scenario, mean, peak)),
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
        histogram += np.histogram(chunk.due_s[first], edges)[0]
        for number, due_s in zip(chunk.number[first].tolist(), chunk.due_s[first].tolist(), strict=True):
            _, cause, _ = plan.fate(number, 1, due_s)
            if cause:
                hits[plan.vocabulary.causes[cause].fault] += 1
    duplicate_names = [fault.name for fault in plan.scenario.faults if fault.type is FaultType.DUPLICATE_ENQUEUE]
    faults = {fault.name: hits[fault.name] for fault in plan.scenario.faults if fault.rate}
    if len(duplicate_names) == 1:
        faults[duplicate_names[0]] = duplicates
    return arrivals, duplicates, faults, histogram / (edges[1] - edges[0])


_REPEATED = frozenset({FaultType.TRANSIENT_ERROR, FaultType.DB_LOCK, FaultType.WORKER_CRASH})


def expected_attempts(scenario: Scenario) -> float:
    """Attempts per task: the sum over n of the chance that the first n all have to be made again, up to `max_attempts`."""
    again = 1.0
    for fault in scenario.faults:
        if fault.type in _REPEATED and not fault.windows:
            again *= 1 - fault.rate
    return sum((1 - again) ** n for n in range(scenario.queue.max_attempts))


def _held_by_faults_s(scenario: Scenario) -> float:
    """Seconds per task for which faults hold a worker beyond its service time."""
    queue = scenario.queue
    held = {FaultType.WORKER_CRASH: queue.worker_restart_s, FaultType.DB_LOCK: queue.busy_timeout_s}
    return sum(
        f.rate * (f.hang_for_s if f.type is FaultType.WORKER_HANG else held.get(f.type, 0.0))
        for f in scenario.faults
        if not f.windows
    )


def _warnings(scenario: Scenario, mean: float, peak: float) -> list[str]:
    workers = scenario.queue.workers
    if mean >= workers:
        busy = f"{mean:.2f} workers would be busy on average, but there are {workers}"
        return [f"overloaded by design: {busy}; the queue grows for as long as work arrives"]
    if peak >= workers:
        busy = f"{peak:.2f} workers would be busy, but there are {workers}"
        return [f"overloaded during bursts: {busy}; a backlog builds up in each burst"]
    return []
