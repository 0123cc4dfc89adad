"""Tasks of a queue followed by compiled code: what `follow.c` says of a block, as arrays."""

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from soak.runner.judge.faults import MOST_ATTEMPTS
from soak.runner.judge.need import NotFollowedError
from soak.runner.judge.rows import Picked
from soak.runner.judge.samples import NOTHING, Samples
from soak.schemas.stream.block import Block, Bools, Floats, Ints
from soak.schemas.stream.states import TaskState
from soak.simulation.compiled.calls import (
    BITS,
    FLOATS,
    FLOATS_OUT,
    INTS,
    NUMBER,
    POINTER,
    REAL,
    Handle,
    Library,
    Memory,
    array_of,
    columns,
    copied,
)

SERIES = (
    "duplicate_block",
    "illegal_transitions",
    "state_transitions",
    "lost_tasks",
    "success",
    "latency",
    "recovery",
    "wait",
    "submission_lag",
    "duplicate_executions",
    "lease_contentions",
    "lease_recovery",
    "guardrail_unblocked",
    "excess_attempts",
    "backoff_violations",
    "dead_lettered",
)
"""The series, in the order in which `follow.c` numbers them; DEATHS, GAPS and STALLS follow."""

WEIGHTED = frozenset({"lease_contentions", "lease_recovery"})
DEATHS, GAPS, STALLS = range(len(SERIES), len(SERIES) + 3)

COLUMNS = (
    "accepted",
    "due",
    "ready",
    "since",
    "entered",
    "wait",
    "transient",
    "not_before",
    "expired",
    "over_budget",
    "failed_body",
    "failed_at",
    "running",
)
"""The columns of open tasks, in the order in which `follow.c` gives them."""

EVENTS = (
    *(
        "ENQUEUED",
        "DEFERRED",
        "DISPATCHED",
        "RETRY",
        "DONE",
        "FAILED",
        "EXPIRED",
        "DEAD_LETTERED",
        "STARTED",
        "ENDED",
        "SKIPPED",
    ),
    *("CONTENDED", "EXITED", "CLOSING", "UNBLOCKED", "OVER", "ALIVE"),
)
CAUSES = ("TRANSIENT", "OVER_BUDGET", "DEADLY")
STATES = ("OPEN", "WAITING", "SETTLED", "ACTIVE", "COMPLETED")
"""What events, causes and states are: the names of their flags, from the lowest bit on."""

NOTES = (
    *("ACCEPTED_AGAIN", "ILLEGAL", "NOT_DONE", "NOT_RECOVERED", "SLOW", "LEASES_LOST", "NOT_BLOCKED", "MISMATCHED"),
    *("LETTERED", "EXCESS", "EARLY", "CLAIM_LOST", "AGAIN", "OTHER_DONE"),
)
"""What is noted of an event, from the lowest bit on."""

_NOTED = np.dtype(
    [
        *((name, np.int64) for name in ("place", "noted", "before", "label")),
        *((name, np.float64) for name in ("latency_s", "expired", "not_before")),
    ]
)
_COLUMNS = ("t", "kind", "task", "attempt", "cause", "label", "value")
_NO_MEMORY, _NOT_FOLLOWED = 1, 2
_EVERY_NOTE = (1 << len(NOTES)) - 1


class _Series(ctypes.Structure):
    _fields_ = (
        *((name, POINTER) for name in ("t", "value", "weight", "label")),
        ("size", NUMBER),
        ("room", NUMBER),
    )


class _Elements(ctypes.Structure):
    _fields_ = (("at", POINTER), ("size", NUMBER), ("room", NUMBER))


class Noted(Struct, frozen=True):
    """The events of a block of which something is noted: fields are those of `Noted` in `follow.c`."""

    fields: npt.NDArray[Any]
    labelled: bool

    def pick(self, note: str, value: str = "") -> Picked:
        """The events with a note. value: the field that has what is to be known of each beside it."""
        chosen = self.fields[(self.fields["noted"] & _bit(note)) != 0]
        label = chosen["label"] if self.labelled else None
        return Picked(chosen["place"], chosen["before"], label, chosen[value] if value else None)

    def have(self, note: str, beside: str) -> Bools:
        """Whether the events with a note have another one beside it."""
        noted = self.fields["noted"]
        also: Bools = (noted[(noted & _bit(note)) != 0] & _bit(beside)) != 0
        return also


