"""The interface of a target: it yields events in time order."""

from collections.abc import Generator
from pathlib import Path
from typing import Protocol, runtime_checkable

from soak.runner.load.options import Options
from soak.runner.targets.history import History
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.target.load import LoadedTarget
from soak.simulation.compiled.engine import Ran
from soak.simulation.plan import Plan


class Target(Protocol):
    """Something to soak. `name`, `clock` and `speed` (scenario seconds per second of its clock) are part of the evidence."""

    name: str
    clock: str
    speed: float

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Prepare a run, with `directory` for files of the target; `history`: resume from there.

        Raises SoakError; UsageError for a target that cannot resume.
        """

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run of `plan`, in blocks in time order, each complete up to its `until_s`.

        Closing the generator ends the run: the target stops what it started.
        """


@runtime_checkable
class Selective(Protocol):
    """A target that cannot run every scenario."""

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for a scenario that it cannot run or resume, before anything is written."""


@runtime_checkable
class Fitting(Protocol):
    """A target to which not everything in a scenario may apply. `left_out`: by fault that does not, why; known after `fit`."""

    left_out: dict[str, str] | None

    def fit(self, loaded: Loaded) -> Loaded:
        """The scenario as far as it applies, before `admit`: what is run, kept and judged. Raises ScenarioError."""


@runtime_checkable
class Reading(Protocol):
    """A target that reads files beside the scenario, or says at its place what a scenario lacks."""

    def read(self, loaded: Loaded) -> None:
        """Raises ScenarioError and UsageError, before anything is written."""


@runtime_checkable
class Simulating(Protocol):
    """A target that simulates. `ran`: by which engine, once that is known."""

    ran: Ran | None


@runtime_checkable
class Patient(Protocol):
    """A target with a timeout of its calls. `patience_s`: in real seconds; None: the default."""

    patience_s: float | None


@runtime_checkable
class Redelivering(Protocol):
    """A target that may declare a maximum time until the work of a dead worker is started again.

    `redelivery_s`: in real seconds, whatever the speed; None: derived from the scenario's lease.
    """

    redelivery_s: float | None


@runtime_checkable
class Loading(Protocol):
    """A target whose load is made by processes of their own. `load`: which; set before `admit`."""

    load: Options


@runtime_checkable
class FromFile(Protocol):
    """A target that a target file describes. `target_sha256`: of a file that the user gave; None for one that is bundled."""

    target_file: LoadedTarget
    target_sha256: str | None


@runtime_checkable
class Promising(Protocol):
    """A task system whose promises are known: what it did not promise is not demanded.

    See `Identity`; known once `admit` has returned.
    """

    level: int | None
    promises: tuple[str, ...] | None
    left_out: dict[str, str] | None


@runtime_checkable
class Serving(Protocol):
    """A task system with services of their own. `roles`: see `Identity`; known once `admit` has returned."""

    roles: dict[str, str] | None
