"""When tasks were due and ended, noted while a stream is written: its report need not read it once more."""

import numpy as np

from soak.reports.run_page.ended import MOST_BYTES, Ended, none_ended
from soak.schemas.stream.block import Block, Floats, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind

_ENDS = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED)


class Endings:
    """What `read_ended` finds in a stream, from its blocks, in their order."""

    def __init__(self) -> None:
        self._due: list[tuple[Ints, Floats]] = []
        self._ended: list[tuple[Ints, Floats, Ints]] = []
        self._is_long = False

    def forget_if_long(self, stream_bytes: int) -> None:
        """Note nothing more, and forget the rest, where the stream is too long to be read."""
        if stream_bytes > MOST_BYTES and not self._is_long:
            self._is_long = True
            self._due, self._ended = [], []

    def append(self, block: Block) -> None:
        """Note a block."""
        if self._is_long:
            return
        due = np.flatnonzero(block.kind == Kind.TASK_ENQUEUED)
        ended = np.flatnonzero(_ENDS[block.kind])
        self._due.append((block.task[due], block.value[due]))
        self._ended.append((block.task[ended], block.t[ended], block.kind[ended]))

    def ended(self) -> Ended:
        """The tasks of the stream; none of one that is too long to be read.

        Of a task due twice the last time counts, of two ends the first.
        """
        if not self._due:
            return none_ended()
        due, due_s = (np.concatenate(each) for each in zip(*self._due, strict=True))
        task, ended_s, kind = (np.concatenate(each) for each in zip(*self._ended, strict=True))
        first = _first(task)
        task, ended_s, failed = task[first], ended_s[first], kind[first] == Kind.TASK_FAILED
        # In the order in which tasks were first due.
        order = _first(due)
        last = len(due) - 1 - _first(due[::-1])
        of_task = dict(zip(due[last].tolist(), due_s[last].tolist(), strict=True))
        both = np.array([each in of_task for each in task.tolist()], dtype=np.bool_)
        return Ended(
            np.array([of_task[each] for each in task[both].tolist()], dtype=np.float64),
            ended_s[both],
            failed[both],
            np.array([of_task[each] for each in due[order].tolist()], dtype=np.float64),
        )


def _first(numbers: Ints) -> Ints:
    """The places where each number stands first, ascending."""
    places: Ints = np.sort(np.unique(numbers, return_index=True)[1])
    return places
