"""The system `calls` in the simulation."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.systems.calls.faults import CallFault
from soak.schemas.units import show_ratio
from soak.simulation.room import Doubt, Model, Room, in_bursts

if TYPE_CHECKING:
    from simpy import Environment

    from soak.simulation.calls.forecast import CallsForecast
    from soak.simulation.closed import ClosedForecast
    from soak.simulation.plan import Plan
    from soak.simulation.recorder import Recorder

# What is simulated with is imported when it is: `soak validate` asks this room, too.


def _model(env: "Environment", plan: "Plan", recorder: "Recorder") -> Model:
    from soak.simulation.calls.model import CallsModel

    return CallsModel(env, plan, recorder)


def _forecast(plan: "Plan") -> "CallsForecast | ClosedForecast":
    if plan.users:
        from soak.simulation.calls.forecast import need_of
        from soak.simulation.closed import forecast_closed

        return forecast_closed(plan.scenario, need_of(plan.scenario))
    from soak.simulation.calls.forecast import forecast_calls

    return forecast_calls(plan)


def _figures(scenario: Scenario, f: "CallsForecast | ClosedForecast") -> list[str]:
    from soak.simulation.closed import ClosedForecast, closed_figures

    if isinstance(f, ClosedForecast):
        return closed_figures(scenario, f)
    theory = f.theory
    chances = (
        f"first call succeeds {show_ratio(theory.first_call)}, task DONE {show_ratio(theory.success)}, "
        f"{theory.calls:.3f} calls per task"
        if theory
        else "no closed form: calls share something, or faults have windows"
    )
    return [
        f"  tasks       {f.arrivals:,} ({f.expected_arrivals:,.0f} expected)",
        f"  calls       {f.in_flight:.2f} in flight on average{in_bursts(scenario, f.in_flight, f.peak_in_flight)}",
        f"  theory      {chances}",
    ]


def _doubts(scenario: Scenario) -> Iterator[Doubt]:
    """Crashes of a dependency that is already down have no effect."""
    gone: list[tuple[str, Window, str]] = []
    for place, fault in enumerate(scenario.faults):
        for window in fault.windows if fault.type == CallFault.DEPENDENCY_CRASH else ():
            for dependency, other, name in gone:
                if dependency == fault.dependency and window.start_s < other.end_s and other.start_s < window.end_s:
                    what = f"{fault.name} and {name} take {dependency} down at the same time: one of them has no effect"
                    yield Doubt(("faults", place), what, "separate them in time")
                    break
            gone.append((fault.dependency, window, fault.name))


ROOM = Room(model=_model, forecast=_forecast, figures=_figures, doubts=_doubts)
