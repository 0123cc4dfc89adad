"""The discrete-event model as a target."""

import os
from collections.abc import Generator
from pathlib import Path

import numpy as np

from soak.runner.targets.history import History
from soak.schemas.errors import ScenarioError, UsageError, printable
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import BrokenSystemError
from soak.schemas.language.systems import problem_of_system
from soak.schemas.stream.block import COLUMNS, Block, make_block
from soak.schemas.stream.events import Kind
from soak.simulation.compiled.engine import Engine, Ran
from soak.simulation.compiled.library import Unavailable
from soak.simulation.plan import Plan
from soak.simulation.run import EVENTS_PER_BLOCK, engine_for, simulate

ENGINE_VARIABLE = "SOAK_ENGINE"
"""The environment variable that names the engine of all commands that simulate."""


class Simulation:
    """Runs a plan against the model; time is the model's own."""

    name = "simulation"
    clock = "simulated"
    speed = 1.0

    def __init__(self, engine: Engine | None = None, most_events: int = EVENTS_PER_BLOCK) -> None:
        """engine: None for the one that $SOAK_ENGINE names. most_events: about how many a block may hold."""
        self._engine, self._most_events = engine or default_engine(), most_events
        self._asked_by = "--engine " if engine else f"{ENGINE_VARIABLE}="
        self.ran: Ran | None = None
        """Which engine ran, or will, once that is known."""

    def read(self, loaded: Loaded) -> None:
        """Find the engine. Raises UsageError if the one that was asked for cannot run the scenario."""
        try:
            self.find(loaded.scenario)
        except BrokenSystemError as error:
            raise ScenarioError([problem_of_system(loaded.document, error)]) from error

    def find(self, scenario: Scenario) -> Ran:
        """The engine that runs a scenario. Raises UsageError, see `read`."""
        try:
            self.ran = engine_for(scenario, self._engine)
        except Unavailable as reason:
            raise UsageError(
                f"{self._asked_by}{self._engine}: {reason} (write {self._asked_by}auto: SimPy gives the same run)"
            ) from None
        return self.ran

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Nothing to prepare. Raises UsageError for a run to resume: running it again is as fast."""
        if history:
            raise UsageError("a simulation cannot be resumed (run it again: the manifest has the command)")

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of the model; of a scenario with `repeat`, compared with those of as many more runs."""
        engine = self.find(plan.scenario).engine
        return simulate(plan, engine, self._most_events) if plan.scenario.repeat == 1 else _repeated(plan, engine)


def default_engine() -> Engine:
    """The engine that $SOAK_ENGINE names; by default `auto`. Raises UsageError for one that there is not."""
    found = os.environ.get(ENGINE_VARIABLE) or Engine.AUTO
    try:
        return Engine(found)
    except ValueError:
        raise UsageError(f"{ENGINE_VARIABLE}={printable(found)} is not an engine (write {', '.join(Engine)})") from None


def _repeated(plan: Plan, engine: Engine) -> Generator[Block, None, None]:
    """The events of a run, compared with repeated simulations of the same plan; at the end, the differing events of each."""
    others = [simulate(plan.again(), engine) for _ in range(plan.scenario.repeat - 1)]
    differing = [0] * len(others)
    until_s = 0.0
    for block in simulate(plan, engine):
        for place, other in enumerate(others):
            differing[place] += _differing(block, next(other, None))
        until_s = block.until_s
        yield block
    yield make_block([until_s] * len(others), [Kind.RUN_REPEATED] * len(others), until_s=until_s, value=differing)


def _differing(block: Block, other: Block | None) -> int:
    """How many events of two blocks are not the same, place by place."""
    if other is None:
        return len(block)
    common = min(len(block), len(other))
    same = np.ones(common, dtype=np.bool_)
    for name in COLUMNS:
        one, two = getattr(block, name)[:common], getattr(other, name)[:common]
        same &= (one == two) | ((one != one) & (two != two))
    return max(len(block), len(other)) - int(same.sum())
