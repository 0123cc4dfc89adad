"""The violations of a client: calls that failed, timed out or were rejected, circuits that opened, updates that were lost."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from soak.runner.judge.samples import Facts
from soak.runner.judge.task_violations import by_fault, errors
from soak.runner.judge.violations import Told, note
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.events import SPECS, Kind, Value
from soak.schemas.stream.vocabulary import Vocabulary

_FAILED = (Kind.CALL_FAILED, Kind.CALL_REJECTED)


def _of(*kinds: Kind) -> Callable[[Block, Bools], Bools]:
    return lambda block, timed_out: np.isin(block.kind, kinds)


_CHOICES: Mapping[str, Callable[[Block, Bools], Bools]] = {
    "call_success": _of(Kind.CALL_FAILED),
    "first_call": lambda block, timed_out: np.isin(block.kind, _FAILED) & (block.attempt == 1),
    "timeouts": lambda block, timed_out: (block.kind == Kind.CALL_FAILED) & timed_out,
    "rejections": _of(Kind.CALL_REJECTED),
    "circuit_openings": _of(Kind.CIRCUIT_OPENED),
    "degraded_tasks": _of(Kind.TASK_DEGRADED),
    "lost_updates": _of(Kind.UPDATE_LOST),
}
"""By series, which events of a block are its violations."""

_UNCAUSED = {"degraded_tasks": "answer degraded", "lost_updates": "overwritten by a concurrent call"}


def note_calls(facts: Facts, block: Block, vocabulary: Vocabulary, timed_out: Bools) -> None:
    """Note what a block has of them, by error. timed_out: by event, whether its error is a timeout."""
    for series in sorted(_CHOICES.keys() & facts.wanted):
        places = np.flatnonzero(_CHOICES[series](block, timed_out))
        if not len(places):
            continue

        cause = _UNCAUSED.get(series) or (block.cause[places], errors(vocabulary))
        told = partial(_told, block, places, vocabulary)
        note(facts, series, block, places, cause=cause, told=told)


def _told(block: Block, places: Ints, vocabulary: Vocabulary, position: int) -> Told:
    """To which dependency a call went, or what else the value of an event names, and the fault behind it."""
    place = int(places[position])
    spec = SPECS[Kind(int(block.kind[place]))]
    named = spec.value is Value.NAME and spec.value_name in {"to", "name"}
    name = vocabulary.names[int(block.value[place])] if named else ""
    shown = f"to {name}" if name and spec.value_name == "to" else name
    return Told(detail=", ".join(filter(None, [shown, by_fault(vocabulary, int(block.cause[place]))])))
