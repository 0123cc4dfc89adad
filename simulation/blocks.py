"""Rows of a model, turned into columns of events in time order: compiled where possible, else by NumPy, equal to the last bit."""

import ctypes
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from soak.schemas.stream.block import Floats, Ints, quantise
from soak.schemas.stream.by_kind import flags_by_kind
from soak.schemas.stream.events import Kind, Value
from soak.simulation.compiled.calls import (
    FLOATS,
    FLOATS_OUT,
    INTS,
    INTS_OUT,
    NUMBER,
    POINTER,
    REAL,
    Library,
    address,
    array_of,
)

WIDTH = 7
T, KIND, TASK, WORKER, VALUE = 0, 1, 2, 4, 6


class RowKind(IntEnum):
    """Rows that stand for several events; other rows carry the `Kind` of their one event.

    BEGIN: an attempt begins. RUN: an attempt begins, and ends well at the time that `value` gives. END: its end alone.
    """

    BEGIN = len(Kind)
    RUN = len(Kind) + 1
    END = len(Kind) + 2


_BEGINS = (Kind.TASK_DISPATCHED, Kind.EXECUTION_STARTED)
_ENDS = (Kind.EXECUTION_ENDED, Kind.TASK_DONE)
_EXPANSION: dict[int, tuple[Kind, ...]] = {
    **{kind: (kind,) for kind in Kind},
    RowKind.BEGIN: _BEGINS,
    RowKind.RUN: (*_BEGINS, *_ENDS),
    RowKind.END: _ENDS,
}
_LENGTH = np.array([len(_EXPANSION[row]) for row in range(len(_EXPANSION))])
_FIRST = np.concatenate([[0], np.cumsum(_LENGTH)[:-1]])
_KINDS = np.array([int(kind) for row in range(len(_EXPANSION)) for kind in _EXPANSION[row]])
_IS_END = np.arange(len(_KINDS)) >= _FIRST[RowKind.RUN] + len(_BEGINS)
"""Of what rows expand to, the events that come when the attempt ends."""

_OWN = _LENGTH - np.add.reduceat(_IS_END.astype(np.int64), _FIRST)
"""How many come at the time of the row."""

_VALUED = flags_by_kind(lambda kind, spec: spec.value is not Value.NONE)


class Due(NamedTuple):
    """Tasks that are enqueued the moment they are due, ascending: when, in seconds, and their numbers."""

    due_s: Floats
    number: Ints

    def take(self, index: slice) -> "Due":
        """Some of them."""
        return Due(self.due_s[index], self.number[index])


NOTHING_DUE = Due(np.empty(0), np.empty(0, dtype=np.int64))


class Columns(NamedTuple):
    """The events of a block as columns of equal length, and the rows of attempts that end in a later one, with kind END.

    label: -1 throughout; rows have none.
    """

    t: Floats
    value: Floats
    kind: Ints
    task: Ints
    attempt: Ints
    worker: Ints
    cause: Ints
    label: Ints
    running: Floats


def columns_of(due: Due, pieces: Sequence[Floats], until_s: float) -> Columns:
    """The events of tasks due and of pieces of rows, shape (n, 7), in time order; what ends at `until_s` or later is left.

    Among events at the same time tasks due come first, then the order is that of their rows: an attempt's end stands with its
    beginning.
    """
    return compiled(due, pieces, until_s) or by_numpy(due, pieces, until_s)


def by_numpy(due: Due, pieces: Sequence[Floats], until_s: float) -> Columns:
    """`columns_of` by NumPy: what it means."""
    rows = np.concatenate([_rows(due), *pieces])
    row = rows[:, KIND].astype(np.int64)
    length = _LENGTH[row]
    source = np.repeat(np.arange(len(row)), length)
    place = np.arange(len(source)) + np.repeat(_FIRST[row] - np.cumsum(length) + length, length)
    t, is_end = rows[source, T], _IS_END[place]
    t[is_end] = rows[source[is_end], VALUE]
    later = is_end & (t >= until_s)
    running = rows[np.unique(source[later])]
    running[:, KIND] = RowKind.END
    order = np.argsort(quantise(t), kind="stable")
    order = order[~later[order]] if later.any() else order
    source, is_end = source[order], is_end[order]
    kind = _KINDS[place[order]]
    value = np.where(_VALUED[kind], rows[source, VALUE], np.nan)
    value[is_end] -= rows[source[is_end], T]
    task, attempt, worker, cause = (rows[:, column].astype(np.int64)[source] for column in range(TASK, VALUE))
    label = np.full(len(kind), -1)
    return Columns(quantise(t[order]), quantise(value), kind, task, attempt, worker, cause, label, running)


