"""The load of a plan on a pipeline, without running it."""

from dataclasses import dataclass

import numpy as np

from soak.schemas.stream.block import Floats
from soak.simulation.plan import Plan
from soak.simulation.segments import shortfall
from soak.simulation.shares import expected_arrivals

POINTS = 72


@dataclass(frozen=True, slots=True)
class PipelineForecast:
    """Figures of a plan. records: drawn. rate_per_s: records per second, drawn, in POINTS equal parts of the run."""

    records: int
    expected_records: float
    rate_per_s: Floats
    warnings: tuple[str, ...]


def forecast_pipeline(plan: Plan) -> PipelineForecast:
    """The forecast of a plan of the system `pipeline`."""
    scenario = plan.scenario
    edges = np.linspace(0.0, scenario.duration_s, POINTS + 1)
    histogram, records = np.zeros(POINTS), 0
    for chunk in plan.submissions():
        records += len(chunk)
        histogram += np.histogram(chunk.due_s, edges)[0]
    return PipelineForecast(
        records=records,
        expected_records=expected_arrivals(scenario, plan.rate),
        rate_per_s=histogram / (edges[1] - edges[0]),
        warnings=tuple(shortfall(scenario, records)),
    )
