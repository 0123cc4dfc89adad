"""The system `relay` in reports: nothing beside what every report has."""

from soak.reports.room import Room

ROOM = Room()
