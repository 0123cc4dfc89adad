"""An attached queue as a target."""

from collections.abc import Generator
from pathlib import Path

from soak.contract import Queue
from soak.runner.targets.caller import PATIENCE_S
from soak.runner.targets.history import History
from soak.runner.targets.locate import declared_promises, declared_redelivery
from soak.runner.targets.queue.kinds import BUDGET, TO_TAKE, declared, refuse_kinds
from soak.runner.targets.queue.refusals import NO_FILES, refuse_early_acknowledgement, refuse_services
from soak.runner.targets.refusals import refuse_faults, refuse_system
from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.systems.queue.faults import QueueFault
from soak.simulation.plan import Plan

_INSIDE: dict[str, str] = {
    **NO_FILES,
    QueueFault.DISPATCHER_CRASH: "it has no dispatcher, since workers claim by themselves",
    QueueFault.WATCHDOG_CRASH: "the runner itself is its watchdog",
}

_HANG: dict[str, str] = {
    QueueFault.WORKER_HANG: "its workers are the runner's own, which hang in an attempt only (write a rate and hang_for)"
}
"""Where workers are to hang at a time."""


class QueueAdapter:
    """Drives a queue with a plan, `speed` times as fast as the scenario says. `name`: as given by the user."""

    clock = "real"

    def __init__(self, name: str, kind: type[Queue], speed: float = 1.0, patience_s: float | None = None) -> None:
        self.name = name
        self.speed = speed
        self._kind = kind
        self.patience_s = patience_s
        """Timeout of a call in real seconds, if not PATIENCE_S."""
        self.redelivery_s = declared_redelivery(name, kind)
        """Declared maximum redelivery time in real seconds; None if not declared."""
        self.level: int | None = None
        self.promises = declared_promises(name, kind)
        self.left_out: dict[str, str] | None = None
        self._directory = Path()

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for a scenario that this target cannot run."""
        refuse_system(scenario, "queue", self.name)
        refuse_early_acknowledgement(scenario, self.name, self._kind)
        # A worker of the runner notices that a task is over its budget, whatever that is.
        refuse_kinds(scenario, self.name, (BUDGET, *declared(self._kind)), TO_TAKE)
        refuse_services(scenario, self.name)
        at_a_time = any(fault.type == QueueFault.WORKER_HANG and fault.by_time for fault in scenario.faults)
        refuse_faults(scenario, self.name, {**_INSIDE, **_HANG} if at_a_time else _INSIDE)

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Keep files of the queue in `directory`. Raises UsageError for a run to resume."""
        if history:
            raise UsageError(f"{self.name} cannot be resumed: the present state of its tasks is unknown (run it again)")
        self._directory = directory.absolute() / "system"
        self._directory.mkdir()

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run."""
        from soak.runner.targets.offspring import offspring_ended
        from soak.runner.targets.queue.queue_adapter.drive import Drive

        self.admit(plan.scenario)
        with (
            offspring_ended(self.name),
            Drive(plan, self._kind, self._directory, self.speed, self.patience_s or PATIENCE_S) as drive,
        ):
            yield from drive.blocks()
