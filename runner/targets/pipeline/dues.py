"""When records of a plan are due, by their numbers: drawn again as they are asked for, in bounded memory."""

from collections import deque

import numpy as np

from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.simulation.plan import Plan

_KEPT = 3
"""Pieces of the plan that are kept: what was sent again after a gap is asked for again."""


class Dues:
    """Times of arrivals, asked for in about the order of the plan."""

    def __init__(self, plan: Plan) -> None:
        self._pieces = iter(plan.again().submissions())
        self._kept: deque[tuple[int, Floats]] = deque(maxlen=_KEPT)
        self._known = 0

    def of(self, arrival: Ints, otherwise_s: Floats) -> Floats:
        """When these arrivals are due; `otherwise_s` of those that are not known any more, or not in the plan."""
        due_s = otherwise_s.copy()
        last = int(arrival.max(initial=-1))
        while True:
            for first, times_s in self._kept:
                place = arrival - first
                inside = (place >= 0) & (place < len(times_s))
                due_s[inside] = times_s[place[inside]]
            if last < self._known or not self._more():
                return due_s

    def _more(self) -> bool:
        chunk = next(self._pieces, None)
        if chunk is None:
            return False
        if len(chunk):
            first = int(chunk.number[0] >> KEY_SHIFT)
            times_s = np.empty(int(chunk.number.max() >> KEY_SHIFT) - first + 1)
            times_s[(chunk.number >> KEY_SHIFT) - first] = chunk.due_s
            self._kept.append((first, times_s))
            self._known = first + len(times_s)
        return True
