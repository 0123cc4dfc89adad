"""What would tell how a task system whose account is inferred did, and was not seen: bodies, answers, services that come back."""

from collections.abc import Iterator, Mapping

import numpy as np

from soak.runner.judge.lifecycle import Lifecycle
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.units import show_duration

_MOST = 0.1
"""The share of submissions of which it may be unknown at the end whether they were accepted: more of them could hide anything."""


class TakenDown:
    """Follows the services that faults take down."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.since_s: Mapping[str, tuple[float, str]] = {}
        """By service that is down: since when, and by which fault. It is replaced, and never changed."""

    def observe(self, block: Block) -> None:
        """Process a block."""
        of_services = (block.kind == Kind.PROCESS_EXITED) | (block.kind == Kind.PROCESS_STARTED)
        for place in np.flatnonzero(of_services & (block.worker < 0)).tolist():
            name = self._vocabulary.names[int(block.value[place])]
            fault = self._vocabulary.causes[int(block.cause[place])].fault
            self.since_s = {each: since for each, since in self.since_s.items() if each != name}
            if block.kind[place] == Kind.PROCESS_EXITED and fault:
                self.since_s = {**self.since_s, name: (float(block.t[place]), fault)}

    @property
    def first_s(self) -> float:
        """Since when one of them is down; infinite without any."""
        return min((t_s for t_s, _ in self.since_s.values()), default=float("inf"))


class Unseen:
    """Counts the starts of executions; `doubts` says at the end what is missing."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._down = TakenDown(vocabulary)
        self._starts = 0

    def observe(self, block: Block) -> None:
        """Process a block."""
        self._starts += int(np.count_nonzero(block.kind == Kind.EXECUTION_STARTED))
        self._down.observe(block)

    def doubts(self, lifecycle: Lifecycle) -> Iterator[str]:
        """That no body reported, that too many submissions were not answered, that a service did not come back."""
        offered, unknown = lifecycle.offered, lifecycle.unfinished().deferred
        if offered and not self._starts:
            remedy = "have the task call soak.kit or soak body, or see the logs of workers"
            yield f"no body reported a start, of {offered:,} tasks that were submitted ({remedy})"
        if unknown > _MOST * offered:
            yield f"of {unknown:,} of {offered:,} submissions it is not known that they were accepted (see the log of submit)"
        for name, (t_s, fault) in self._down.since_s.items():
            yield f"{name} did not come back after fault {fault} at {show_duration(t_s)} (see its log)"
