"""The system `calls` in the judge."""

from soak.runner.judge.calls.exposure import exposed
from soak.runner.judge.calls.tracker import CallTracker
from soak.runner.judge.room import Room

ROOM = Room(tracker=CallTracker, exposed=exposed)
