"""The real targets of the system `gateway`."""

from soak.runner.targets.room import Room

ROOM = Room()
