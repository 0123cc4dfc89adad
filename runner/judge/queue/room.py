"""The system `queue` in the judge."""

from soak.runner.judge.queue.exposure import Attempts, Duplicates
from soak.runner.judge.queue.tracker import QueueTracker
from soak.runner.judge.room import Busy, Room
from soak.schemas.language.model import Scenario
from soak.schemas.systems.queue.indicators import WORKERS_ALIVE
from soak.schemas.systems.queue.settings import queue_of


def _busy(scenario: Scenario) -> tuple[Busy, ...]:
    queue = queue_of(scenario)
    if queue.fleet.varies:
        return Busy("busy_workers", "workers busy"), Busy(WORKERS_ALIVE, "workers up"), Busy("queue_depth", "queued")
    return Busy("busy_workers", "workers busy", queue.workers), Busy("queue_depth", "queued")


ROOM = Room(
    tracker=QueueTracker,
    exposed=lambda scenario, vocabulary: [Duplicates(scenario, vocabulary), Attempts(scenario, vocabulary)],
    busy=_busy,
)
