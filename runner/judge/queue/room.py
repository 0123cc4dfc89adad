"""The system `queue` in the judge."""

from soak.runner.judge.queue.exposure import Attempts, Duplicates
from soak.runner.judge.queue.tracker import QueueTracker
from soak.runner.judge.room import Room

ROOM = Room(
    tracker=QueueTracker,
    exposed=lambda scenario, vocabulary: [Duplicates(scenario), Attempts(scenario, vocabulary)],
)
