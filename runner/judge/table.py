"""Per-task memory of the judge: state, label and DONE permanently, the rest while the task is open."""

import copy
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from soak.schemas.stream.block import Block, Bools, Floats, Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.stream.states import OPEN, TaskState

FIELDS = (
    "accepted",
    "due",
    "ready",
    "since",
    "entered",
    "wait",
    "transient",
    "running",
)

SETTLED = np.array([state not in OPEN and state is not TaskState.DEFERRED for state in TaskState])
_FIRST_SIZE = 1024
_AT_ONCE = 1 << 16


class Table:
    """Columns by task number. The columns are rings over the numbers from `base`, the oldest open task, on.

    `unknown_label` is the label of a task whose labels are unknown; None if labels are not kept.
    """

    def __init__(self, unknown_label: int | None, more: Sequence[str] = ()) -> None:
        """more: columns that a system's tracker keeps beside those of every task."""
        self._unknown_label = unknown_label
        self.states = np.zeros(_FIRST_SIZE, dtype=np.uint8)
        self._done = np.zeros(_FIRST_SIZE >> KEY_SHIFT, dtype=np.bool_)
        self._newly_done: Ints = np.empty(0, dtype=np.int64)
        self._replaced: tuple[Ints, npt.NDArray[np.uint8]] = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint8)
        self._labels = np.full(0 if unknown_label is None else _FIRST_SIZE, unknown_label or 0, dtype=np.int32)
        self._first_touched = 0
        self._labelled: Ints = np.empty(0, dtype=np.int64)
        self._labelled_at: Ints = np.empty(0, dtype=np.int64)
        self.base = 0
        self.end = 0
        self.new_from = 0
        """Of the numbers last admitted, those from here on had never been seen: all their columns are zero."""
        self._size = _FIRST_SIZE
        self._columns = {name: np.zeros(_FIRST_SIZE) for name in (*FIELDS, *more)}

    @classmethod
    def of(
        cls,
        base: int,
        end: int,
        states: npt.NDArray[np.uint8],
        columns: Mapping[str, Floats],
        labels: npt.NDArray[np.int32] | None,
        unknown_label: int | None,
    ) -> "Table":
        """A table of what others have followed, to be asked only. columns: of the numbers from `base` up to `end`."""
        table = cls(unknown_label)
        table.base, table.end, table.states = base, end, states
        table._labels = table._labels if labels is None else labels
        while table._size < end - base:
            table._size *= 2
        places = np.arange(base, end) & (table._size - 1)
        for name, values in columns.items():
            table._columns[name] = np.zeros(table._size)
            table._columns[name][places] = values
        return table

    def admit(self, lowest: int, highest: int) -> None:
        """Make room for the task numbers of a block; those that are new, or forgotten, start from zero."""
        if self._unknown_label is not None:
            self._first_touched, self._labelled_at = lowest, np.full(highest + 1 - lowest, -1)
        forgotten, known_end = self.base, self.end
        self.new_from = known_end
        self.base = min(self.base, lowest)
        self.end = max(self.end, highest + 1)
        if self.end > len(self.states):
            size = max(self.end, len(self.states) + len(self.states) // 4)
            self.states = _longer(self.states, size, 0)
            self._done = _longer(self._done, (size >> KEY_SHIFT) + 1, 0)
            if self._unknown_label is not None:
                self._labels = _longer(self._labels, size, self._unknown_label)
        if self.end - self.base > self._size:
            self._grow(np.arange(forgotten, known_end))
        for first, end in ((self.base, forgotten), (known_end, self.end)):
            self._clear(first, end)

    def _clear(self, first: int, end: int) -> None:
        """Zero the columns of these numbers, which may run over the end of the rings."""
        low, high = first % self._size, first % self._size + end - first
        for column in self._columns.values():
            column[low:high] = 0.0
            column[: max(0, high - self._size)] = 0.0

    def _grow(self, kept: Ints) -> None:
        old = self._size
        while self.end - self.base > self._size:
            self._size *= 2
        for name, column in self._columns.items():
            grown = np.zeros(self._size)
            grown[kept % self._size] = column[kept % old]
            self._columns[name] = grown

    def put_states(self, numbers: Ints, states: Ints) -> None:
        """Set the states of these tasks, once for each block."""
        self._replaced = numbers, self.states[numbers]
        self.states[numbers] = states

    def __deepcopy__(self, memo: dict[int, object]) -> "Table":
        """A copy that shares what is kept for ever, which would take longer and longer to copy: see `take_back`."""
        twin = copy.copy(self)
        twin._columns = {name: column.copy() for name, column in self._columns.items()}
        return twin

    def take_back(self, later: "Table") -> None:
        """Undo in this copy, made before a block, what `later` changed in that block."""
        numbers, states = later._replaced
        known = numbers < len(self.states)
        self.states[numbers[known]] = states[known]
        self._done[later._newly_done[later._newly_done < len(self._done)]] = False
        if self._unknown_label is not None:
            self._labels[later._labelled[later._labelled < len(self._labels)]] = self._unknown_label

    def count_states(self) -> Ints:
        """How many tasks are in each state. A piece at a time: `bincount` makes eight bytes of each state."""
        counts = np.zeros(len(TaskState), dtype=np.int64)
        for first in range(0, len(self.states), _AT_ONCE):
            counts += np.bincount(self.states[first : first + _AT_ONCE], minlength=len(TaskState))
        return counts

    def was_done(self, keys: Ints) -> Bools:
        """Whether the tasks of these keys were ever DONE, whatever became of them then."""
        done: Bools = self._done[keys >> KEY_SHIFT]
        return done

    def put_done(self, keys: Ints) -> None:
        """These keys are DONE; once for each block."""
        self._newly_done = (keys >> KEY_SHIFT)[~self.was_done(keys)]
        self._done[self._newly_done] = True

    def labels_at(self, block: Block, places: Ints) -> Ints | None:
        """The labels of the tasks of these events, as known when they happened; None where labels are not kept."""
        if self._unknown_label is None:
            return None
        numbers = block.task[places]
        labels = self._labels[numbers].astype(np.int64)
        labels[places < self._labelled_at[numbers - self._first_touched]] = self._unknown_label
        return labels

    def labels_of(self, numbers: Ints) -> Ints:
        """The labels of these tasks, as they are known now; only where labels are kept."""
        return self._labels[numbers].astype(np.int64)

    def labelled(self, numbers: Ints, labels: frozenset[int] | None) -> Ints:
        """Of these tasks those with such a label (None: all)."""
        if labels is None or self._unknown_label is None:
            return numbers
        return numbers[np.isin(self._labels[numbers], list(labels))]

    def put_labels(self, numbers: Ints, labels: Ints, places: Ints) -> None:
        """Set the labels of tasks that have none, from the first event that tells; `places` ascend for each number.

        Once for each block, after `admit`.
        """
        tells = (labels != self._unknown_label) & (self._labels[numbers] == self._unknown_label)
        numbers, first = np.unique(numbers[tells], return_index=True)
        self._labelled = numbers
        self._labels[numbers] = labels[tells][first]
        self._labelled_at[numbers - self._first_touched] = places[tells][first]

    def get(self, name: str, numbers: Ints) -> Floats:
        """A column for these tasks."""
        values: Floats = self._columns[name][numbers & (self._size - 1)]
        return values

    def put(self, name: str, numbers: Ints, values: Floats | Ints | float) -> None:
        """Set a column for these tasks."""
        self._columns[name][numbers & (self._size - 1)] = values

    def open_numbers(self) -> Ints:
        """The tasks that are not settled, or have a running execution."""
        settled = SETTLED[self.states[self.base : self.end]]
        settled &= self._all("running") <= 0
        return np.flatnonzero(~settled) + self.base

    def _all(self, name: str) -> Floats:
        """A column for all tasks from the oldest open one on, in order."""
        column, low = self._columns[name], self.base & (self._size - 1)
        high = low + self.end - self.base
        return column[low:high] if high <= self._size else np.concatenate([column[low:], column[: high - self._size]])

    def forget_settled(self) -> None:
        """Drop everything before the oldest open task."""
        open_numbers = self.open_numbers()
        self.base = int(open_numbers[0]) if len(open_numbers) else self.end


_Number = TypeVar("_Number", np.uint8, np.bool_, np.int32)


def _longer(values: npt.NDArray[_Number], size: int, rest: int) -> npt.NDArray[_Number]:
    longer = np.full(size, rest, dtype=values.dtype)
    longer[: len(values)] = values
    return longer
