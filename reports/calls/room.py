"""The system `calls` in reports."""

from collections.abc import Callable, Sequence
from pathlib import Path

from markupsafe import Markup

from soak.reports.calls import gain
from soak.reports.calls.circuit import circuit_lanes
from soak.reports.data import RunData
from soak.reports.look.table import AnyCell, Cell, Column, Table
from soak.reports.plots.canvas import BLUE, GREEN, ORANGE, PURPLE, RED
from soak.reports.plots.panels import Line, Over, Panel
from soak.reports.room import Grown, Inline, Room
from soak.reports.summary import points, render_template
from soak.schemas.evidence.gain import Gain
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
    source = _HERE / "gain.html.j2"
    return Markup(render_template(source, run, escaped=True, findings=what_it_tells(found), shares=_shares(found)))


def _shares(found: Gain) -> Table:
    """What the first call gave, what the task, and the difference."""

    def interval(given: tuple[float, float] | None, show: Callable[[float], str]) -> str:
        return f"{show(given[0])} … {show(given[1])}" if given else ""

    columns = (
        Column(""),
        Column(f"share of {found.tasks:,} tasks", number=True),
        Column(f"{show_ratio(found.confidence)} interval", number=True),
        Column("what it is", wide=True),
    )
    before, after = found.before, found.after
    rows: list[Sequence[AnyCell]] = [
        ["before", Cell(show_ratio(before.share), bar=before.share), interval(before.interval, show_ratio),
         f"the first call succeeded: {before.count:,} tasks"],
        ["after", Cell(show_ratio(after.share), bar=after.share), interval(after.interval, show_ratio),
         f"the task is DONE: {after.count:,} tasks"],
        ["improvement", points(found.improvement), interval(found.interval, points),
         f"{found.rescued:,} rescued, {found.spoilt:,} made worse"],
    ]  # fmt: skip
    return Table(columns, rows, "Gain of the policies")


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
    lanes=circuit_lanes,
    grown=(Grown("queue_depth_growth", "PENDING tasks", "tasks", "queue_depth"),),
    summary=_summary,
    page=_page,
)
