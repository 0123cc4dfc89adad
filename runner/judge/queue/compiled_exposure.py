"""What faults of attempts could have struck, counted by compiled code: see `exposure.Attempts`."""

import ctypes
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from soak.runner.judge.exposure import BITS, Exposed
from soak.runner.judge.queue.exposure import Attempts
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.compiled.library import Unavailable, load

_KINDS = kind_flags(Kind.TASK_DISPATCHED) * np.uint8(1) + kind_flags(Kind.TASK_RETRY) * np.uint8(2)


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
        self._library = load(Path(__file__).with_name("expose.c"))
        self._library.expose_new.restype = self._library.expose_counts.restype = ctypes.c_void_p
        made = self._library.expose_new()
        if not made:
            raise MemoryError
        self._handle = ctypes.c_void_p(made)
        # At the end of the process another thread may still be in there.
        weakref.finalize(self, self._library.expose_free, self._handle).atexit = False
        self._kept: list[npt.NDArray[Any]] = []
        """Arrays that compiled code refers to."""
        for place, fault in enumerate(self.contest.faults):
            edges = np.array([edge for window in fault.windows for edge in (window.start_s, window.end_s)], dtype=float)
            counts = ctypes.c_int64(len(edges)), ctypes.c_int64(place in self._budgets)
            self._library.expose_fault(self._handle, self._address(edges), *counts)
        self._library.expose_kinds(self._handle, self._address(_KINDS))
        self._known = -1

    def observe(self, block: Block) -> None:
        """See `Attempts`."""
        self._teach()
        columns = (block.kind, block.task, block.attempt, block.cause)
        whole = [
            np.ascontiguousarray(block.t, dtype=np.float64),
            *(np.ascontiguousarray(each, dtype=np.int64) for each in columns),
        ]
        addresses = [ctypes.c_void_p(each.ctypes.data) for each in whole]
        if self._library.expose(self._handle, ctypes.c_int64(len(block)), *addresses):
            raise MemoryError

    def expected(self, place: int, ended_s: float) -> float:
        """See `Attempts`."""
        address = self._library.expose_counts(self._handle)
        counts = np.frombuffer(ctypes.string_at(address, 8 << BITS), dtype=np.int64)
        self.contest.put(counts)
        return super().expected(place, ended_s)

    def _teach(self) -> None:
        """Say what each cause shows of budgets, where causes are new."""
        causes = self._vocabulary.causes
        if len(causes) == self._known:
            return
        self._known = len(causes)
        for place, budget in self._budgets.items():
            address = self._address(budget.shows(self._vocabulary).astype(np.uint8))
            self._library.expose_shows(self._handle, ctypes.c_int64(place), address)

    def _address(self, array: npt.NDArray[Any]) -> ctypes.c_void_p:
        self._kept.append(array)
        return ctypes.c_void_p(array.ctypes.data)
