"""What reports know of a system: a room that names the plots, panels and sections that it has beside those of any system."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeAlias, TypeVar

from msgspec import Struct, field

from soak.schemas.errors import SoakError, UsageError, failure_words
from soak.schemas.language.registry import OURS, find, room

if TYPE_CHECKING:
    from soak.reports.aftermath import Aftermath
    from soak.reports.data import RunData
    from soak.reports.events import Event
    from soak.reports.look.charts import Chart
    from soak.reports.plots.panels import Panel

P = ParamSpec("P")
T = TypeVar("T")

Plot: TypeAlias = "Callable[[RunData], bytes | None]"
"""Makes an SVG; None if the run has nothing to draw. See `soak.reports.plots.canvas`."""
Inline: TypeAlias = Callable[[str], str]
"""A plot of the run by file name, in base64 for an `<img>`; empty if the run does not have it."""


class Grown(Struct, frozen=True):
    """A panel of growth.svg: a growth SLI, its title, the unit beside the axis, and the column of metrics.csv it is of."""

    sli: str
    title: str
    unit: str
    column: str


def _nothing(*_: object) -> str:
    return ""


def _no_panels(run: "RunData") -> "Sequence[Panel]":
    return ()


def _no_charts(run: "RunData") -> "Sequence[Chart]":
    return ()


def _no_lanes(run: "RunData") -> Mapping[str, Sequence[tuple[float, float]]]:
    return {}


def _none(*_: object) -> Mapping[str, str]:
    return {}


class Room(Struct, frozen=True):
    """A system in reports. One that brings nothing has the parts that any system has.

    plots: by file name, shown before the common ones. panels: of throughput.svg, below the tasks per minute, and above them
    those of `panels_of` that depend on the run. on_page: the same for the timeline (empty: as `panels`). grown: panels of
    growth.svg.

    small: charts beside each other, one for each tenant or the like, on the page. small_note: a sentence on them.

    lanes: of the timeline, below faults and alerts: names, and from when to when in seconds.

    summary: a part of soak_summary.md after the objectives, in Markdown. page: the same in report.html; text is escaped, a
    `markupsafe.Markup` is not. `soak.reports.summary.render_template` renders either from a template.
    speed: a sentence on a real run that was sped up. resumed: a sentence on what a pause did.

    documents: further files of the report, by name, from the run and its directory.

    events: prefixes of event types that incident.md tells beside those of tasks, faults, alerts, processes and the run.
    ids: the system's ids of tasks by key, from the run directory. run_book: commands that help after an abort, in Markdown.
    recovery: of a system without tasks, a sentence on the moment at which it has recovered from a fault. event_words: an
    event of incident.md as one line (None: its type, task, fault and error).
    """

    plots: Mapping[str, Plot] = field(default_factory=dict)
    panels: "Sequence[Panel]" = ()
    panels_of: "Callable[[RunData], Sequence[Panel]]" = _no_panels
    on_page: "Sequence[Panel]" = ()
    lanes: "Callable[[RunData], Mapping[str, Sequence[tuple[float, float]]]]" = _no_lanes
    grown: Sequence[Grown] = ()
    small: "Callable[[RunData], Sequence[Chart]]" = _no_charts
    small_note: "Callable[[RunData], str]" = _nothing
    summary: "Callable[[RunData], str]" = _nothing
    page: "Callable[[RunData, Inline], str]" = _nothing
    speed: "Callable[[RunData], str]" = _nothing
    documents: "Callable[[RunData, Path], Mapping[str, str]]" = _none
    resumed: str = "The scenario's clock was paused meanwhile."
    events: tuple[str, ...] = ()
    ids: Callable[[Path], Mapping[str, str]] = _none
    run_book: "Callable[[RunData, Aftermath], str]" = _nothing
    recovery: str = ""
    event_words: "Callable[[RunData, Event], str] | None" = None


@cache
def room_of(system: str) -> Room:
    """The room of a system. Raises UsageError for one that is not there or is broken."""
    found = find(system)
    return room(found, found.report, Room)


def ask(system: str, what: str, part: Callable[P, T], *args: P.args, **words: P.kwargs) -> T:
    """What a part of a system's room answers. Raises UsageError if that of another package fails."""
    try:
        return part(*args, **words)
    except SoakError:
        raise
    except Exception as error:
        if system in OURS:
            raise
        shown = f"{what} cannot be made: {failure_words(error)}"
        raise UsageError(f"system {system}: {shown} (fix the package that provides it, or remove it)") from error
