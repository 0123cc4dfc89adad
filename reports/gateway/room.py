"""The system `gateway` in reports."""

from soak.reports.plots.canvas import BLUE, GREEN, PURPLE, RED
from soak.reports.plots.panels import Line, Over, Panel
from soak.reports.room import Room

_PANELS = (
    Panel(
        "Requests",
        "requests per minute",
        (Line("sent", BLUE, ("requests",)), Line("failed", RED, ("failed",))),
        height=2,
    ),
    Panel(
        "Requests in flight",
        "requests",
        (
            Line("peak in flight", PURPLE, ("in_flight_max",), Over.PEAK, filled=True),
            Line("mean in flight", GREEN, ("in_flight",), Over.MEAN),
        ),
    ),
)

ROOM = Room(panels=_PANELS)
