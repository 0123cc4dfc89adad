"""Tasks of a queue followed by compiled code: what `follow.c` says of a block, as arrays."""

import ctypes
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from soak.runner.judge.faults import MOST_ATTEMPTS
from soak.runner.judge.need import NotFollowedError
from soak.runner.judge.samples import NOTHING, Samples
from soak.schemas.stream.block import Block, Floats, Ints
from soak.simulation.compiled.library import load

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

_Number = TypeVar("_Number", np.float64, np.int64, np.int32, np.uint8)
_NO_MEMORY = 1


class _Series(ctypes.Structure):
    _fields_ = (
        ("t", ctypes.c_void_p),
        ("value", ctypes.c_void_p),
        ("weight", ctypes.c_void_p),
        ("label", ctypes.c_void_p),
        ("size", ctypes.c_int64),
        ("room", ctypes.c_int64),
    )


class Totals(ctypes.Structure):
    """What is known of all tasks; times in seconds, `area` and `sojourn_s` in task-seconds."""

    _fields_ = (
        ("changed_s", ctypes.c_double),
        ("seen_s", ctypes.c_double),
        ("last_s", ctypes.c_double),
        ("area", ctypes.c_double),
        ("sojourn_s", ctypes.c_double),
        ("until_s", ctypes.c_double),
        ("base", ctypes.c_int64),
        ("end", ctypes.c_int64),
        ("accepted", ctypes.c_int64),
        ("offered", ctypes.c_int64),
        ("in_system", ctypes.c_int64),
        ("mismatches", ctypes.c_int64),
    )


def library() -> ctypes.CDLL:
    """The compiled code. Raises Unavailable."""
    found = load(Path(__file__).with_name("follow.c"))
    pointer = ctypes.c_void_p
    for name in ("follow_new", "follow_counts", "follow_retries", "follow_states", "follow_kept_labels"):
        getattr(found, name).restype = pointer
    found.follow_totals.restype = ctypes.POINTER(Totals)
    found.follow_series.restype = ctypes.POINTER(_Series)
    found.follow_size.restype = ctypes.c_int64
    return found


