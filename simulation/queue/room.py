"""The system `queue` in the simulation."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soak.schemas.language.model import Scenario
from soak.schemas.units import show_duration
from soak.simulation.queue.actions import ACTIONS
from soak.simulation.room import Model, Picture, Room, in_bursts

if TYPE_CHECKING:
    from simpy import Environment

    from soak.simulation.plan import Plan
    from soak.simulation.queue.forecast import QueueForecast
    from soak.simulation.recorder import Recorder

# What is simulated with is imported when it is: `soak validate` asks this room, too.


def _model(env: "Environment", plan: "Plan", recorder: "Recorder") -> Model:
    from soak.simulation.queue.model import QueueModel

    return QueueModel(env, plan, recorder)


def _forecast(plan: "Plan") -> "QueueForecast":
    from soak.simulation.queue.forecast import forecast_queue

    return forecast_queue(plan)


def _figures(scenario: Scenario, f: "QueueForecast") -> list[str]:
    busy = f"{f.mean_load:.2f} of {f.workers} workers busy on average ({f.mean_load / f.workers:.0%})"
    return [
        f"  tasks       {f.arrivals:,} ({f.expected_arrivals:,.0f} expected), {f.duplicates:,} of them submitted twice",
        f"  attempts    {f.attempts_per_task:.3f} per task, mean service time {show_duration(f.service_mean_s)}",
        f"  load        {busy}{in_bursts(scenario, f.load, f.peak_load, between=True)}",
        *_faults(scenario, f),
    ]


def _faults(scenario: Scenario, figures: "QueueForecast") -> list[str]:
    lines = []
    for index, fault in enumerate(scenario.faults):
        kind = "tasks" if fault.spec.counts == "tasks" else "first attempts"
        drawn = f"{figures.faults[fault.name]:,} {kind}" if fault.name in figures.faults else ""
        first = f", first at {show_duration(fault.windows[0].start_s)}" if fault.windows else ""
        times = f"{len(fault.windows)} time{'s' if len(fault.windows) > 1 else ''}{first}" if fault.windows else ""
        what = ", ".join(part for part in (drawn, times) if part)
        lines.append(f"  {'faults' if not index else '':10}  {fault.name} ({fault.type}): {what}")
    return lines


def _pictures(scenario: Scenario, figures: "QueueForecast") -> Iterator[Picture]:
    if figures.cycle_s < scenario.duration_s or scenario.workload.shape:
        yield figures.cycle_rate_per_s.tolist(), figures.cycle_s, "planned rate"


ROOM = Room(
    model=_model,
    forecast=_forecast,
    figures=_figures,
    pictures=_pictures,
    actions=ACTIONS,
    calibrated=True,
)
