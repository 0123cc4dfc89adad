"""The system `pipeline` in reports."""

from collections.abc import Iterator, Mapping, Sequence

from soak.reports.data import RunData
from soak.reports.events import Event
from soak.reports.pipeline.daily import daily_reports
from soak.reports.plots.canvas import BLUE, GREEN, GREY, ORANGE, PURPLE, RED
from soak.reports.plots.panels import Line, Over, Panel
from soak.reports.room import Room
from soak.schemas.systems.pipeline.floors import floors_of
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.schemas.units import show_duration


def _speed(run: RunData) -> str:
    start = "A process of Python starts in about half a second of real time, which no speed makes shorter."
    found = [
        f"{each.what} ({show_duration(each.real_s)} instead of {show_duration(round(each.asked_s, 3))})"
        for each in floors_of(pipeline_of(run.scenario), run.manifest.speed)
    ]
    return f"{start} Not scaled, in real time: {', '.join(found)}." if found else start


def _lanes(run: RunData) -> Mapping[str, Sequence[tuple[float, float]]]:
    """When each of the pipeline's own alerts fired, as it says."""
    lanes: dict[str, list[tuple[float, float]]] = {rule: [] for rule in pipeline_of(run.scenario).alerts.rules}
    for alert in run.manifest.alerts or ():
        until_s = run.verdict.ended_s if alert.resolved is None else alert.resolved.t_s
        lanes.setdefault(alert.rule, []).append((alert.fired.t_s, until_s))
    return lanes


def _event_words(run: RunData, event: Event) -> str:
    """An event with the process or sink where it was, and how many records it is about."""
    names, fault = pipeline_of(run.scenario).parts, f"fault {event.fault}" if event.fault else ""
    place = event.worker if isinstance(event.worker, int) else -1
    part = names[place] if not event.name and 0 <= place < len(names) else event.name
    counted = event.type.startswith(("records.", "orders.")) and event.value is not None
    number = f"{event.value:,.0f}" if counted else ""
    return " ".join(filter(None, [event.type, number, part, fault, event.error]))


_COLOURS = (BLUE, ORANGE, PURPLE, GREEN)


def _coloured(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((name, _COLOURS[place % len(_COLOURS)]) for place, name in enumerate(names))


def _panels_of(run: RunData) -> tuple[Panel, ...]:
    """Records by stream and sink, and what waits for each process."""
    pipeline = pipeline_of(run.scenario)
    sinks = [
        Line(f"in {name}", color, (f"stored:{name}",)) for name, color in _coloured([s.name for s in pipeline.sinks])
    ]
    lost = Line("dropped, missed or lost", RED, ("records_dropped", "records_missed", "records_lost"))
    waits = [
        Line(name, color, (f"backlog:{name}",), Over.PEAK)
        for name, color in _coloured([each.name for each in pipeline.processes])
    ]
    return (
        Panel(
            "Records", "records per minute", (Line("sent", GREY, ("records_sent",), width=2.2), *sinks, lost), height=3
        ),
        Panel("Records waiting for each process", "records, peak", waits, height=1.6),
    )


_UP = Panel("Processes up", "processes", (Line("mean up", GREEN, ("processes_up",), Over.MEAN),))
_PROBES = Panel(
    "Health probes",
    "per minute",
    (Line("green", GREEN, ("probes_green",)), Line("failed", RED, ("probes_failed",))),
)
_ORDERS = Panel("Orders", "per minute", (Line("orders", PURPLE, ("orders",)),))

ROOM = Room(
    panels_of=_panels_of,
    documents=daily_reports,
    panels=(_UP, _PROBES, _ORDERS),
    on_page=(_UP,),
    speed=_speed,
    resumed="The pipeline went on meanwhile; what it did is known from its own ledgers.",
    lanes=_lanes,
    event_words=_event_words,
    events=(
        "probe.failed",
        "stream.",
        "export.failed",
        "shutdown.",
        "reported.",
        "records.lost",
        "records.duplicated",
        "records.dropped",
        "records.missed",
    ),
    recovery=(
        "of a process, the moment at which it was healthy again and had passed something on; of the source and of sinks, the "
        "next record that a sink holds (seen to within a sample interval); of the export, the next that was made."
    ),
)
