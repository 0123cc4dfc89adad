"""Which fault executions are due to that should not have been: the last one that the task had met."""

import copy
from collections import Counter
from collections.abc import Iterator

import numpy as np
from msgspec.structs import astuple

from soak.runner.judge.room import DUPLICATED, Consequence
from soak.runner.judge.samples import Samples
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Floats, Ints
from soak.schemas.stream.events import COPY, Kind
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary
from soak.schemas.systems.queue.settings import queue_of

EXPIRED = "lease_expired"
"""The error of a lease that expired by no fault."""

_MOST = 10_000
"""The number of last meetings of a task with a fault that are looked through."""


class Blame:
    """Keeps the last meetings of tasks with faults, and counts executions too many by fault and window."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._starts = {fault.name: np.array([window.start_s for window in fault.windows]) for fault in scenario.faults}
        self._key: Ints = np.empty(0, dtype=np.int64)
        self._cause: Ints = np.empty(0, dtype=np.int64)
        self._t: Floats = np.empty(0)
        self._times_out = queue_of(scenario).times_out
        self._counts: Counter[tuple[str, float]] = Counter()

    def __deepcopy__(self, memo: dict[int, object]) -> "Blame":
        """Arrays are replaced, and never changed."""
        twin = copy.copy(self)
        twin._counts = self._counts.copy()
        return twin

    def observe(self, block: Block, executions: Samples) -> None:
        """Process a block; `executions`: of each that starts in it, in order, whether it is one too many."""
        places = np.flatnonzero((block.cause != NO_CAUSE) & (block.task >= 0))
        earlier = len(self._key)
        if len(places):
            self._key = np.concatenate([self._key, block.task[places] & ~COPY])
            self._cause = np.concatenate([self._cause, block.cause[places]])
            self._t = np.concatenate([self._t, block.t[places]])
        if executions.value.any():
            started = np.flatnonzero(block.kind == Kind.EXECUTION_STARTED)
            for place in started[executions.value > 0].tolist():
                met = earlier + int(np.searchsorted(places, place))
                self._note(int(block.task[place]) & ~COPY, met)
        self._key, self._cause, self._t = self._key[-_MOST:], self._cause[-_MOST:], self._t[-_MOST:]

    def _note(self, key: int, met: int) -> None:
        """Count an execution too many of a task; of the meetings, `met` were before it."""
        for place in np.flatnonzero(self._key[max(0, met - _MOST) : met] == key)[::-1].tolist():
            at = max(0, met - _MOST) + place
            fault, error = astuple(self._vocabulary.causes[int(self._cause[at])])
            if self._times_out and not fault and error == EXPIRED:
                return
            if fault in self._starts:
                self._counts[fault, self._window(fault, float(self._t[at]))] += 1
                return

    def _window(self, fault: str, t_s: float) -> float:
        """When the last window of the fault began by then; 0 where it has none."""
        starts = self._starts[fault]
        begun = int(np.searchsorted(starts, t_s, side="right"))
        return float(starts[begun - 1]) if begun else 0.0

    def consequences(self) -> Iterator[Consequence]:
        """The counts."""
        for (fault, met_s), count in self._counts.items():
            yield Consequence(DUPLICATED, fault, met_s, count)
