"""The system `calls` in reports."""

from pathlib import Path

from markupsafe import Markup

from soak.reports.calls import gain
from soak.reports.data import RunData
from soak.reports.plots.canvas import BLUE, GREEN, ORANGE, PURPLE, RED
from soak.reports.plots.panels import Line, Over, Panel
from soak.reports.room import Grown, Inline, Room
from soak.reports.summary import render_template
from soak.schemas.evidence.verdict import Gain
from soak.schemas.units import show_ratio

_HERE = Path(__file__).parent
_GAIN_PLOT = "gain.svg"


def what_it_tells(gain: Gain) -> str:
    """What this number of tasks shows, and what it does not."""
    if gain.after.interval is None or gain.interval is None:
        return (
            f"{show_ratio(gain.after.share)} of {gain.tasks:,} tasks DONE. No interval: tasks depend on each other for too long "
            "to tell from a run of this length whether the policies help."
        )
    low, high = gain.after.interval
    interval = f"{gain.confidence:.0%} CI {show_ratio(low)} to {show_ratio(high)}"
    shown = f"{show_ratio(gain.after.share)} of {gain.tasks:,} tasks DONE ({interval})"
    if gain.interval[0] > 0:
        better = "The policies increase the share"
    elif gain.interval[1] < 0:
        better = "The policies decrease the share"
    else:
        better = "This number of tasks does not show whether the policies help"
    needed = f"about {gain.tasks_for_a_point:,} tasks are needed to estimate the share to within one percentage point"
    enough = "" if gain.tasks >= gain.tasks_for_a_point else f"; {needed}"
    return f"{shown}. {better} (at {gain.confidence:.0%} confidence){enough}."


def _summary(run: RunData) -> str:
    found = run.verdict.gain
    return render_template(_HERE / "gain.md.j2", run, findings=what_it_tells(found)) if found else ""


def _page(run: RunData, inline: Inline) -> Markup:
    found = run.verdict.gain
    if not found:
        return Markup()
    source, plot = _HERE / "gain.html.j2", inline(_GAIN_PLOT)
    return Markup(render_template(source, run, escaped=True, findings=what_it_tells(found), plot=plot))


_PANELS = (
    Panel(
        "Calls",
        "calls per minute",
        (
            Line("calls", BLUE, ("calls",)),
            Line("failed", RED, ("calls_failed",)),
            Line("rejected by a policy", ORANGE, ("calls_rejected",)),
        ),
        height=2,
    ),
    Panel(
        "Calls in flight",
        "calls",
        (
            Line("peak in flight", PURPLE, ("in_flight_max",), Over.PEAK, filled=True),
            Line("mean in flight", GREEN, ("in_flight",), Over.MEAN),
        ),
    ),
    Panel(
        "Open tasks not in a call",
        "tasks, peak",
        (Line("peak waiting", ORANGE, ("queue_depth_max",), Over.PEAK, filled=True),),
    ),
)

ROOM = Room(
    plots={_GAIN_PLOT: gain.plot},
    panels=_PANELS,
    grown=(Grown("queue_depth_growth", "PENDING tasks", "tasks", "queue_depth"),),
    summary=_summary,
    page=_page,
)
