"""The load of a plan on a client and its dependencies, without running it."""

import math

import numpy as np
from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats
from soak.schemas.systems.calls.settings import calls_of
from soak.simulation.calls.theory import Expected, demand, expected
from soak.simulation.closed import Need
from soak.simulation.plan import Plan
from soak.simulation.segments import Segment, mean_over, segments, shortfall
from soak.simulation.shares import expected_arrivals

POINTS = 72
_ROUNDING = 1e-9
"""Of a load, relative: what is left when a rate is multiplied by a time."""


class CallsForecast(Struct, frozen=True):
    """Figures of a plan.

    arrivals: drawn. in_flight: calls in flight on average between bursts, and `peak_in_flight` in bursts, by Little's law:
    retries, fallbacks, timeouts and faults by rate included, without queueing. theory: for one task, where it
    has a closed form. rate_per_s: arrivals per second, drawn, in POINTS equal parts of the run.
    """

    arrivals: int
    expected_arrivals: float
    latency_mean_s: float
    in_flight: float
    peak_in_flight: float
    theory: Expected | None
    rate_per_s: Floats
    warnings: tuple[str, ...]


def forecast_calls(plan: Plan) -> CallsForecast:
    """The forecast of a plan of the system `calls`."""
    scenario, rate = plan.scenario, plan.rate
    edges = np.linspace(0.0, scenario.duration_s, POINTS + 1)
    histogram, arrivals = np.zeros(POINTS), 0
    for chunk in plan.submissions():
        arrivals += len(chunk)
        histogram += np.histogram(chunk.due_s, edges)[0]
    theory = expected(scenario)
    load = _Load(scenario, segments(scenario, rate))
    return CallsForecast(
        arrivals=arrivals,
        expected_arrivals=expected_arrivals(scenario, rate),
        latency_mean_s=calls_of(scenario).primary.latency.mean_s,
        in_flight=load.between,
        peak_in_flight=load.peak,
        theory=theory,
        rate_per_s=histogram / (edges[1] - edges[0]),
        warnings=(*_warnings(plan, load.peak_served), *shortfall(scenario, arrivals)),
    )


class _Load:
    """Calls in flight, and those being served by the first dependency, by segments of the plan."""

    def __init__(self, scenario: Scenario, parts: list[Segment]) -> None:
        between, bursts = ([part for part in parts if part.burst == burst] for burst in (False, True))
        demands = {faults: demand(scenario, faults) for faults in {part.faults for part in parts}}

        def under_way(part: Segment) -> float:
            return demands[part.faults].under_way_s

        def served(part: Segment) -> float:
            return demands[part.faults].served_s

        self.between = mean_over(between, under_way)
        self.peak = max(self.between, mean_over(bursts, under_way))
        self.peak_served = max(mean_over(between, served), mean_over(bursts, served))


def _warnings(plan: Plan, peak: float) -> list[str]:
    capacity, quota = calls_of(plan.scenario).primary.capacity, calls_of(plan.scenario).primary.quota
    rate_per_s = plan.rate.highest_per_s
    warnings = []
    if capacity and peak > capacity.workers * (1 + _ROUNDING):
        warnings.append(f"up to {peak:.2f} calls would be served at a time, but there are {capacity.workers} workers")
    if quota and rate_per_s > quota.rate_per_s:
        warnings.append(f"up to {rate_per_s:g} calls per second are made, but {quota.rate_per_s:g} are allowed")
    return warnings


def need_of(scenario: Scenario) -> Need:
    """What a task of a closed workload needs of its first dependency while the faults without windows hold."""
    always = tuple(fault for fault in scenario.faults if fault.rate and not fault.by_time and not fault.windows)
    load, theory, capacity = demand(scenario, always), expected(scenario), calls_of(scenario).primary.capacity
    held_s = load.served_s if capacity else load.under_way_s
    workers = capacity.workers if capacity else math.inf
    return Need(load.under_way_s, held_s, held_s, 0.0, workers, theory.calls if theory else 1.0, lambda _: workers)
