"""Answers to requests: the status of each that did not succeed, and answers to requests that nobody sent."""

import numpy as np

from soak.runner.judge.room import Tasks
from soak.runner.judge.rows import Rows
from soak.runner.judge.samples import Facts
from soak.runner.judge.violations import Told, law, note
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import TaskState

ANSWERS = "answers"
"""The law that no answer comes without a request."""


class Answers:
    """Follows answers. Few statuses are kept: of requests that were answered and have not ended yet."""

    def __init__(self) -> None:
        self.seen = self.unasked = 0
        self._open: dict[int, int] = {}

    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> Ints:
        """Take in a block; returns the status of each row that ends a request, -1 where there was no answer."""
        places = np.flatnonzero(block.kind == Kind.RESPONSE_RECEIVED)
        self.seen += len(places)
        self._find_unasked(block, places, tasks, facts)
        rows = tasks.rows
        status = np.full(len(rows.t), -1)
        ended = np.flatnonzero((rows.kind == Kind.TASK_DONE) | (rows.kind == Kind.TASK_FAILED))
        known = _latest(block, places, rows, ended)
        before = [self._open.pop(number, -1) for number in rows.number[ended].tolist()] if self._open else -1
        status[ended] = np.where(known >= 0, known, before)
        self._keep(block, places, rows, ended)
        return status

    def _keep(self, block: Block, places: Ints, rows: Rows, ended: Ints) -> None:
        """Remember answers after which the block says nothing of how the request ended."""
        last = np.full(len(places), -1)
        number, place = rows.number[ended], rows.places[ended]
        at = np.searchsorted(number, block.task[places], side="right") - 1
        found = at >= 0
        found[found] = number[at[found]] == block.task[places][found]
        last[found] = place[at[found]]
        for each in places[last < places].tolist():
            self._open[int(block.task[each])] = int(block.value[each])

    def _find_unasked(self, block: Block, places: Ints, tasks: Tasks, facts: Facts) -> None:
        """Answers to what was not sent before them: neither in an earlier block, nor before them in this one."""
        number = block.task[places]
        states = tasks.table.states
        sent = np.zeros(len(places), dtype=np.bool_)
        inside = (number >= 0) & (number < len(states))
        sent[inside] = states[number[inside]] != TaskState.NONE
        rows = tasks.rows
        asked = np.flatnonzero(rows.changes)
        at = np.searchsorted(rows.number[asked], number)
        found = at < len(asked)
        found[found] = rows.number[asked][at[found]] == number[found]
        sent[found] |= rows.places[asked][at[found]] < places[found]
        self.unasked += int((~sent).sum())
        note(
            facts,
            law(ANSWERS),
            block,
            places[~sent],
            cause="answer without a request",
            told=lambda position: Told(detail=f"status {block.value[places[~sent][position]]:.0f}"),
        )


def _latest(block: Block, places: Ints, rows: Rows, ended: Ints) -> Ints:
    """The status of the last answer in the block before the end of each of these rows' requests; -1 for none."""
    if not len(places) or not len(ended):
        return np.full(len(ended), -1)
    # One number orders answers and ends by request and place in the block.
    size = len(block)
    answers = np.sort(block.task[places].astype(np.int64) * size + places)
    ends = rows.number[ended].astype(np.int64) * size + rows.places[ended]
    at = np.searchsorted(answers, ends) - 1
    known: Bools = (at >= 0) & (answers[at] // size == rows.number[ended])
    # An answer is that of the first end after it.
    known[1:] &= answers[at[1:]] > ends[:-1]
    value = block.value[answers[np.maximum(at, 0)] % size]
    return np.where(known, np.nan_to_num(value, nan=-1.0), -1).astype(np.int64)
