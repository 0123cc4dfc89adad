"""Trials of a self-test: planted defects of a target, each with the scenario and the check that must find it."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from soak.schemas.evidence.verdict import Status


class Trial(Struct, frozen=True):
    """A defect (None: a sound system), the scenario run against it, and the checks meant for it, of which one suffices.

    settings: of the scenario, as for `--set`. speed: speed-up factor; None for that of the self-test. status: the one that a
    check must have to have found the defect; None: any but PASS.
    """

    defect: str | None
    scenario: str
    meant: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    speed: float | None = None
    status: Status | None = None

    @property
    def name(self) -> str:
        """Its name in the matrix."""
        return self.defect or f"clean ({self.scenario})"


class Trials(Struct, frozen=True):
    """What proves that a soak of a target finds bugs.

    variable: the environment variable that plants a defect by its name; none is planted where it is empty. planted: a trial
    for each defect. clean: runs that must have no findings.
    """

    variable: str
    planted: Sequence[Trial]
    clean: Sequence[Trial]


MakeTrials = Callable[[], Trials]
