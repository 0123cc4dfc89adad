"""What a plan asks of a client and its dependencies, without running it."""

from dataclasses import dataclass

import numpy as np

from schemas.block import Floats
from simulation.calls.theory import Expected, expected
from simulation.plan import Plan
from simulation.segments import expected_arrivals, shortfall

POINTS = 72


@dataclass(frozen=True, slots=True)
class CallsForecast:
    """Figures of a plan.

    arrivals: drawn. in_flight: calls under way on average between bursts, and `peak_in_flight` in them, by Little's law, each
    with the mean latency of the first dependency. theory: for one task, where it has a closed form. rate_per_s: arrivals per
    second, drawn, in POINTS equal parts of the run.
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
    calls, latency_s = theory.calls if theory else 1.0, scenario.calls.primary.latency.mean_s
    peak = max(rate.base_per_s, rate.burst_per_s) * calls * latency_s
    return CallsForecast(
        arrivals=arrivals,
        expected_arrivals=expected_arrivals(scenario, rate),
        latency_mean_s=latency_s,
        in_flight=rate.base_per_s * calls * latency_s,
        peak_in_flight=peak,
        theory=theory,
        rate_per_s=histogram / (edges[1] - edges[0]),
        warnings=(*_warnings(plan, peak), *shortfall(scenario, arrivals)),
    )


def _warnings(plan: Plan, peak: float) -> list[str]:
    capacity, quota = plan.scenario.calls.primary.capacity, plan.scenario.calls.primary.quota
    rate_per_s = max(plan.rate.base_per_s, plan.rate.burst_per_s)
    warnings = []
    if capacity and peak >= capacity.workers:
        warnings.append(f"{peak:.2f} calls would be under way at most, but there are {capacity.workers} workers")
    if quota and rate_per_s > quota.rate_per_s:
        warnings.append(f"{rate_per_s:g} calls a second come at most, but {quota.rate_per_s:g} are allowed")
    return warnings