class Follower:
    """Follows blocks, one after the other; what it says of one holds until the next."""

    def __init__(self, kinds: int) -> None:
        """kinds: how many kinds of events there are. Raises Unavailable."""
        self._library = library()
        self._kinds = kinds
        self._kept: list[npt.NDArray[Any]] = []
        """Arrays that compiled code refers to."""
        made = self._library.follow_new()
        if not made:
            raise MemoryError
        self._handle = ctypes.c_void_p(made)
        # At the end of the process another thread may still be in there.
        weakref.finalize(self, self._library.follow_free, self._handle).atexit = False
        self._size = self._library.follow_size
        self._totals: Totals = self._library.follow_totals(self._handle).contents
        self._series = [self._library.follow_series(self._handle, each).contents for each in range(len(SERIES) + 3)]
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
            self._address(kinds, np.int32),
            self._address(after, np.int8),
            ctypes.c_int64(self._kinds),
            self._address(states, np.uint8),
            self._address(legal, np.uint8),
            ctypes.c_int64(len(states)),
            *(ctypes.c_double(each) for each in floors_s),
            ctypes.c_uint64(mask),
            ctypes.c_uint64(weighted),
        )

    def attempts(self, backoff_s: Floats, most: Ints, *, by_label: bool, drawn: bool) -> None:
        """The least backoff after each attempt, from 0, and how many there are at most: of all tasks, or by their label."""
        self._library.follow_attempts(
            self._handle,
            self._address(backoff_s, np.float64),
            self._address(most, np.int64),
            *(ctypes.c_int64(int(each)) for each in (backoff_s.shape[1], by_label, drawn)),
        )

    def labels(self, count: int, start_s: Floats, end_s: Floats) -> None:
        """Labels are kept: how many there are in the stream, and the windows of phases."""
        self._library.follow_labels(
            self._handle,
            ctypes.c_int64(count),
            ctypes.c_int64(len(start_s)),
            self._address(start_s, np.float64),
            self._address(end_s, np.float64),
        )

    def causes(self, flags: Ints) -> None:
        """What each cause says, from now on."""
        if not np.array_equal(flags, self._causes):
            self._causes = flags
            self._call("follow_causes", self._address(flags, np.uint8), ctypes.c_int64(len(flags)))

    def follow(self, block: Block, *, marked: bool) -> None:
        """Follow a block; what `marked` ones change can be taken back until the next. Raises NotFollowedError."""
        self._library.follow_begin(self._handle, ctypes.c_int64(marked))
        numbers = (block.kind, block.task, block.attempt, block.cause, block.label)
        columns: list[npt.NDArray[Any]] = [
            np.ascontiguousarray(block.t, dtype=np.float64),
            *(np.ascontiguousarray(each, dtype=np.int64) for each in numbers),
            np.ascontiguousarray(block.value, dtype=np.float64),
        ]
        addresses = [ctypes.c_void_p(each.ctypes.data) for each in columns]
        self._call("follow", ctypes.c_int64(len(block)), *addresses, ctypes.c_double(block.until_s))

    def take_back(self) -> None:
        """Everything is as before the last block."""
        self._call("follow_take_back")

    @property
    def totals(self) -> Totals:
        """What is known of all tasks, now and later."""
        return self._totals

    def counts(self) -> Ints:
        """By kind and cause, how many events the block has."""
        size = self._kinds, len(self._causes)
        return _copied(self._library.follow_counts(self._handle), size[0] * size[1], np.int64).reshape(size)

    def retries(self) -> Ints:
        """By attempt, how many retries came after it; the last one stands for all further."""
        return _copied(self._library.follow_retries(self._handle), MOST_ATTEMPTS, np.int64)

    def samples(self, which: int, *, weighted: bool, labelled: bool) -> Samples:
        """A series of the block."""
        found = self._series[which]
        size = found.size
        if not size and not labelled:
            return NOTHING
        return Samples(
            _copied(found.t, size, np.float64),
            _copied(found.value, size, np.float64),
            _copied(found.weight, size, np.float64) if weighted else None,
            _copied(found.label, size, np.int64) if labelled else None,
        )

    def states(self) -> npt.NDArray[np.uint8]:
        """The states of all tasks, by number."""
        return _copied(self._library.follow_states(self._handle), self._size(self._handle), np.uint8)

    def task_labels(self) -> npt.NDArray[np.int32]:
        """The labels of all tasks, by number, where labels are kept."""
        return _copied(self._library.follow_kept_labels(self._handle), self._size(self._handle), np.int32)

    def columns(self) -> dict[str, Floats]:
        """What is known of each task from `totals.base` up to `totals.end`."""
        count = self._totals.end - self._totals.base
        values = np.empty((len(COLUMNS), count))
        self._library.follow_columns(self._handle, ctypes.c_void_p(values.ctypes.data))
        return dict(zip(COLUMNS, values, strict=True))

    def _address(self, values: npt.NDArray[Any], dtype: type) -> ctypes.c_void_p:
        array: npt.NDArray[Any] = np.ascontiguousarray(values, dtype=dtype)
        self._kept.append(array)
        return ctypes.c_void_p(array.ctypes.data)

    def _call(self, name: str, *arguments: object) -> None:
        found = getattr(self._library, name)(self._handle, *arguments)
        if found == _NO_MEMORY:
            raise MemoryError
        if found:
            raise NotFollowedError


def _copied(address: int | None, count: int, dtype: type[_Number]) -> npt.NDArray[_Number]:
    values = np.empty(count, dtype=dtype)
    if count:
        ctypes.memmove(values.ctypes.data, address or 0, values.nbytes)
    return values
