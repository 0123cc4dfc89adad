"""The load of a plan on a gateway, without running it."""

from dataclasses import dataclass

import numpy as np

from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats
from soak.schemas.systems.gateway.settings import gateway_of
from soak.simulation.closed import Need
from soak.simulation.plan import Plan
from soak.simulation.segments import shortfall
from soak.simulation.shares import expected_arrivals

POINTS = 72


@dataclass(frozen=True, slots=True)
class GatewayForecast:
    """Figures of a plan: requests drawn, those in service on average by Little's law, and at the highest rate.

    rate_per_s: arrivals per second, drawn, in POINTS equal parts of the run.
    """

    arrivals: int
    expected_arrivals: float
    in_service: float
    peak_in_service: float
    rate_per_s: Floats
    warnings: tuple[str, ...]


def forecast_gateway(plan: Plan) -> GatewayForecast:
    """The forecast of a plan of the system `gateway`."""
    scenario, service_s = plan.scenario, plan.scenario.workload.service.mean_s
    edges = np.linspace(0.0, scenario.duration_s, POINTS + 1)
    histogram, arrivals = np.zeros(POINTS), 0
    for chunk in plan.submissions():
        arrivals += len(chunk)
        histogram += np.histogram(chunk.due_s, edges)[0]
    expected, peak = expected_arrivals(scenario, plan.rate), plan.rate.highest_per_s * service_s
    workers = gateway_of(scenario).workers
    more = f"up to {peak:.2f} requests would be served at a time, but there are {workers} workers"
    return GatewayForecast(
        arrivals=arrivals,
        expected_arrivals=expected,
        in_service=expected * service_s / scenario.duration_s,
        peak_in_service=peak,
        rate_per_s=histogram / (edges[1] - edges[0]),
        warnings=(*((more,) if peak > workers else ()), *shortfall(scenario, arrivals)),
    )


def need_of(scenario: Scenario) -> Need:
    """What a request of a closed workload needs of the service."""
    held_s, workers = scenario.workload.service.mean_s, gateway_of(scenario).workers
    return Need(held_s, held_s, held_s, 0.0, workers, 1.0, lambda _: workers)
