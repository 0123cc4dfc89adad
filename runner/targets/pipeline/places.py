"""Where records can be seen on their way, and what is expected to be there."""

from collections.abc import Mapping
from enum import Enum, auto

from msgspec import Struct

from soak.schemas.systems.pipeline.settings import SOURCE, Passes, Pipeline
from soak.schemas.target.model import Ledger, TargetFile


class PlaceKind(Enum):
    """SINK: a sink of the scenario. ORDERS: a stream to the outside. STREAM: one between processes."""

    STREAM = auto()
    SINK = auto()
    ORDERS = auto()


class Place(Struct, frozen=True):
    """A ledger in which records are seen. part: the sink, or the process that writes the stream. bit: its own, of a record's."""

    name: str
    kind: PlaceKind
    stream: str
    part: int
    bit: int
    ledger: Ledger


def places_of(pipeline: Pipeline, file: TargetFile) -> tuple[Place, ...]:
    """The ledgers of a target file that a scenario has a stream or sink for; sinks first, in their order."""
    found: list[Place] = []

    def add(name: str, kind: PlaceKind, stream: str, part: int, ledger: Ledger) -> None:
        found.append(Place(name, kind, stream, part, 1 << len(found), ledger))

    for sink in pipeline.sinks:
        if ledger := file.sinks.get(sink.name):
            add(sink.name, PlaceKind.SINK, sink.of, pipeline.sink(sink.name), ledger)
    orders = {pipeline.processes[number].writes for number in pipeline.places_orders}
    for stream, ledger in file.streams.items():
        writer = None if stream == SOURCE else pipeline.writer(stream)
        if writer is not None:
            add(stream, PlaceKind.ORDERS if stream in orders else PlaceKind.STREAM, stream, writer, ledger)
    return tuple(found)


def output_of(places: tuple[Place, ...], pipeline: Pipeline, process: int) -> Place | None:
    """Where it is seen what a process has passed on: the ledger of its stream, or the first sink of it."""
    writes = pipeline.processes[process].writes
    streams = [each for each in places if each.stream == writes and each.kind is not PlaceKind.SINK]
    return next(iter((*streams, *(each for each in places if each.stream == writes))), None) if writes else None


def shown_by(places: tuple[Place, ...], place: Place | None) -> tuple[Place, ...]:
    """Where else it is seen what is seen in a place, with itself: sinks of one stream show the same."""
    if place is None or place.kind is not PlaceKind.SINK:
        return () if place is None else (place,)
    return tuple(each for each in places if each.kind is PlaceKind.SINK and each.stream == place.stream)


def bits_of(places: tuple[Place, ...]) -> int:
    """The bits of places."""
    return sum(each.bit for each in places)


def parts_at(pipeline: Pipeline, process: int) -> frozenset[str]:
    """The name of a process, and those of the sinks that it writes."""
    each = pipeline.processes[process]
    return frozenset({each.name, *(sink.name for sink in pipeline.sinks if each.writes and sink.of == each.writes)})


def input_of(places: tuple[Place, ...], pipeline: Pipeline, process: int) -> Place | None:
    """Where it is seen what a process can read; None for the source, and where nothing shows it."""
    writer = pipeline.writer(pipeline.processes[process].reads)
    return None if writer is None else output_of(places, pipeline, writer)


STRONG, LOW, CONFIRMED = 1, 2, 4
"""What a record is like, as bits."""

NEEDS: Mapping[Passes, int] = {Passes.ALL: 0, Passes.STRONG: STRONG, Passes.CONFIRMED: CONFIRMED}
"""By what a process passes on: what a record must be like for that, as bits."""


def needs(pipeline: Pipeline, stream: str) -> int:
    """What a record must be like to get into a stream, as bits: what each process on the way there passes on."""
    found = 0
    while (writer := pipeline.writer(stream)) is not None:
        found |= NEEDS[pipeline.processes[writer].passes]
        stream = pipeline.processes[writer].reads
    return found
