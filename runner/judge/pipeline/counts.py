"""What is counted of records, the source and exports: each beside what shows that it would have been seen.

A count of 0 says something only where it could have been more: `seen` are the events that show that, and how many
opportunities each of them stands for.
"""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from msgspec import Struct

from soak.runner.judge.pipeline.parts import Parts
from soak.runner.judge.samples import NOTHING, Facts, Samples
from soak.runner.judge.task_violations import by_fault, errors
from soak.runner.judge.violations import Told, note
from soak.schemas.stream.block import Block, Floats, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import SPECS, Kind, Value
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary


class Counted(Struct, frozen=True):
    """A count. kinds: of what is counted; seen: of what shows that it would have been seen. word: why, where no cause says so.

    of: how its label follows from an event: `process`, `sink`, or empty for none. told: of a real process only it knows; an event
    of a count of 0 shows that it was asked.
    """

    kinds: tuple[Kind, ...]
    seen: tuple[Kind, ...]
    word: str = ""
    of: str = ""
    told: bool = False
    asked: tuple[Kind, ...] = ()
    """What shows that it was asked how many, whatever the answer; of what is `told`, beside an event of 0."""
    by_reader: bool = False
    """Only what the reader of the source did shows anything."""
    too: Kind | None = None
    """What happened at a process and counts for every sink behind it: what it never got is in none of them."""


_LOOKED_AT = (Kind.PROBE_GREEN, Kind.PROBE_FAILED, Kind.PROCESS_STARTED)

COUNTS: Mapping[str, Counted] = {
    "queue_dropped": Counted(
        (Kind.RECORDS_DROPPED,), (Kind.RECORDS_TAKEN,), "dropped at a full buffer", "process", told=True
    ),
    "gap_records": Counted((Kind.RECORDS_MISSED,), (Kind.RECORDS_TAKEN,), "never received", told=True, by_reader=True),
    "lost_records": Counted(
        (Kind.RECORDS_LOST,),
        (Kind.SINK_TOTAL,),
        "in no sink and nowhere else",
        "sink",
        told=True,
        too=Kind.RECORDS_MISSED,
    ),
    "duplicate_records": Counted((Kind.RECORDS_DUPLICATED,), (Kind.RECORDS_STORED,), "stored a second time", "sink"),
    "phantom_records": Counted(
        (Kind.RECORDS_PHANTOM,), (Kind.RECORDS_STORED,), "never sent by the source", "sink", told=True
    ),
    "orders": Counted((Kind.ORDERS_PLACED,), (Kind.SINK_TOTAL,)),
    "duplicate_orders": Counted((Kind.ORDERS_DUPLICATED,), (Kind.ORDERS_PLACED,), "placed a second time"),
    "reconnects": Counted(
        (Kind.STREAM_RECONNECTED,),
        (Kind.RECORDS_SENT,),
        "connected again",
        told=True,
        asked=(Kind.REPORTED_RECONNECTS,),
    ),
    "stream_timeouts": Counted(
        (Kind.STREAM_TIMED_OUT,),
        (Kind.RECORDS_SENT,),
        "no data came",
        told=True,
        asked=(Kind.REPORTED_STREAM_TIMEOUTS,),
    ),
    "export_count": Counted(
        (Kind.EXPORT_MADE,), (Kind.EXPORT_FAILED, Kind.REPORTED_EXPORTS), asked=(Kind.REPORTED_EXPORTS,)
    ),
    "export_errors": Counted(
        (Kind.EXPORT_FAILED,),
        (Kind.EXPORT_MADE, Kind.REPORTED_EXPORTS),
        "the export failed",
        asked=(Kind.REPORTED_EXPORTS,),
    ),
    "abandoned": Counted((Kind.PROCESS_ABANDONED,), _LOOKED_AT, "not restarted any more", "process"),
}
"""By series."""

_FLAGS = {
    name: (kind_flags(*each.kinds), kind_flags(*each.seen), kind_flags(*each.asked)) for name, each in COUNTS.items()
}
_ONE = kind_flags(*(kind for kind, spec in SPECS.items() if spec.value is not Value.NUMBER))
"""Kinds whose events count one each."""


