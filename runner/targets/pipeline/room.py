"""The system `pipeline` for real."""

from soak.runner.targets.room import Room

ROOM = Room()
