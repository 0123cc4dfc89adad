"""DONE that comes before its body has ended: what a system reports, held against the execution ledger."""

import math

import numpy as np

from soak.runner.judge.samples import Facts
from soak.runner.judge.violations import Told, law, note
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.units import show_duration

_SLACK_REAL_S = 1.0
"""By how much, in real seconds, clocks of the system and of soak may differ."""

_FOLLOWED = kind_flags(Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED, Kind.TASK_DONE, Kind.RUN_RESUMED)


class EarlyDone:
    """Follows attempts from the start of their bodies to the end; of those that are DONE meanwhile, how long before."""

    def __init__(self, speed: float) -> None:
        """speed: seconds of scenario time per real second."""
        self._slack_s = _SLACK_REAL_S * speed
        self._done_s: dict[tuple[int, int], float | None] = {}
        """By task and attempt whose body runs: when it was reported DONE, if it was."""
        self._count = 0

    def __deepcopy__(self, memo: dict[int, object]) -> "EarlyDone":
        """Values are never changed: a copy of the table is enough."""
        twin = EarlyDone(1.0)
        twin._slack_s, twin._done_s, twin._count = self._slack_s, dict(self._done_s), self._count
        return twin

    def observe(self, block: Block, facts: Facts) -> None:
        """Process a block; what ends long after it was DONE is noted."""
        found: list[tuple[int, float]] = []
        for place in np.flatnonzero(_FOLLOWED[block.kind]).tolist():
            attempt, kind = (int(block.task[place]), int(block.attempt[place])), block.kind[place]
            if kind == Kind.RUN_RESUMED:
                # Ends were not seen while nobody looked.
                self._done_s = {}
            elif kind == Kind.EXECUTION_STARTED:
                self._done_s[attempt] = None
            elif kind == Kind.TASK_DONE:
                if attempt in self._done_s:
                    self._done_s[attempt] = float(block.t[place])
            elif float(block.t[place]) - (done_s := self._done_s.pop(attempt, None) or math.inf) > self._slack_s:
                found.append((place, done_s))
        self._count += len(found)

        def told(position: int) -> Told:
            place, done_s = found[position]
            ended = show_duration(float(block.t[place]))
            return Told("running", "DONE", f"DONE at {show_duration(done_s)}; its body ended at {ended}")

        places = np.array([place for place, _ in found], dtype=np.int64)
        note(facts, law("ledger_agreement"), block, places, cause="DONE before its body had ended", told=told)

    def count(self, until_s: float) -> int:
        """How many there were in a run up to then: also of bodies that have not ended yet."""
        waiting = (each for each in self._done_s.values() if each is not None)
        return self._count + sum(until_s - each > self._slack_s for each in waiting)
