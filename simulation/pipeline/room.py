"""The system `pipeline` in the simulation."""

from typing import TYPE_CHECKING

from soak.schemas.language.model import Scenario
from soak.simulation.room import Model, Room

if TYPE_CHECKING:
    from simpy import Environment

    from soak.simulation.pipeline.forecast import PipelineForecast
    from soak.simulation.plan import Plan
    from soak.simulation.recorder import Recorder

# What is simulated with is imported when it is: `soak validate` asks this room, too.


def _model(env: "Environment", plan: "Plan", recorder: "Recorder") -> Model:
    from soak.simulation.pipeline.model import PipelineModel

    return PipelineModel(env, plan, recorder)


def _forecast(plan: "Plan") -> "PipelineForecast":
    from soak.simulation.pipeline.forecast import forecast_pipeline

    return forecast_pipeline(plan)


def _figures(scenario: Scenario, f: "PipelineForecast") -> list[str]:
    return [f"  records     {f.records:,} ({f.expected_records:,.0f} expected)"]


ROOM = Room(model=_model, forecast=_forecast, figures=_figures)
