"""The one thing the engine knows of a target: it yields events in time order."""

from collections.abc import Generator
from typing import Protocol

from schemas.block import Block
from simulation.plan import Plan


class Target(Protocol):
    """Something to soak. `name` and `clock` stand in the evidence."""

    name: str
    clock: str

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run of `plan`, in blocks in time order, each complete up to its `until_s`.

        Closing the generator ends the run: the target stops what it started.
        """
