"""The windows of each fault: when it was injected, first detected and ended in each, and what carries its cause there."""

from collections.abc import Sequence

import numpy as np

from soak.schemas.language.faults import AT_ONCE_S, Fault
from soak.schemas.stream.block import TICKS_PER_S, Block, Bools, Floats, Ints, tick
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary

INJECTED = (Kind.FAULT_INJECTED, Kind.TASK_DUPLICATE)
"""The events of an injection."""

_INJECTED = kind_flags(*INJECTED)

COSTS = {"failed": Kind.TASK_FAILED, "retried": Kind.TASK_RETRY, "blocked": Kind.TASK_BLOCKED}
"""What a fault costs, by the event that carries its cause."""

_FAR = np.iinfo(np.int64).max


class WindowMarks:
    """The windows of one fault, in time order; an event with its cause belongs to the last that has begun.

    start_s, end_s: as planned. injected_s, detected_s, ended_s: seconds, infinite where it did not happen. detected_by: the kind
    of the event. shown: whether it was seen to take effect. costs: by name, see `COSTS`.
    """

    def __init__(self, fault: Fault) -> None:
        count = len(fault.windows)
        self.fault = fault
        self.start_s = np.array([tick(window.start_s) for window in fault.windows])
        self.end_s = np.array([tick(window.end_s) for window in fault.windows])
        self.injected_s, self.detected_s, self.ended_s = (np.full(count, np.inf) for _ in range(3))
        self.detected_by = np.zeros(count, dtype=np.int64)
        self.shown = np.zeros(count, dtype=np.bool_)
        self.costs = {name: np.zeros(count, dtype=np.int64) for name in COSTS}
        self._at_once = bool((self.end_s - self.start_s <= AT_ONCE_S + 1 / TICKS_PER_S).all())
        self._shows = kind_flags(*fault.spec.seen_by)
        self._detects = kind_flags(*(fault.spec.detected_by or fault.spec.seen_by))
        self._ends = kind_flags(*fault.spec.ended_by)

    def observe(self, block: Block, places: Ints) -> None:
        """Process the events of a block that carry the cause of the fault."""
        t, kind = block.t[places], block.kind[places]
        window = np.searchsorted(self.start_s, t, side="right") - 1
        known = window >= 0
        # What an injection brings comes after it in the stream, also at the same instant.
        since = np.where(np.isfinite(self.injected_s), -1, _FAR)
        first, at = _firsts(window, known & _INJECTED[kind])
        fresh = since[first] == _FAR
        self.injected_s[first[fresh]] = t[at[fresh]]
        since[first[fresh]] = at[fresh]
        order = np.arange(len(t))
        after = known & (order > since[window])
        self.shown[window[known & self._shows[kind]]] = True
        first, at = _firsts(window, after & self._detects[kind] & np.isinf(self.detected_s[window]))
        self.detected_s[first], self.detected_by[first] = t[at], kind[at]
        # One that lasts until the next begins ends at the same instant; one that is over at once, at the instant of its own.
        window = np.searchsorted(self.start_s, t, side="right" if self._at_once else "left") - 1
        ends = (window >= 0) & self._ends[kind] & (order > since[window]) & np.isinf(self.ended_s[window])
        first, at = _firsts(window, ends)
        self.ended_s[first] = t[at]
        for name, cost in COSTS.items():
            np.add.at(self.costs[name], self.place_of(t[kind == cost]), 1)

    def place_of(self, t_s: Floats) -> Ints:
        """The window that what happened at these times belongs to: what comes before the first belongs to it, too."""
        places: Ints = np.maximum(np.searchsorted(self.start_s, t_s, side="right") - 1, 0)
        return places

    def begun(self, until_s: float) -> int:
        """How many windows had begun by then, in a run that ended then."""
        return int(np.searchsorted(self.start_s, until_s, side="left"))

    def showed(self, until_s: float) -> tuple[int, int]:
        """In how many windows the fault was seen, and in how many it should have been: those that are over, and these."""
        over = (self.end_s <= until_s) | self.shown
        return int(self.shown.sum()), int(over.sum())


def _firsts(window: Ints, chosen: Bools) -> tuple[Ints, Ints]:
    """The windows of the chosen events, each once, and the place of the first of each."""
    at = np.flatnonzero(chosen)
    windows, first = np.unique(window[at], return_index=True)
    return windows, at[first]


class FaultWindows:
    """The windows of all faults that have some, by name of the fault."""

    def __init__(self, faults: Sequence[Fault], vocabulary: Vocabulary) -> None:
        self.of = {fault.name: WindowMarks(fault) for fault in faults if fault.windows}
        self._vocabulary = vocabulary

    def observe(self, block: Block) -> None:
        """Process a block."""
        if not self.of:
            return
        caused = np.flatnonzero(block.cause != NO_CAUSE)
        if not len(caused):
            return
        names = [cause.fault for cause in self._vocabulary.causes]
        cause = block.cause[caused]
        for name, windows in self.of.items():
            own = caused[np.array([each == name for each in names])[cause]]
            if len(own):
                windows.observe(block, own)
