"""The system `queue` in the judge."""

from soak.runner.judge.queue.exposure import Attempts, Duplicates
from soak.runner.judge.queue.tracker import QueueTracker
from soak.runner.judge.room import Busy, Room
from soak.schemas.systems.queue.settings import queue_of

ROOM = Room(
    tracker=QueueTracker,
    exposed=lambda scenario, vocabulary: [Duplicates(scenario, vocabulary), Attempts(scenario, vocabulary)],
    busy=lambda scenario: (
        Busy("busy_workers", "workers busy", queue_of(scenario).workers),
        Busy("queue_depth", "queued"),
    ),
)
