"""A task system that a target file describes, as a target."""

from collections.abc import Generator
from pathlib import Path

from soak.runner.targets.history import History
from soak.runner.targets.refusals import refuse_system
from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.target.load import LoadedTarget
from soak.simulation.plan import Plan


class ForeignTarget:
    """What a target file submits to and starts; `bundled`: whether the file is one of the package's own."""

    clock = "real"

    def __init__(self, loaded: LoadedTarget, speed: float = 1.0, *, bundled: bool = False) -> None:
        self.target_file = loaded
        self.name = loaded.file.name
        self.speed = speed
        self.target_sha256 = None if bundled else loaded.sha256

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for a scenario that this target cannot run."""
        refuse_system(scenario, "queue", self.name)

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Keep files of the system in `directory`."""

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run."""
        raise UsageError(f"{self.name} cannot be run yet (use another target)")
