"""The real orchestrator as a target: real processes, a real database, real faults."""

import sqlite3
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from soak.runner.targets.history import History
from soak.runner.targets.queue.kinds import BUDGET, PRIORITY, QUEUES, RATE_LIMIT, RETRY, refuse_kinds
from soak.runner.targets.queue.refusals import refuse_services
from soak.runner.targets.refusals import refuse_system
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.runner.targets.queue.orchestrator.continuation import Continuation

DATABASE = "queue.db"
_TAKES = (PRIORITY, RETRY, BUDGET, QUEUES, RATE_LIMIT)
"""What of kinds of work it takes: its workers reserve nothing."""

_CLOCK_SET = "clock.set"
"""Says, beside the database, that the machine's clock was set during the run."""
"""Below the directory of the system, unless that has to be on a disk of its own."""


def needs_disk(scenario: Scenario) -> bool:
    """Whether the database has to lie on a file system that can be filled."""
    return any(fault.type == QueueFault.DISK_FULL for fault in scenario.faults)


class Orchestrator:
    """Drives the orchestrator in `systems/` with a plan, `speed` times as fast as the scenario says."""

    name = "orchestrator"
    clock = "real"

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._directory = Path()
        self._continuation: Continuation

    def admit(self, scenario: Scenario, *, resumed: bool = False) -> None:
        """Raises UsageError for another system, a fault not possible on this machine, and a run that cannot be resumed."""
        refuse_system(scenario, "queue", self.name)
        refuse_services(scenario, self.name)
        refuse_kinds(scenario, self.name, _TAKES, "remove it, or leave out --target to simulate it")
        from soak.runner.targets.queue.orchestrator.disk import can_mount

        if resumed and queue_of(scenario).acks_early:
            remedy = "run it again: the manifest has the command"
            raise UsageError(
                f"ack: early: the tasks that were running are lost with the workers of this run ({remedy})"
            )
        if resumed and queue_of(scenario).fleet.varies:
            remedy = "run it again: the manifest has the command"
            raise UsageError(
                f"which of its workers were up when the runner died is not known, since they come and go ({remedy})"
            )
        if resumed and needs_disk(scenario):
            remedy = "run it again: the manifest has the command"
            raise UsageError(
                f"disk_full: the temporary disk with the database of this run is gone with its runner ({remedy})"
            )
        if needs_disk(scenario) and not can_mount():
            remedy = "run as root, or remove the fault"
            raise UsageError(f"disk_full needs a separate file system, but mounting one is not permitted ({remedy})")

    def prepare(self, directory: Path, history: History | None = None) -> None:
        """Keep logs and database of the system in `directory`. Raises UsageError if it cannot resume from `history`."""
        self._directory = directory / "system"
        if history is None:
            self._directory.mkdir()
        elif history.lost:
            remedy = "run it again: the manifest has the command"
            raise UsageError(f"telemetry was lost in this run, so its state is unknown ({remedy})")
        elif (self._directory / _CLOCK_SET).exists():
            remedy = "run it again: the manifest has the command"
            raise UsageError(
                f"the clock of the machine was set during this run, and its leases depend on it ({remedy})"
            )
        elif not (self._directory / DATABASE).exists():
            raise UsageError(
                f"{self._directory / DATABASE}: is missing (without its database the run cannot be resumed)"
            )
        from soak.runner.targets.queue.orchestrator.continuation import Continuation

        self._continuation = Continuation(self._directory / DATABASE, history, self.speed)

    def run(self, plan: Plan) -> Generator[Block, None, None]:
        """The events of a run."""
        from soak.runner.targets.clock import ClockSetError
        from soak.runner.targets.queue.orchestrator.drive import Drive
        from soak.systems.orchestrator.db_store import StoreError

        try:
            with Drive(plan, self._directory, self.speed, self._continuation) as drive:
                yield from drive.blocks()
        except ClockSetError:
            (self._directory / _CLOCK_SET).touch()
            raise
        except (StoreError, sqlite3.Error) as error:
            where = f"its logs are in {self._directory}"
            raise SoakError(f"the orchestrator's database cannot be used: {error} ({where})") from error
