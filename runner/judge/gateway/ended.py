"""Requests from when they were due to their end, in memory for those that are open only."""

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Block, Bools, Floats, Ints, quantise
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind

_ENDS = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_CANCELLED)
NO_STATUS = -1


class Ended(Struct, frozen=True):
    """Requests that ended in a block, in time order. status: `NO_STATUS` where no answer came."""

    t: Floats
    number: Ints
    due: Floats
    label: Ints
    cause: Ints
    done: Bools
    status: Ints

    @property
    def latency_s(self) -> Floats:
        """From when each was due to its end, in seconds."""
        return quantise(self.t - self.due)

    def take(self, index: Bools) -> "Ended":
        """Some of them."""
        return Ended(*(getattr(self, name)[index] for name in self.__struct_fields__))


class OpenRequests:
    """The requests that were sent and have not ended: their numbers ascend."""

    def __init__(self) -> None:
        self._number, self._label = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._status, self._due = np.empty(0, dtype=np.int64), np.empty(0)

    def observe(self, block: Block) -> tuple[Ended, Floats, Ints]:
        """Take in a block: what ended, and when what was sent in it was due, with its labels."""
        sent = np.flatnonzero(block.kind == Kind.TASK_ENQUEUED)
        due, label = block.value[sent], block.label[sent].astype(np.int64)
        self._add(block.task[sent].astype(np.int64), due, label)
        ends = np.flatnonzero(_ENDS[block.kind])
        number, first = np.unique(block.task[ends], return_index=True)
        place = ends[first]
        self._answer(block, number, place)
        at, known = self._find(number)
        order = np.argsort(place[known], kind="stable")
        at, place = at[known][order], place[known][order]
        ended = Ended(
            block.t[place],
            self._number[at],
            self._due[at],
            self._label[at],
            block.cause[place].astype(np.int64),
            block.kind[place] == Kind.TASK_DONE,
            self._status[at],
        )
        self._keep(~np.isin(np.arange(len(self._number)), at))
        cancelled = block.kind[place] == Kind.TASK_CANCELLED
        return ended.take(~cancelled), due, label

    def _add(self, number: Ints, due: Floats, label: Ints) -> None:
        self._number = np.concatenate([self._number, number])
        self._due, self._label = np.concatenate([self._due, due]), np.concatenate([self._label, label])
        self._status = np.concatenate([self._status, np.full(len(number), NO_STATUS)])
        self._keep(np.argsort(self._number, kind="stable"))

    def _keep(self, index: Ints | Bools) -> None:
        self._number, self._due = self._number[index], self._due[index]
        self._label, self._status = self._label[index], self._status[index]

    def _find(self, number: Ints) -> tuple[Ints, Bools]:
        """Where these numbers are among the open ones, and whether they are."""
        at = np.searchsorted(self._number, number)
        known = at < len(self._number)
        known[known] = self._number[at[known]] == number[known]
        return at, known

    def _answer(self, block: Block, ended: Ints, end_place: Ints) -> None:
        """Note the status of answers that came before the end of their request."""
        place = np.flatnonzero(block.kind == Kind.RESPONSE_RECEIVED)
        number = block.task[place].astype(np.int64)
        at = np.searchsorted(ended, number)
        late = at < len(ended)
        late[late] = (ended[at[late]] == number[late]) & (end_place[at[late]] < place[late])
        place, number = place[~late], number[~late]
        at, known = self._find(number)
        self._status[at[known]] = np.nan_to_num(block.value[place[known]], nan=NO_STATUS).astype(np.int64)
