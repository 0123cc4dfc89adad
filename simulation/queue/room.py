"""The system `queue` in the simulation."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.kinds import NO_LIMIT_S
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.units import show_duration, show_rate, show_ratio
from soak.simulation.queue.actions import ACTIONS, Action
from soak.simulation.queue.delivery import delivery_doubts, delivery_figures
from soak.simulation.queue.fault_doubts import fault_doubts
from soak.simulation.queue.service_doubts import service_doubts
from soak.simulation.queue.set_times import set_time_lines
from soak.simulation.room import Compiled, Counts, Doubt, Model, Picture, Room, in_bursts

if TYPE_CHECKING:
    from simpy import Environment

    from soak.simulation.closed import ClosedForecast
    from soak.simulation.plan import Plan
    from soak.simulation.queue.forecast import QueueForecast
    from soak.simulation.recorder import Recorder

_MOST_STEPS = 12
"""More changes of the number of workers are not told one by one."""

# What is simulated with is imported when it is: `soak validate` asks this room, too.


def _model(env: "Environment", plan: "Plan", recorder: "Recorder") -> Model:
    varies = queue_of(plan.scenario).fleet.varies
    if plan.users:
        from soak.simulation.queue.closed import ClosedFleetModel, ClosedQueueModel, ClosedQueuesModel

        if queue_of(plan.scenario).queues:
            return ClosedQueuesModel(env, plan, recorder)
        return ClosedFleetModel(env, plan, recorder) if varies else ClosedQueueModel(env, plan, recorder)
    if queue_of(plan.scenario).queues:
        from soak.simulation.queue.queues import QueuesModel

        return QueuesModel(env, plan, recorder)
    if varies:
        from soak.simulation.queue.fleet import FleetModel

        return FleetModel(env, plan, recorder)
    from soak.simulation.queue.model import QueueModel

    return QueueModel(env, plan, recorder)


def _compiled(plan: "Plan", recorder: "Recorder") -> Model:
    from soak.simulation.queue.compiled import CompiledQueueModel

    return CompiledQueueModel(plan, recorder)


def _kernel() -> object:
    from soak.simulation.queue.compiled import kernel

    return kernel()


def _lacks(scenario: Scenario) -> str:
    """What the compiled model has none of: it is `QueueModel`, not those with more to them."""
    queue = queue_of(scenario)
    found = {
        "users": scenario.workload.users is not None,
        "queues with workers of their own": bool(queue.queues),
        "workers that come and go": queue.fleet.varies,
    }
    return ", ".join(what for what, is_there in found.items() if is_there)


def _forecast(plan: "Plan") -> "QueueForecast | ClosedForecast":
    if plan.users:
        from soak.simulation.closed import forecast_closed
        from soak.simulation.queue.closed_need import need_of

        return forecast_closed(plan.scenario, need_of(plan.scenario))
    from soak.simulation.queue.forecast import forecast_queue

    return forecast_queue(plan)


def _figures(scenario: Scenario, f: "QueueForecast | ClosedForecast") -> list[str]:
    from soak.simulation.closed import ClosedForecast, closed_figures

    if isinstance(f, ClosedForecast):
        return [*closed_figures(scenario, f), *delivery_figures(scenario), *_faults(scenario, f)]
    there = f"{f.mean_workers:.4g}" if f.planned_workers else f"{f.workers}"
    busy = f"{f.mean_load:.2f} of {there} workers busy on average ({f.mean_load / f.mean_workers:.0%})"
    return [
        f"  tasks       {f.arrivals:,} ({f.expected_arrivals:,.0f} expected), {f.duplicates:,} of them submitted twice",
        f"  attempts    {f.attempts_per_task:.3f} per task, mean service time {show_duration(f.service_mean_s)}",
        f"  load        {busy}{in_bursts(scenario, f.load, f.peak_load, between=True)}",
        *_workers(f),
        *set_time_lines(f.at_set_times),
        *delivery_figures(scenario),
        *_kinds(f),
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


def _kinds(figures: "QueueForecast") -> list[str]:
    """Kinds of work and queues, a line each."""
    lines = []
    for each in figures.kinds:
        told = f"{show_ratio(each.share)}, mean service time {show_duration(each.service_mean_s)}"
        more = f"{each.attempts_per_task:.3f} attempts, {each.mean_load:.2f} workers busy"
        first = f", priority {each.priority}" if each.priority else ""
        lines.append(("kinds", f"{each.name}: {told}, {more}{first}{f', in {each.queue}' if each.queue else ''}"))
    for queue in figures.queues:
        busy = (
            f"{queue.mean_load:.2f} of {queue.workers} workers busy on average ({queue.mean_load / queue.workers:.0%})"
        )
        limit = f", at most {show_rate(queue.rate_limit_per_s)}" if queue.rate_limit_per_s else ""
        ahead = f", {queue.prefetch} reserved by each" if queue.prefetch else ""
        lines.append(("queues", f"{queue.name}: {', '.join(queue.kinds)}; {busy}{limit}{ahead}"))
    seen, shown = set[str](), []
    for name, text in lines:
        shown.append(f"  {'' if name in seen else name:10}  {text}")
        seen.add(name)
    return shown


def _faults(scenario: Scenario, figures: "QueueForecast | ClosedForecast") -> list[str]:
    lines = []
    for index, fault in enumerate(scenario.faults):
        kind = "tasks" if fault.spec.counts == "tasks" else "first attempts"
        drawn = f"{figures.faults[fault.name]:,} {kind}" if fault.name in figures.faults else ""
        first = f", first at {show_duration(fault.windows[0].start_s)}" if fault.windows else ""
        times = f"{len(fault.windows)} time{'s' if len(fault.windows) > 1 else ''}{first}" if fault.windows else ""
        what = ", ".join(part for part in (drawn, times) if part)
        lines.append(f"  {'faults' if not index else '':10}  {fault.name} ({fault.type}): {what}")
    return lines


def _pictures(scenario: Scenario, figures: "QueueForecast | ClosedForecast") -> Iterator[Picture]:
    from soak.simulation.closed import ClosedForecast

    if isinstance(figures, ClosedForecast):
        return
    if figures.cycle_s < scenario.duration_s or scenario.workload.shape:
        yield figures.cycle_rate_per_s.tolist(), figures.cycle_s, "planned rate"
    if figures.planned_workers:
        yield _mean_workers(figures, scenario.duration_s), scenario.duration_s, "workers as planned"


def _mean_workers(figures: "QueueForecast", span_s: float) -> Counts:
    """The workers in equal parts of a time, on average in each."""
    part_s = span_s / len(figures.rate_per_s)
    spans = list(pairwise([*figures.planned_workers, (span_s, 0.0)]))
    means = Counts()
    for place in range(len(figures.rate_per_s)):
        begin_s, end_s = place * part_s, (place + 1) * part_s
        inside = ((max(0.0, min(end_s, to_s) - max(begin_s, from_s)), there) for (from_s, there), (to_s, _) in spans)
        means.append(sum(length_s * there for length_s, there in inside) / part_s)
    return means


def _time_limits(scenario: Scenario) -> list[float]:
    queue = queue_of(scenario)
    limits_s = [each.time_limit_s for each in queue.by_kind or (queue,)]
    return limits_s if min(limits_s) < NO_LIMIT_S else []


def _doubts(scenario: Scenario) -> Iterator[Doubt]:
    yield from delivery_doubts(scenario)
    yield from service_doubts(scenario)
    yield from fault_doubts(scenario)


ROOM = Room(
    model=_model,
    forecast=_forecast,
    figures=_figures,
    pictures=_pictures,
    actions=ACTIONS,
    doubts=_doubts,
    calibrated=True,
    time_limits=_time_limits,
    timed_out=Action.TIME_LIMIT,
    compiled=Compiled(_compiled, _kernel, _lacks),
)
