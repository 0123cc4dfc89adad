"""What a system that is not the bundled one cannot be asked: faults in files it keeps to itself, and what it does not declare."""

from soak.contract import Queue, System
from soak.runner.targets.refusals import refuse_faults
from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.faults import OF_SERVICES, QueueFault
from soak.schemas.systems.queue.settings import queue_of

NO_FILES: dict[str, str] = {
    QueueFault.DISK_FULL: "the runner does not know where its data is stored",
    QueueFault.DB_OUTAGE: "the runner cannot lock a database that it does not know",
}


def refuse_early_acknowledgement(scenario: Scenario, name: str, kind: type[Queue] | type[System]) -> None:
    """Raises UsageError for `ack: early` where a class does not declare that it can."""
    if queue_of(scenario).acks_early and getattr(kind, "acks_early", False) is not True:
        remedy = "declare acks_early = True in the class once it does, or write ack: late"
        raise UsageError(
            f"queue.ack: early: {name} does not declare that it acknowledges a task as it hands it out ({remedy})"
        )


def refuse_fleet(scenario: Scenario, target: str, why: str) -> None:
    """Raises UsageError for a scenario that changes the number of workers, for a target that cannot."""
    fleet = queue_of(scenario).fleet
    for key, given in (("schedule", fleet.steps), ("scaling", fleet.scaling)):
        if given:
            remedy = f"remove queue.{key}, or use another target"
            raise UsageError(f"target {target} cannot run this scenario: queue.{key}: {why} ({remedy})")


def refuse_services(scenario: Scenario, target: str) -> None:
    """Raises UsageError for faults of services, for a target that has none that it could strike."""
    why = "it has no services or network that soak could strike (describe the system in a target file with `submit`)"
    struck = {fault.type: why for fault in scenario.faults if fault.type in OF_SERVICES and fault.type not in OWN}
    own = {fault.type: why for fault in scenario.faults if fault.type in OWN and fault.dependency}
    refuse_faults(scenario, target, {**struck, **own})


OWN = frozenset({QueueFault.DISK_FULL})
"""Faults of services that may also be of the system's own database, where they name none."""
