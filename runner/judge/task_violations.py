"""The violations that tasks of any system may commit, as they are noted of a block."""

from collections.abc import Mapping, Sequence

import numpy as np

from soak.runner.judge.rows import Rows
from soak.runner.judge.samples import Facts
from soak.runner.judge.violations import Told, at, note
from soak.schemas.stream.block import Block, Bools, Floats, Ints
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


def note_illegal(facts: Facts, block: Block, rows: Rows, illegal: Bools, label: Ints | None) -> None:
    """State changes outside the state machine, by what they were."""
    if not illegal.any():
        return
    here, places = rows.groups.in_time_order(illegal)
    before, after = rows.before[here], rows.after[here]
    note(
        facts,
        "illegal_transitions",
        block,
        places,
        cause=(before * _STATES + after, _MOVES),
        told=lambda position: moved(before[position], after[position]),
        label=at(label, here),
    )


def note_failed(
    facts: Facts,
    series: str,
    block: Block,
    rows: Rows,
    failed: Bools,
    label: Ints | None,
    vocabulary: Vocabulary,
    amount: Floats | None = None,
) -> None:
    """Tasks that did not end DONE, by their error. amount: by row, how many violations each stands for (None: one)."""
    if not failed.any() or series not in facts.wanted:
        return
    here, places = rows.groups.in_time_order(failed)
    before, after, cause = rows.before[here], rows.after[here], block.cause[places]
    note(
        facts,
        series,
        block,
        places,
        cause=(cause, errors(vocabulary)),
        told=lambda position: moved(before[position], after[position], by_fault(vocabulary, int(cause[position]))),
        label=at(label, here),
        amount=None if amount is None else amount[here].astype(np.int64),
    )


def note_rows(facts: Facts, of: str, block: Block, rows: Rows, chosen: Bools, label: Ints | None, cause: str) -> None:
    """Rows that violate something, all for one cause."""
    if not chosen.any():
        return
    here, places = rows.groups.in_time_order(chosen)
    before, after = rows.before[here], rows.after[here]
    note(
        facts,
        of,
        block,
        places,
        cause=cause,
        told=lambda position: moved(before[position], after[position]),
        label=at(label, here),
    )


def note_early(facts: Facts, block: Block, rows: Rows, early: Bools, not_before_s: Floats, label: Ints | None) -> None:
    """Attempts that started before their backoff was over: at `not_before_s`, by row."""
    if not early.any():
        return
    here, places = rows.groups.in_time_order(early)
    over_s, t_s = not_before_s[here], rows.t[here]

    def told(position: int) -> Told:
        over = float(over_s[position])
        return Told(
            detail=f"{show_duration(over - float(t_s[position]))} early: its backoff was over at {show_duration(over)}"
        )

    note(
        facts,
        "backoff_violations",
        block,
        places,
        cause="started before its backoff was over",
        told=told,
        label=at(label, here),
    )


def note_accepted_again(facts: Facts, block: Block, states: Mapping[int, TaskState], label: Ints | None) -> None:
    """Second submissions of an active key that were accepted; states: of the key just before each, by place in the block."""
    if not states:
        return
    before = list(states.values())
    note(
        facts,
        "duplicate_block",
        block,
        np.array(list(states), dtype=np.int64),
        cause="accepted a second time",
        told=lambda position: Told(before[position].name, TaskState.PENDING.name),
        label=label,
    )


def moved(before: int, after: int, detail: str = "") -> Told:
    """A change of state; NONE for what the event does not change."""
    names = [TaskState(int(state)).name if state else "" for state in (before, after)]
    return Told(names[0], names[1], detail)
