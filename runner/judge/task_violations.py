"""The violations that tasks of any system may commit, as they are noted of a block."""

from collections.abc import Sequence

import numpy as np

from soak.runner.judge.rows import Picked
from soak.runner.judge.samples import Facts
from soak.runner.judge.violations import Told, note
from soak.schemas.stream.block import Block
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.units import show_duration

_STATES = len(TaskState)
_MOVES = tuple(f"{before.name} to {after.name}" for before in TaskState for after in TaskState)


def errors(vocabulary: Vocabulary) -> Sequence[str]:
    """By cause: the class of its error, or its fault where there is no error."""
    return [cause.error or cause.fault or "unknown" for cause in vocabulary.causes]


def by_fault(vocabulary: Vocabulary, cause: int) -> str:
    """Which fault a cause stands for, in words; empty for none."""
    fault = vocabulary.causes[cause].fault
    return f"fault {fault}" if fault else ""


def note_illegal(facts: Facts, block: Block, picked: Picked) -> None:
    """State changes outside the state machine, by what they were."""
    before, after = picked.moves(block)
    note(
        facts,
        "illegal_transitions",
        block,
        picked.places,
        cause=(before * _STATES + after, _MOVES),
        told=lambda position: moved(before[position], after[position]),
        label=picked.label,
    )


def note_failed(facts: Facts, series: str, block: Block, picked: Picked, vocabulary: Vocabulary) -> None:
    """Tasks that did not end DONE, by their error. value: how many violations each stands for (None: one)."""
    before, after = picked.moves(block)
    cause = block.cause[picked.places]
    note(
        facts,
        series,
        block,
        picked.places,
        cause=(cause, errors(vocabulary)),
        told=lambda position: moved(before[position], after[position], by_fault(vocabulary, int(cause[position]))),
        label=picked.label,
        amount=None if picked.value is None else picked.value.astype(np.int64),
    )


def note_rows(facts: Facts, of: str, block: Block, picked: Picked, cause: str) -> None:
    """Events that violate something, all for one cause."""
    before, after = picked.moves(block)
    note(
        facts,
        of,
        block,
        picked.places,
        cause=cause,
        told=lambda position: moved(before[position], after[position]),
        label=picked.label,
    )


def note_early(facts: Facts, block: Block, picked: Picked) -> None:
    """Attempts that started before their backoff was over. value: when each was."""
    over_s, t_s = picked.value, block.t[picked.places]

    def told(position: int) -> Told:
        assert over_s is not None
        over = float(over_s[position])
        return Told(
            detail=f"{show_duration(over - float(t_s[position]))} early: its backoff was over at {show_duration(over)}"
        )

    note(
        facts,
        "backoff_violations",
        block,
        picked.places,
        cause="started before its backoff was over",
        told=told,
        label=picked.label,
    )


def note_accepted_again(facts: Facts, block: Block, picked: Picked) -> None:
    """Second submissions of an active key that were accepted; states are those of the key."""
    note_rows(facts, "duplicate_block", block, picked, "accepted a second time")


def moved(before: int, after: int, detail: str = "") -> Told:
    """A change of state; NONE for what the event does not change."""
    names = [TaskState(int(state)).name if state else "" for state in (before, after)]
    return Told(names[0], names[1], detail)