def _bit(note: str) -> int:
    return 1 << NOTES.index(note)


class Totals(ctypes.Structure):
    """What is known of all tasks; times in seconds, `area` and `sojourn_s` in task-seconds."""

    _fields_ = (
        *((name, REAL) for name in ("changed_s", "seen_s", "last_s", "area", "sojourn_s", "until_s")),
        *((name, NUMBER) for name in ("base", "end", "accepted", "offered", "in_system", "mismatches")),
    )


def _followed(code: int) -> None:
    """Raise what a code says."""
    if code == _NO_MEMORY:
        raise MemoryError
    if code:
        raise NotFollowedError


LIBRARY = Library(
    Path(__file__).with_name("follow.c"),
    {
        "follow_new": (POINTER,),
        "follow_free": (None, POINTER),
        "follow_rules": (
            *(None, POINTER, POINTER, POINTER, NUMBER, array_of(np.uint8), array_of(np.uint8)),
            *(REAL, REAL, BITS, BITS),
        ),
        "follow_attempts": (None, POINTER, POINTER, POINTER, NUMBER, NUMBER, NUMBER),
        "follow_labels": (None, POINTER, NUMBER, NUMBER, POINTER, POINTER),
        "follow_causes": (_followed, POINTER, POINTER, NUMBER),
        "follow_begin": (None, POINTER, NUMBER, NUMBER, REAL),
        "follow": (_followed, POINTER, NUMBER, FLOATS, *[INTS] * 5, FLOATS, REAL),
        "follow_take_back": (_followed, POINTER),
        "follow_totals": (ctypes.POINTER(Totals), POINTER),
        "follow_series": (ctypes.POINTER(_Series), POINTER, NUMBER),
        "follow_noted": (ctypes.POINTER(_Elements), POINTER),
        "follow_starts": (ctypes.POINTER(_Elements), POINTER),
        "follow_executed": (None, POINTER, INTS, NUMBER, array_of(np.uint8, written=True)),
        "follow_columns": (None, POINTER, FLOATS_OUT),
        "follow_size": (NUMBER, POINTER),
        **{f"follow_{name}": (POINTER, POINTER) for name in ("counts", "retries", "states", "kept_labels")},
    },
    {
        "Series": ctypes.sizeof(_Series),
        "Totals": ctypes.sizeof(Totals),
        "Noted": _NOTED.itemsize,
        "NotedEvents": ctypes.sizeof(_Elements),
        "Places": ctypes.sizeof(_Elements),
        "ATTEMPTS": MOST_ATTEMPTS,
        "STATES": len(TaskState),
        "COLUMNS": len(COLUMNS),
        "SERIES": len(SERIES) + 3,
        "NO_MEMORY": _NO_MEMORY,
        "NOT_FOLLOWED": _NOT_FOLLOWED,
        **{name: 1 << place for names in (EVENTS, CAUSES, STATES, NOTES) for place, name in enumerate(names)},
    },
)


