"""The discrete-event model as a target."""

from collections.abc import Generator
from pathlib import Path

from runner.targets.history import History
from schemas.block import Block
from schemas.errors import UsageError
from simulation.plan import Plan
from simulation.run import simulate


class Simulation:
    """Runs a plan against the SimPy model; time is the model's own."""

    name = "simulation"
    clock = "simulated"
    speed = 1.0

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """A model needs nothing. Raises UsageError when it is to go on: it is as quick to begin again."""
        if history:
            raise UsageError("a simulation is not resumed (run it again: the manifest says how)")

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of the model."""
        return simulate(plan)
