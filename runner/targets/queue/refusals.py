"""Faults of a queue that a runner cannot inject into a system whose files it does not know."""

from soak.schemas.systems.queue.faults import QueueFault

NO_FILES: dict[str, str] = {
    QueueFault.DISK_FULL: "the runner does not know where its data is stored",
    QueueFault.DB_OUTAGE: "the runner cannot lock a database that it does not know",
}
