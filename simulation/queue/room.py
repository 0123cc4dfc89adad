"""The system `queue` in the simulation."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.units import show_duration
from soak.simulation.queue.actions import ACTIONS
from soak.simulation.queue.delivery import delivery_doubts, delivery_figures
from soak.simulation.room import Counts, Model, Picture, Room, in_bursts

if TYPE_CHECKING:
    from simpy import Environment

    from soak.simulation.plan import Plan
    from soak.simulation.queue.forecast import QueueForecast
    from soak.simulation.recorder import Recorder

_MOST_STEPS = 12
"""More changes of the number of workers are not told one by one."""

# What is simulated with is imported when it is: `soak validate` asks this room, too.


def _model(env: "Environment", plan: "Plan", recorder: "Recorder") -> Model:
    if queue_of(plan.scenario).fleet.varies:
        from soak.simulation.queue.fleet import FleetModel

        return FleetModel(env, plan, recorder)
    from soak.simulation.queue.model import QueueModel

    return QueueModel(env, plan, recorder)


def _forecast(plan: "Plan") -> "QueueForecast":
    from soak.simulation.queue.forecast import forecast_queue

    return forecast_queue(plan)


def _figures(scenario: Scenario, f: "QueueForecast") -> list[str]:
    there = f"{f.mean_workers:.4g}" if f.planned_workers else f"{f.workers}"
    busy = f"{f.mean_load:.2f} of {there} workers busy on average ({f.mean_load / f.mean_workers:.0%})"
    return [
        f"  tasks       {f.arrivals:,} ({f.expected_arrivals:,.0f} expected), {f.duplicates:,} of them submitted twice",
        f"  attempts    {f.attempts_per_task:.3f} per task, mean service time {show_duration(f.service_mean_s)}",
        f"  load        {busy}{in_bursts(scenario, f.load, f.peak_load, between=True)}",
        *_workers(f),
        *delivery_figures(scenario),
        *_faults(scenario, f),
    ]


def _workers(figures: "QueueForecast") -> list[str]:
    """How their number changes, where it does."""
    steps = figures.planned_workers
    if not steps:
        return []
    shown = [f"{workers:.4g} from {show_duration(t_s)}" if t_s else f"{workers:.4g}" for t_s, workers in steps]
    if len(shown) > _MOST_STEPS:
        numbers = [workers for _, workers in steps]
        few = f"{min(numbers):.4g} to {max(numbers):.4g}, {figures.mean_workers:.4g} on average"
        shown = [f"{few}; their number changes {len(shown) - 1} times"]
    return [f"  workers     {', '.join(shown)}"]


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
    if figures.planned_workers:
        yield _most_workers(figures, scenario.duration_s), scenario.duration_s, "workers as planned"


def _most_workers(figures: "QueueForecast", span_s: float) -> Counts:
    """The workers in equal parts of a time; where their number changes, the last."""
    count = len(figures.rate_per_s)
    ends_s = [(place + 1) / count * span_s for place in range(count)]
    return Counts(
        next(workers for t_s, workers in reversed(figures.planned_workers) if t_s < end_s) for end_s in ends_s
    )


ROOM = Room(
    model=_model,
    forecast=_forecast,
    figures=_figures,
    pictures=_pictures,
    actions=ACTIONS,
    doubts=delivery_doubts,
    calibrated=True,
)
