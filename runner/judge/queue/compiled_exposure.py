"""What faults of attempts could have struck, counted by compiled code: see `exposure.Attempts`."""

from pathlib import Path

import numpy as np

from soak.runner.judge.exposure import BITS, Exposed
from soak.runner.judge.queue.budget import MOST_ATTEMPTS
from soak.runner.judge.queue.exposure import Attempts
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.compiled.calls import FLOATS, INTS, NUMBER, POINTER, Handle, Library, Memory, columns, copied
from soak.simulation.compiled.library import Unavailable

_DISPATCHED, _RETRY = 1, 2
_KINDS = kind_flags(Kind.TASK_DISPATCHED) * _DISPATCHED + kind_flags(Kind.TASK_RETRY) * _RETRY
_COLUMNS = ("t", "kind", "task", "attempt", "cause")
LIBRARY = Library(
    Path(__file__).with_name("expose.c"),
    {
        "expose_new": (POINTER,),
        "expose_free": (None, POINTER),
        "expose_fault": (None, POINTER, POINTER, NUMBER, NUMBER),
        "expose_kinds": (None, POINTER, POINTER),
        "expose_shows": (None, POINTER, NUMBER, POINTER),
        "expose_counts": (POINTER, POINTER),
        "expose": (NUMBER, POINTER, NUMBER, FLOATS, *[INTS] * 4),
    },
    {"FAULTS": BITS, "MOST_ATTEMPTS": MOST_ATTEMPTS, "DISPATCHED": _DISPATCHED, "RETRY": _RETRY},
)


def attempts(scenario: Scenario, vocabulary: Vocabulary) -> Exposed:
    """What faults of attempts could have struck, as fast as it can be had here."""
    plain = Attempts(scenario, vocabulary)
    if any(fault.kinds for fault in plain.contest.faults) or not 0 < len(plain.contest.faults) <= BITS:
        return plain
    try:
        return CompiledAttempts(scenario, vocabulary)
    except Unavailable:
        return plain


class CompiledAttempts(Attempts):
    """See `Attempts`: of faults that strike work of any kind, and no more than a code has bits."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        """Raises Unavailable."""
        super().__init__(scenario, vocabulary)
        self._library, self._memory = LIBRARY.load(), Memory()
        self._handle = Handle(self._library.expose_new(), self._library.expose_free)
        for place, fault in enumerate(self.contest.faults):
            edges = [edge for window in fault.windows for edge in (window.start_s, window.end_s)]
            at = self._memory.floats(("edges", place), edges)
            self._library.expose_fault(self._handle, at, len(edges), place in self._budgets)
        self._library.expose_kinds(self._handle, self._memory.array("kinds", _KINDS, np.uint8))
        self._known = -1

    def observe(self, block: Block) -> None:
        """See `Attempts`."""
        self._teach()
        if self._library.expose(self._handle, len(block), *columns(block, _COLUMNS)):
            raise MemoryError

    def expected(self, place: int, ended_s: float) -> float:
        """See `Attempts`."""
        self.contest.put(copied(self._library.expose_counts(self._handle), 1 << BITS, np.int64))
        return super().expected(place, ended_s)

    def _teach(self) -> None:
        """Say what each cause shows of budgets, where causes are new."""
        causes = self._vocabulary.causes
        if len(causes) == self._known:
            return
        self._known = len(causes)
        for place, budget in self._budgets.items():
            shows = self._memory.array(("shows", place), budget.shows(self._vocabulary), np.uint8)
            self._library.expose_shows(self._handle, place, shows)
