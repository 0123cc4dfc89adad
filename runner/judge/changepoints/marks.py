"""The times of events after which a system may be another: releases, restarts of its processes."""

from collections.abc import Iterator

import numpy as np

from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

MOST_TIMES = 512
"""Of each event by name; what happens more often happens near any time."""

_MOST_NAMES = 64

_KINDS = {
    Kind.PROCESS_EXITED: "{} exited",
    Kind.PROCESS_STARTED: "{} started again",
    Kind.RELEASE_DEPLOYED: "release {} deployed",
    Kind.RELEASE_ROLLED_BACK: "release {} rolled back",
}
_MARKED = kind_flags(*_KINDS)
_NAMED = frozenset({Kind.PROCESS_EXITED, Kind.PROCESS_STARTED})


class Marks:
    """Times of such events in bounded memory, by what happened."""

    def __init__(self, vocabulary: Vocabulary, *, has_parts: bool = False) -> None:
        """has_parts: whether the processes of the system are parts of it, each with a name of its own."""
        self._vocabulary, self._has_parts = vocabulary, has_parts
        self._times_s: dict[str, list[float]] = {}
        self._lost: set[str] = set()

    def observe(self, block: Block) -> None:
        """Process a block."""
        for index in np.flatnonzero(_MARKED[block.kind]).tolist():
            what = self._what(block, index)
            if self._has_parts and block.kind[index] == Kind.PROCESS_STARTED and not self._exited(what):
                continue
            times_s = self._times_s.setdefault(what, [])
            if len(times_s) < MOST_TIMES:
                times_s.append(float(block.t[index]))
            else:
                self._lost.add(what)

    def _what(self, block: Block, index: int) -> str:
        kind = Kind(int(block.kind[index]))
        what = _KINDS[kind].format(self._name(block, index, named=kind in _NAMED))
        return what if what in self._times_s or len(self._times_s) < _MOST_NAMES else _KINDS[kind].format("another")

    def _exited(self, what: str) -> bool:
        """Whether what started again had exited before: otherwise it is the beginning of the run."""
        return what.removesuffix(" started again") + " exited" in self._times_s

    def _name(self, block: Block, index: int, *, named: bool) -> str:
        if not named:
            return self._vocabulary.causes[int(block.cause[index])].fault
        if block.worker[index] >= 0 and not self._has_parts:
            return "a worker"
        value = float(block.value[index])
        return self._vocabulary.names[int(value)] if value == value else "a process"

    def all(self) -> Iterator[tuple[str, list[float], bool]]:
        """What happened, when (seconds, in order), and whether there were more times than are kept."""
        for what, times_s in self._times_s.items():
            yield what, times_s, what in self._lost
