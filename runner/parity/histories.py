"""The history of a few tasks in short: `enqueued 3h4m, dispatched +1.2s, retry +9s (timeout), …`."""

from collections.abc import Iterable

import numpy as np

from soak.schemas.stream.block import Block, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import NEW_STATE, SPECS, Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.units import show_duration

MOST_EVENTS = 12
_TOLD = kind_flags(*NEW_STATE, Kind.TASK_SKIPPED, Kind.LEASE_EXPIRED, Kind.LEASE_REFUSED)


def short_histories(blocks: Iterable[Block], numbers: Ints, vocabulary: Vocabulary) -> dict[int, str]:
    """The history of each of the tasks `numbers`; `no event` for one that the run has nothing of."""
    told: dict[int, list[str]] = {number: [] for number in numbers.tolist()}
    first_s: dict[int, float] = {}
    for block in blocks:
        for place in np.flatnonzero(_TOLD[block.kind] & np.isin(block.task, numbers)).tolist():
            number, t_s = int(block.task[place]), float(block.t[place])
            since = f"+{show_duration(t_s - first_s[number])}" if number in first_s else show_duration(t_s)
            first_s.setdefault(number, t_s)
            told[number].append(f"{_word(block, place)} {since}{_why(block, place, vocabulary)}")
    return {number: _in_short(events) for number, events in told.items()}


def _word(block: Block, place: int) -> str:
    return SPECS[Kind(int(block.kind[place]))].type.removeprefix("task.")


def _why(block: Block, place: int, vocabulary: Vocabulary) -> str:
    cause = vocabulary.causes[int(block.cause[place])]
    return f" ({cause.error or cause.fault})" if cause.error or cause.fault else ""


def _in_short(events: list[str]) -> str:
    if len(events) > MOST_EVENTS:
        half = MOST_EVENTS // 2
        events = [*events[:half], f"… {len(events) - 2 * half} more …", *events[-half:]]
    return ", ".join(events) or "no event"
