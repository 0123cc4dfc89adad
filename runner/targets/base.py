"""The one thing the engine knows of a target: it yields events in time order."""

from collections.abc import Generator
from pathlib import Path
from typing import Protocol, runtime_checkable

from soak.runner.targets.history import History
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.simulation.plan import Plan


class Target(Protocol):
    """Something to soak. `name`, `clock` and `speed` (scenario seconds in a second of its clock) stand in the evidence."""

    name: str
    clock: str
    speed: float

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Make ready to run, with `directory` for what the target itself leaves behind; `history`: to go on from there.

        Raises SoakError; UsageError for a target that cannot go on.
        """

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run of `plan`, in blocks in time order, each complete up to its `until_s`.

        Closing the generator ends the run: the target stops what it started.
        """


@runtime_checkable
class Selective(Protocol):
    """A target that cannot run every scenario."""

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for a scenario that it cannot run, or cannot go on with, before anything is written."""


@runtime_checkable
class Patient(Protocol):
    """A target that waits for each of its calls. `patience_s`: how long, in real seconds; None: as long as is usual."""

    patience_s: float | None


@runtime_checkable
class Redelivering(Protocol):
    """A target that may declare how long the work of a dead worker takes to be started again at most.

    `redelivery_s`: in real seconds, whatever the speed; None: as the scenario's leases say.
    """

    redelivery_s: float | None
