"""A task system that a target file describes, as a target."""

from collections.abc import Generator
from pathlib import Path

from soak.runner.targets.history import History
from soak.runner.targets.processes.faketime.fitness import unclocked
from soak.runner.targets.processes.prepared import missing_commands
from soak.runner.targets.queue.foreign.fitting import fitted
from soak.runner.targets.queue.refusals import refuse_fleet
from soak.runner.targets.refusals import refuse_system
from soak.schemas.errors import UsageError
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.target.fits import refuse_misfit, unused
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Promises, TargetFile
from soak.simulation.plan import Plan

_OF_OTHERS = (("source",), ("streams",), ("sinks",), ("url",), ("supervisor",), ("processes",))


class ForeignTarget:
    """Submits to a task system and judges what was seen of it; `bundled`: whether its file is one of the package's own."""

    clock = "real"

    def __init__(self, loaded: LoadedTarget, speed: float = 1.0, *, bundled: bool = False) -> None:
        self.target_file = loaded
        self.name = loaded.file.name
        self.speed = speed
        self.target_sha256 = None if bundled else loaded.sha256
        self.level: int | None = level_of(loaded.file)
        promises = loaded.file.promises or Promises()
        self.promises: tuple[str, ...] | None = tuple(sorted(promises.made))
        self.left_out: dict[str, str] | None = None
        roles = {each.name: each.role for each in loaded.file.services if each.role}
        self.roles: dict[str, str] | None = roles or None
        self._directory = Path()

    @property
    def redelivery_s(self) -> float | None:
        """In real seconds: its promise is of its own clock."""
        file = self.target_file.file
        promised_s = file.promises.redelivery_s if file.promises else None
        return None if promised_s is None else promised_s / (file.faketime or 1.0)

    def fit(self, loaded: Loaded) -> Loaded:
        """The scenario without the faults that do not apply, which are in `left_out` from here on. Raises ScenarioError."""
        if loaded.scenario.system != "queue":
            return loaded
        applying, why = fitted(loaded, self.target_file.file)
        self.left_out = why or None
        return applying

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for a scenario that this target cannot run, ScenarioError for what its file lacks."""
        refuse_system(scenario, "queue", self.name)
        if resumed:
            _refuse_to_go_on(self.name)
        refuse_fleet(scenario, self.name, "the number of its workers is that of its target file")
        refuse_misfit(
            self.target_file,
            more=[
                *unused(self.target_file, _OF_OTHERS, "queue", "it is of records, or of what requests are sent to"),
                *missing_commands(self.target_file),
                *unclocked(self.target_file),
            ],
        )

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Keep logs and files of the system in `directory`. Raises UsageError for a run to resume."""
        if history:
            _refuse_to_go_on(self.name)
        self._directory = directory

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run."""
        from soak.runner.targets.queue.foreign.drive import Drive, Way

        with Drive(plan, Way(self.target_file, self._directory, self.speed)) as drive:
            yield from drive.blocks()


def level_of(file: TargetFile) -> int:
    """How much can be judged: 0 submissions and bodies, 1 processes of workers, 2 services, 3 a census of the system's own."""
    if file.census:
        return 3
    if file.services:
        return 2
    return 1 if file.workers else 0


def _refuse_to_go_on(name: str) -> None:
    what = f"a run against target {name} cannot be resumed: the present state of its tasks is unknown"
    raise UsageError(f"{what} (run it again)")
