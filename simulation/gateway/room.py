"""The system `gateway` in the simulation."""

from typing import TYPE_CHECKING

from soak.schemas.language.model import Scenario
from soak.simulation.gateway.doubts import gateway_doubts
from soak.simulation.room import Model, Room

if TYPE_CHECKING:
    from simpy import Environment

    from soak.simulation.gateway.forecast import GatewayForecast
    from soak.simulation.plan import Plan
    from soak.simulation.recorder import Recorder

# What is simulated with is imported when it is: `soak validate` asks this room, too.


def _model(env: "Environment", plan: "Plan", recorder: "Recorder") -> Model:
    from soak.simulation.gateway.model import GatewayModel

    return GatewayModel(env, plan, recorder)


def _forecast(plan: "Plan") -> "GatewayForecast":
    from soak.simulation.gateway.forecast import forecast_gateway

    return forecast_gateway(plan)


def _figures(scenario: Scenario, f: "GatewayForecast") -> list[str]:
    from soak.simulation.gateway.figures import figures

    return figures(scenario, f)


ROOM = Room(model=_model, forecast=_forecast, figures=_figures, doubts=gateway_doubts)
