"""Running a model over its plan, a block of events at a time."""

from collections.abc import Generator

from simpy import Environment

from soak.schemas.stream.block import Block, merge, tick
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder
from soak.simulation.room import room_of

EVENTS_PER_BLOCK = 32_768
_GROWTH = 4
"""Where blocks may be larger than usual, each holds so many times as much as the one before: a run may end early."""

EVENTS_PER_TASK = 6


def simulate(plan: Plan, most_events: int = EVENTS_PER_BLOCK) -> Generator[Block, None, None]:
    """The events of the whole run, in blocks in time order; the last block ends with the model's census of tasks.

    most_events: about how many a block may hold.
    """
    scenario, horizon_s = plan.scenario, plan.horizon_s
    recorder = Recorder(plan)
    model = room_of(scenario.system).model(Environment(), plan, recorder)
    events, step_s = EVENTS_PER_BLOCK, _step(plan, EVENTS_PER_BLOCK)
    until_s = 0.0
    while model.ended_s is None and until_s < horizon_s:
        until_s = min(until_s + step_s, horizon_s)
        model.run(until_s)
        if model.ended_s is None and until_s < horizon_s:
            yield (block := recorder.take(until_s))
            if len(block) * 2 < EVENTS_PER_BLOCK and scenario.workload.users:
                # A slow system gets less work from users than they could submit, and blocks would hold next to nothing.
                step_s *= 2
            elif events < most_events:
                events = min(events * _GROWTH, most_events)
                step_s = _step(plan, events)
    ended_s = tick(until_s if model.ended_s is None else model.ended_s)
    last = recorder.take(until_s).up_to(ended_s)
    model.census(ended_s)
    yield merge([last, recorder.take(ended_s)])


def _step(plan: Plan, events: int) -> float:
    """How much scenario time goes into a block; where that makes little difference, whole checkpoints: they divide blocks."""
    step_s = max(1.0, events / EVENTS_PER_TASK / max(plan.rate.mean_per_s, 1e-9))
    every_s = plan.scenario.checkpoint_every_s
    return round(step_s / every_s) * every_s if step_s >= every_s else step_s
