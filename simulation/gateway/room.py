"""The system `gateway` in the simulation."""

from typing import TYPE_CHECKING

from soak.schemas.language.model import Scenario
from soak.simulation.room import Model, Room, in_bursts

if TYPE_CHECKING:
    from simpy import Environment

    from soak.simulation.closed import ClosedForecast
    from soak.simulation.gateway.forecast import GatewayForecast
    from soak.simulation.plan import Plan
    from soak.simulation.recorder import Recorder

# What is simulated with is imported when it is: `soak validate` asks this room, too.


def _model(env: "Environment", plan: "Plan", recorder: "Recorder") -> Model:
    from soak.simulation.gateway.model import GatewayModel

    return GatewayModel(env, plan, recorder)


def _forecast(plan: "Plan") -> "GatewayForecast | ClosedForecast":
    if plan.users:
        from soak.simulation.closed import forecast_closed
        from soak.simulation.gateway.forecast import need_of

        return forecast_closed(plan.scenario, need_of(plan.scenario))
    from soak.simulation.gateway.forecast import forecast_gateway

    return forecast_gateway(plan)


def _figures(scenario: Scenario, f: "GatewayForecast | ClosedForecast") -> list[str]:
    from soak.simulation.closed import ClosedForecast, closed_figures

    if isinstance(f, ClosedForecast):
        return closed_figures(scenario, f)
    return [
        f"  requests    {f.arrivals:,} ({f.expected_arrivals:,.0f} expected)",
        f"  service     {f.in_service:.2f} in service on average{in_bursts(scenario, f.in_service, f.peak_in_service)}",
    ]


ROOM = Room(model=_model, forecast=_forecast, figures=_figures)
