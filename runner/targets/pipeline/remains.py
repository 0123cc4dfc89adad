"""What is known of records at the end of a run only: what is lost, and the figures by which sinks must agree."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from soak.runner.targets.pipeline.flow import Flow
from soak.runner.targets.pipeline.places import CONFIRMED, STRONG, Place, PlaceKind, input_of, needs, output_of
from soak.schemas.stream.block import Ints
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import Pipeline
from soak.schemas.target.model import Ledger


def note_remains(flow: Flow, pipeline: Pipeline, now_s: float, unread: Sequence[int] = ()) -> None:
    """Note all of it. Lost is what is in no sink, was not passed over by the reader of the source, and waits nowhere.

    unread: of which parts (-1: the source) the ledgers could not be read. Where there is one, sinks are not counted, and
    nothing is known to be lost.
    """
    for part in unread:
        flow.note(now_s, Kind.LEDGER_UNREAD, worker=part)
    if not unread:
        _note_records(flow, pipeline, now_s)
    for process, backlog in flow.waiting.now().items():
        flow.note(now_s, Kind.SAMPLE_BACKLOG, worker=process, value=backlog)


def _note_records(flow: Flow, pipeline: Pipeline, now_s: float) -> None:
    flow.gaps.close(now_s, flow.note, at_once=True, tells=flow.knows_sent)
    for place in flow.places:
        if place.kind is not PlaceKind.SINK:
            continue
        flow.note_compared(place, now_s)
        _note_lost(flow, pipeline, place, now_s)
        tally = flow.book.tallies[place.name]
        flow.note(now_s, Kind.SINK_TOTAL, worker=place.part, value=tally.rows)
        # Only what its own rows say can differ from what those of another sink say.
        if _tells_confirmed(place.ledger):
            flow.note(now_s, Kind.SINK_CONFIRM, worker=place.part, value=tally.rows_like[CONFIRMED])
        if place.ledger.strong is not None:
            flow.note(now_s, Kind.SINK_STRONG, worker=place.part, value=tally.rows_like[STRONG])


def _tells_confirmed(ledger: Ledger) -> bool:
    return ledger.confirm is not None or (ledger.strong is not None and ledger.low_consistency is not None)


def _note_lost(flow: Flow, pipeline: Pipeline, sink: Place, now_s: float) -> None:
    book, like = flow.book, needs(pipeline, sink.stream)
    if like and not book.knows_like:
        return
    missing = book.absent(sink.bit, 0, book.sent, like)
    missing = missing[~_elsewhere(flow, pipeline, sink, missing)]
    sent_s = book.sent_s.values
    if flow.knows_sent:
        # That it was looked for is evidence; what another sink has is lost also where nobody saw what was sent.
        flow.note(now_s, Kind.RECORDS_LOST, worker=sink.part, value=0)
        if like:
            flow.note(now_s, Kind.SINK_EXPECTED, worker=sink.part, value=book.sent_like(like))
    causes = Counter(flow.blame.of_record(float(sent_s[each])) for each in missing.tolist())
    for cause, count in sorted(causes.items()):
        flow.note(now_s, Kind.RECORDS_LOST, worker=sink.part, cause=cause, value=count)


def _elsewhere(flow: Flow, pipeline: Pipeline, sink: Place, missing: Ints) -> "np.typing.NDArray[np.bool_]":
    """Which records that a sink lacks are known to be somewhere else: passed over, or waiting for a process on the way."""
    book, found = flow.book, np.zeros(len(missing), dtype=np.bool_)
    if bits := flow.gaps.bits:
        # What its reader lacks was dropped or missed, or waits at the source.
        found |= (book.held.values[missing] & np.uint32(bits)) == 0
    stream = sink.stream
    while (process := pipeline.writer(stream)) is not None:
        before, behind = input_of(flow.places, pipeline, process), output_of(flow.places, pipeline, process)
        if behind is not None and (before is None or before.bit != behind.bit):
            # It waits for this process where nothing that came after it was passed on either.
            unseen = (book.held.values[missing] & behind.bit) == 0
            found |= unseen & (missing > book.tallies[behind.name].highest)
        stream = pipeline.processes[process].reads
    return found