class Follower:
    """Follows blocks, one after the other; what it says of one holds until the next."""

    def __init__(self, kinds: int) -> None:
        """kinds: how many kinds of events there are. Raises Unavailable."""
        self._library, self._memory = LIBRARY.load(), Memory()
        self._kinds = kinds
        self._handle = Handle(self._library.follow_new(), self._library.follow_free)
        self._size = self._library.follow_size
        self._totals: Totals = self._library.follow_totals(self._handle).contents
        self._series = [self._library.follow_series(self._handle, each).contents for each in range(len(SERIES) + 3)]
        self._noted: _Elements = self._library.follow_noted(self._handle).contents
        self._starts: _Elements = self._library.follow_starts(self._handle).contents
        self._causes: Ints = np.empty(0, dtype=np.int64)

    def rules(
        self, kinds: Ints, after: Ints, states: Ints, legal: Ints, floors_s: tuple[float, float], wanted: Sequence[str]
    ) -> None:
        """What events and states are; from which length on stalls and gaps in telemetry are told; which series are wanted."""
        mask = sum(1 << place for place, name in enumerate(SERIES) if name in wanted)
        weighted = sum(1 << place for place, name in enumerate(SERIES) if name in WEIGHTED) | 1 << GAPS | 1 << STALLS
        mask |= 1 << DEATHS | 1 << GAPS | 1 << STALLS
        self._library.follow_rules(
            self._handle,
            self._memory.array("kinds", kinds, np.int32),
            self._memory.array("after", after, np.int8),
            self._kinds,
            *(np.ascontiguousarray(each, dtype=np.uint8) for each in (states, legal)),
            *floors_s,
            mask,
            weighted,
        )

    def attempts(self, backoff_s: Floats, most: Ints, *, by_label: bool, drawn: bool) -> None:
        """The least backoff after each attempt, from 0, and how many there are at most: of all tasks, or by their label."""
        backoff, of_most = self._memory.floats("backoff", backoff_s), self._memory.ints("most", most)
        self._library.follow_attempts(self._handle, backoff, of_most, backoff_s.shape[1], by_label, drawn)

    def labels(self, count: int, start_s: Floats, end_s: Floats) -> None:
        """Labels are kept: how many there are in the stream, and the windows of phases."""
        windows = self._memory.floats("starts", start_s), self._memory.floats("ends", end_s)
        self._library.follow_labels(self._handle, count, len(start_s), *windows)

    def causes(self, flags: Ints) -> None:
        """What each cause says, from now on."""
        if not np.array_equal(flags, self._causes):
            self._causes = flags
            self._library.follow_causes(self._handle, self._memory.array("causes", flags, np.uint8), len(flags))

    def follow(self, block: Block, *, marked: bool, slow_s: float | None = None) -> None:
        """Follow a block; what `marked` ones change can be taken back until the next. Raises NotFollowedError.

        slow_s: from where on a latency is noted; None: nothing is noted at all.
        """
        notes = 0 if slow_s is None else _EVERY_NOTE
        self._library.follow_begin(self._handle, marked, notes, slow_s or 0.0)
        self._library.follow(self._handle, len(block), *columns(block, _COLUMNS), block.until_s)

    def take_back(self) -> None:
        """Everything is as before the last block."""
        self._library.follow_take_back(self._handle)

    @property
    def totals(self) -> Totals:
        """What is known of all tasks, now and later."""
        return self._totals

    def counts(self) -> Ints:
        """By kind and cause, how many events the block has."""
        size = self._kinds, len(self._causes)
        return copied(self._library.follow_counts(self._handle), size[0] * size[1], np.int64).reshape(size)

    def retries(self) -> Ints:
        """By attempt, how many retries came after it; the last one stands for all further."""
        return copied(self._library.follow_retries(self._handle), MOST_ATTEMPTS, np.int64)

    def samples(self, which: int, *, weighted: bool, labelled: bool) -> Samples:
        """A series of the block."""
        found = self._series[which]
        size = found.size
        if not size and not labelled:
            return NOTHING
        return Samples(
            copied(found.t, size, np.float64),
            copied(found.value, size, np.float64),
            copied(found.weight, size, np.float64) if weighted else None,
            copied(found.label, size, np.int64) if labelled else None,
        )

    def noted(self, *, labelled: bool) -> Noted:
        """The events of the block of which something is noted."""
        size = self._noted.size * _NOTED.itemsize
        text = ctypes.string_at(self._noted.at, size) if size else b""
        return Noted(np.frombuffer(text, dtype=_NOTED) if size else np.empty(0, dtype=_NOTED), labelled)

    def starts(self) -> Ints:
        """Places of the executions that started in the block, of the keys of which something runs at its end."""
        return copied(self._starts.at, self._starts.size, np.int64)

    def executed(self, keys: Ints) -> Bools:
        """Of keys that ran before the block: whether an execution of each started or ended in it."""
        found = np.empty(len(keys), dtype=np.uint8)
        self._library.follow_executed(self._handle, keys, len(keys), found)
        return found > 0

    def states(self) -> npt.NDArray[np.uint8]:
        """The states of all tasks, by number."""
        return copied(self._library.follow_states(self._handle), self._size(self._handle), np.uint8)

    def task_labels(self) -> npt.NDArray[np.int32]:
        """The labels of all tasks, by number, where labels are kept."""
        return copied(self._library.follow_kept_labels(self._handle), self._size(self._handle), np.int32)

    def columns(self) -> dict[str, Floats]:
        """What is known of each task from `totals.base` up to `totals.end`."""
        count = self._totals.end - self._totals.base
        values = np.empty((len(COLUMNS), count))
        self._library.follow_columns(self._handle, values)
        return dict(zip(COLUMNS, values, strict=True))
