"""Faults of a queue that a runner cannot inject into a system whose files it does not know."""

from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import queue_of

NO_FILES: dict[str, str] = {
    QueueFault.DISK_FULL: "the runner does not know where its data is stored",
    QueueFault.DB_OUTAGE: "the runner cannot lock a database that it does not know",
}


def refuse_fleet(scenario: Scenario, target: str, why: str) -> None:
    """Raises UsageError for a scenario that changes the number of workers, for a target that cannot."""
    fleet = queue_of(scenario).fleet
    for key, given in (("schedule", fleet.steps), ("scaling", fleet.scaling)):
        if given:
            remedy = f"remove queue.{key}, or use another target"
            raise UsageError(f"target {target} cannot run this scenario: queue.{key}: {why} ({remedy})")
