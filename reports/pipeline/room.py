"""The system `pipeline` in reports."""

from soak.reports.pipeline.daily import daily_reports
from soak.reports.room import Room

ROOM = Room(documents=daily_reports)
