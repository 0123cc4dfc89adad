"""The discrete-event model as a target."""

from collections.abc import Generator

from schemas.block import Block
from simulation.plan import Plan
from simulation.run import simulate


class Simulation:
    """Runs a plan against the SimPy model; time is the model's own."""

    name = "simulation"
    clock = "simulated"

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of the model."""
        return simulate(plan)
