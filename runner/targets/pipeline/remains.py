"""What is known of records at the end of a run only: what is lost, and the figures by which sinks must agree."""

from collections.abc import Iterator, Sequence

import numpy as np

from soak.runner.targets.pipeline.blame import Gone
from soak.runner.targets.pipeline.flow import Flow
from soak.runner.targets.pipeline.places import CONFIRMED, STRONG, Place, PlaceKind, needs, parts_at
from soak.schemas.stream.block import Bools, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import Pipeline
from soak.schemas.target.model import Ledger


def note_remains(flow: Flow, pipeline: Pipeline, now_s: float, unread: Sequence[int] = ()) -> None:
    """Note all of it. Lost is what is not in a sink, was not passed over by the reader of the source, and waits nowhere.

    unread: of which parts (-1: the source) the ledgers could not be read. Where there is one, sinks are not counted, and
    nothing is known to be lost.
    """
    for part in unread:
        flow.note(now_s, Kind.LEDGER_UNREAD, worker=part)
    if not unread:
        _note_records(flow, pipeline, now_s)
    for process, backlog in flow.waiting.now(at_once=True).items():
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
    missing = missing[~_elsewhere(flow, sink, missing)]
    # Noted as missed: what is missed is lost for every sink.
    missing = missing[flow.said_missed if flow.gaps.reader is None else 0 :]
    if flow.knows_sent:
        # That it was looked for is evidence; what another sink has is lost also where nobody saw what was sent.
        flow.note(now_s, Kind.RECORDS_LOST, worker=sink.part, value=0)
        if like:
            flow.note(now_s, Kind.SINK_EXPECTED, worker=sink.part, value=book.sent_like(like))
    found = [flow.blame.of(gone) for gone in _by_place(flow, pipeline, sink, missing)]
    causes, counts = np.unique(np.concatenate(found) if found else np.empty(0, dtype=np.int64), return_counts=True)
    for cause, count in zip(causes.tolist(), counts.tolist(), strict=True):
        flow.note(now_s, Kind.RECORDS_LOST, worker=sink.part, cause=cause, value=count)


def _elsewhere(flow: Flow, sink: Place, missing: Ints) -> Bools:
    """Which records that a sink lacks are known to be somewhere else: passed over, or waiting for a process on the way."""
    found = np.zeros(len(missing), dtype=np.bool_)
    if bits := flow.gaps.bits:
        # What its reader lacks was dropped or missed, or waits at the source.
        found |= (flow.book.held.values[missing] & np.uint32(bits)) == 0
    for _, queue in flow.waiting.on_the_way(sink.stream):
        found |= queue.holds(missing)
    return found


def _by_place(flow: Flow, pipeline: Pipeline, sink: Place, lost: Ints) -> Iterator[Gone]:
    """Records that a sink will never have, by the place where they should have come first."""
    for process, queue in reversed(list(flow.waiting.on_the_way(sink.stream))):
        here = queue.lacks(lost)
        parts = frozenset[str]().union(*(parts_at(pipeline, each) for each in (process, *queue.unseen)))
        yield _gone(flow, queue.behind, lost[here], parts, of_source=pipeline.reader in {process, *queue.unseen})
        lost = lost[~here]
    writer = pipeline.writer(sink.stream)
    if writer is not None:
        # Another place of its stream has them.
        yield _gone(flow, (sink,), lost, frozenset({sink.name, pipeline.processes[writer].name}), of_source=False)


def _gone(flow: Flow, places: tuple[Place, ...], numbers: Ints, parts: frozenset[str], *, of_source: bool) -> Gone:
    return Gone(places, flow.book.sent_s.values[numbers], flow.book.passed_over_s(places, numbers), parts, of_source)
