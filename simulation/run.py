"""Running a model over its plan, a block of events at a time."""

from collections.abc import Generator

from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, merge, tick
from soak.simulation.compiled.engine import Engine, Ran
from soak.simulation.compiled.library import Unavailable
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder
from soak.simulation.room import Model, room_of

EVENTS_PER_BLOCK = 32_768
_GROWTH = 4
"""Where blocks may be larger than usual, each holds four times as much as the one before: a run may end early."""

EVENTS_PER_TASK = 6


def simulate(
    plan: Plan, engine: Engine = Engine.AUTO, most_events: int = EVENTS_PER_BLOCK
) -> Generator[Block, None, None]:
    """The events of the whole run, in blocks in time order; the last block ends with the model's census of tasks.

    most_events: about how many a block may hold. Raises Unavailable if an engine is asked for by name that cannot run it.
    """
    scenario, horizon_s = plan.scenario, plan.horizon_s
    recorder = Recorder(plan)
    model = model_of(plan, recorder, engine)
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


def model_of(plan: Plan, recorder: Recorder, engine: Engine) -> Model:
    """The model that runs a plan. Raises Unavailable, see `simulate`."""
    room = room_of(plan.scenario.system)
    if room.compiled and engine_for(plan.scenario, engine).engine is Engine.COMPILED:
        return room.compiled.model(plan, recorder)
    from simpy import Environment

    return room.model(Environment(), plan, recorder)


def engine_for(scenario: Scenario, engine: Engine) -> Ran:
    """The engine that runs a scenario, if this one is asked for. Raises Unavailable for a compiled one that cannot be had."""
    if engine is Engine.SIMPY:
        return Ran(engine)
    compiled = room_of(scenario.system).compiled
    lacks = compiled.lacks(scenario) if compiled else f"system {scenario.system}"
    try:
        if lacks or compiled is None:
            raise Unavailable(f"the compiled model does not cover {lacks}")
        compiled.ready()
    except Unavailable as reason:
        if engine is Engine.COMPILED:
            raise
        return Ran(Engine.SIMPY, str(reason), missing=not lacks)
    return Ran(Engine.COMPILED)