def _rows(due: Due) -> Floats:
    rows = np.zeros((len(due.due_s), WIDTH))
    rows[:, T] = rows[:, VALUE] = due.due_s
    rows[:, KIND], rows[:, TASK], rows[:, WORKER] = Kind.TASK_ENQUEUED, due.number, -1
    return rows


_EVENT_BYTES, _START_BYTES = 24, 4


class _Tables(ctypes.Structure):
    _fields_ = (
        *((name, NUMBER) for name in ("row_kinds", "end_row", "enqueued")),
        *((name, POINTER) for name in ("length", "own", "first", "kinds", "valued")),
    )


class _Piece(ctypes.Structure):
    _fields_ = (("rows", POINTER), ("size", NUMBER))


_TABLES = _Tables(
    *(len(_LENGTH), RowKind.END, Kind.TASK_ENQUEUED),
    *(address(each, INTS) for each in (_LENGTH, _OWN, _FIRST, _KINDS)),
    address(_VALUED, array_of(np.bool_)),
)
_FLOAT_COLUMNS, _INT_COLUMNS = POINTER * 2, POINTER * 6
LIBRARY = Library(
    Path(__file__).with_name("blocks.c"),
    {
        "soak_events": (NUMBER, FLOATS, NUMBER, ctypes.POINTER(_Piece), NUMBER, ctypes.POINTER(_Tables)),
        "soak_block": (
            *(NUMBER, FLOATS, INTS, NUMBER, ctypes.POINTER(_Piece), NUMBER, REAL, ctypes.POINTER(_Tables), NUMBER),
            *(array_of(np.uint8, written=True), _FLOAT_COLUMNS, _INT_COLUMNS, FLOATS_OUT, ctypes.POINTER(NUMBER)),
        ),
    },
    {"WIDTH": WIDTH, "Tables": ctypes.sizeof(_Tables), "Piece": ctypes.sizeof(_Piece), "Events": _EVENT_BYTES},
)


def compiled(due: Due, pieces: Sequence[Floats], until_s: float) -> Columns | None:
    """`columns_of` by the compiled part: None without it, and for rows that it leaves to NumPy."""
    part = LIBRARY.load_or_none()
    if part is None:
        return None
    due_s, number = np.ascontiguousarray(due.due_s, dtype=np.float64), np.ascontiguousarray(due.number, dtype=np.int64)
    whole = [np.ascontiguousarray(piece, dtype=np.float64) for piece in pieces if len(piece)]
    given = (_Piece * len(whole))(*(_Piece(address(piece, FLOATS), len(piece)) for piece in whole))
    total = part.soak_events(due_s, len(due_s), given, len(whole), _TABLES)
    if total < 0:
        return None
    # Each column by itself: memory of this size is used again and again, where larger pieces come from the kernel each time.
    floats = [np.empty(total) for _ in range(2)]
    ints = [np.empty(total, dtype=np.int64) for _ in range(6)]
    running, n_running = np.empty((sum(map(len, whole)), WIDTH)), NUMBER()
    scratch = np.empty((2 * total + 1) * (_EVENT_BYTES + _START_BYTES), dtype=np.uint8)
    to_floats = _FLOAT_COLUMNS(*(address(each, FLOATS_OUT) for each in floats))
    to_ints = _INT_COLUMNS(*(address(each, INTS_OUT) for each in ints))
    columns = scratch, to_floats, to_ints, running, n_running
    size = part.soak_block(due_s, number, len(due_s), given, len(whole), until_s, _TABLES, total, *columns)
    if size < 0:
        return None
    t, value = (column[:size] for column in floats)
    kind, task, attempt, worker, cause, label = (column[:size] for column in ints)
    return Columns(t, value, kind, task, attempt, worker, cause, label, running[: n_running.value].copy())