def observe(block: Block, parts: Parts, vocabulary: Vocabulary, facts: Facts, *, real: bool) -> None:
    """Add the counts of a block to its facts, and note what is counted one by one. real: of a real run."""
    amount = amounts(block)
    for series, counted in COUNTS.items():
        counts, shows, asked = _FLAGS[series]
        bad = counts[block.kind]
        told = bad | asked[block.kind]
        seen = told if counted.told and real else shows[block.kind]
        if counted.by_reader:
            seen &= block.worker == parts.reader
        places = np.flatnonzero(bad | seen)
        if len(places):
            label = _label(counted.of, parts)(block, places)
            value = np.where(bad, amount, 0.0)[places]
            facts.series[series] = Samples(block.t[places], value, np.maximum(amount[places], told[places]), label)
        if counted.word and bad.any():
            note_records(facts, series, block, np.flatnonzero(bad & (amount > 0)), parts, vocabulary, counted)
        if counted.too is not None:
            _count_behind(facts, series, block, amount, parts, vocabulary, counted)


def _count_behind(
    facts: Facts, series: str, block: Block, amount: Floats, parts: Parts, vocabulary: Vocabulary, counted: Counted
) -> None:
    """Add what happened at processes to the series of the sinks behind them."""
    inside = (block.kind == counted.too) & (amount > 0) & (block.worker >= 0) & (block.worker < parts.count)
    for worker in np.unique(block.worker[inside]).tolist():
        places = np.flatnonzero(inside & (block.worker == worker))
        for sink in parts.behind[worker]:
            label = parts.sink(np.full(len(places), sink), block.t[places])
            more = Samples(block.t[places], amount[places], amount[places], label)
            facts.series[series] = merged(facts.series.get(series, NOTHING), more)
            note_records(facts, series, block, places, parts, vocabulary, counted, (parts.names[sink], label))


def merged(one: Samples, other: Samples) -> Samples:
    """Labelled observations of both, in time order."""
    order = np.argsort(t := np.concatenate([one.t, other.t]), kind="stable")
    value = np.concatenate([one.value, other.value])
    weight = np.concatenate([one.weights, other.weights])
    labels = [each.label for each in (one, other) if each.label is not None]
    return Samples(t[order], value[order], weight[order], np.concatenate(labels)[order] if labels else None)


def amounts(block: Block) -> Floats:
    """By event, how many records it stands for: 1 where its kind says nothing."""
    one = _ONE[block.kind] | np.isnan(block.value)
    return np.where(block.kind == Kind.RECORDS_STORED, block.attempt, np.where(one, 1.0, block.value))


def _label(of: str, parts: Parts) -> Callable[[Block, Ints], Ints | None]:
    if of == "process":
        return lambda block, places: parts.process(block.worker[places], block.t[places])
    if of == "sink":
        return lambda block, places: parts.sink(block.worker[places], block.t[places])
    return lambda block, places: None


def note_records(
    facts: Facts,
    series: str,
    block: Block,
    places: Ints,
    parts: Parts,
    vocabulary: Vocabulary,
    counted: Counted,
    of: tuple[str, Ints] | None = None,
) -> None:
    """Note what happened to records at these places, by its cause. of: part and labels; None: those of the events."""
    if not len(places) or series not in facts.wanted:
        return
    words = [*errors(vocabulary), counted.word]
    cause = np.where(block.cause[places] == NO_CAUSE, len(words) - 1, block.cause[places])
    note(
        facts,
        series,
        block,
        places,
        cause=(cause, words),
        told=partial(_told, block, places, parts, vocabulary, of[0] if of else ""),
        label=of[1] if of else _label(counted.of, parts)(block, places),
        amount=np.ceil(amounts(block)[places]).astype(np.int64),
    )


def _told(block: Block, places: Ints, parts: Parts, vocabulary: Vocabulary, part: str, position: int) -> Told:
    """How many records, where, and by which fault."""
    place = int(places[position])
    count = amounts(block)[place]
    records = "" if _ONE[block.kind[place]] else f"{count:,.0f} {'record' if count == 1 else 'records'}"
    words = (records, by_fault(vocabulary, int(block.cause[place])))
    return Told(detail=", ".join(filter(None, words)), part=part or parts.name(int(block.worker[place])))
