"""The system `pipeline` in reports."""

from soak.reports.room import Room

ROOM = Room()
