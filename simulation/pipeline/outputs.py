"""What a process writes to: a sink that is written in batches, or its stream itself, at once."""

import math

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.stream.block import Floats, Ints
from soak.simulation.pipeline.flow import NONE, Flow, join

_NO_PLACES = np.empty(0, dtype=np.int64)


class Written(Struct, frozen=True):
    """Records that were written, to be had from then on (`at_s`), and their places in the input of the process."""

    flow: Flow
    place: Ints


def write_times(at_s: Floats, rows: int, every_s: float, from_s: float, until_s: float) -> Floats:
    """When the first of these records are written, up to `until_s`: the rest waits.

    A batch is written when it has `rows`, or `every_s` after its first record; nothing is written before `from_s`, and whatever
    is there then goes with a batch that is due by then.
    """
    if rows == 1:
        return np.maximum(at_s, from_s)
    times, begin, count = np.empty(len(at_s)), 0, len(at_s)
    while begin < count:
        last = begin + rows - 1
        due_s = float(at_s[begin]) + every_s
        if last < count and at_s[last] <= due_s:
            due_s = float(at_s[last])
        else:
            last = begin
        due_s = max(due_s, from_s)
        if due_s > until_s:
            break
        # A full batch does not wait for what comes at the same instant, one that is late takes it along.
        end = last + 1 if last > begin and due_s > from_s else int(np.searchsorted(at_s, due_s, side="right"))
        times[begin:end] = due_s
        begin = end
    return times[:begin]


class Output:
    """Where records go in the order of the input. number: of the sink, -1 for a stream without one.

    Records are known by their place in the input of the process: `held` is the place up to which it has everything.
    """

    def __init__(self, number: int = -1, rows: int = 1, every_s: float = 0.0) -> None:
        self.number = number
        self.held = 0
        self.closed: list[int] = []
        """The causes for which it cannot be written."""
        self._rows, self._every_s = rows, every_s
        self._flow, self._place = NONE, _NO_PLACES

    def __len__(self) -> int:
        return len(self._flow)

    def first_waiting(self, otherwise: int) -> int:
        """The place of the first record that is not written yet."""
        return int(self._place[0]) if len(self._place) else otherwise

    def offer(self, flow: Flow, place: Ints, *, exact: bool, cause: int) -> None:
        """Take records in; of those it has, an exact process leaves out what it offers once more."""
        known = place < self.held
        if known.any():
            if exact:
                flow, place = flow.take(~known), place[~known]
            else:
                flow = replace(flow, again=np.where(known & flow.first, cause, flow.again))
        if len(flow):
            self._flow, self._place = join([self._flow, flow]), np.concatenate([self._place, place])

    def write(self, from_s: float, until_s: float, *, at_once: bool) -> Written:
        """What is written from `from_s` up to `until_s`. at_once: without waiting for a batch."""
        if not len(self._flow) or self.closed:
            return Written(NONE, _NO_PLACES)
        rows = 1 if at_once else self._rows
        times = write_times(self._flow.at_s, rows, self._every_s, from_s, until_s)
        done = len(times)
        written = Written(self._flow.take(slice(0, done)).at(times), self._place[:done])
        self._flow, self._place = self._flow.take(slice(done, None)), self._place[done:]
        if done:
            self.held = max(self.held, int(written.place[-1]) + 1)
        return written

    def due_s(self, *, at_once: bool) -> float:
        """When it is to be written next; infinite without records."""
        if not len(self._flow):
            return math.inf
        at_s, rows = self._flow.at_s, 1 if at_once else self._rows
        full_s = float(at_s[rows - 1]) if len(at_s) >= rows else math.inf
        return min(full_s, float(at_s[0]) + (0.0 if at_once else self._every_s))

    def discard(self) -> Flow:
        """Lose what is not written; what that was."""
        lost, self._flow, self._place = self._flow, NONE, _NO_PLACES
        return lost
