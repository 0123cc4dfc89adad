"""Events from several sources, merged in time order and passed on as blocks."""

import heapq
from itertools import count

from soak.schemas.stream.block import Block, tick
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder


class Journal:
    """Rows from the runner, the ledger and the system; a late row gets the current time."""

    def __init__(self, plan: Plan, known_s: float) -> None:
        self._recorder = Recorder(plan)
        self._rows: list[tuple[float, int, tuple[float, ...]]] = []
        self._order = count()
        self._complete_s = known_s

    def note(
        self,
        t_s: float,
        kind: Kind,
        *,
        number: int = -1,
        attempt: int = 0,
        worker: int = -1,
        cause: int = NO_CAUSE,
        value: float = 0.0,
    ) -> None:
        """Note an event at `t_s`; see `schemas.events.SPECS` for what each kind carries."""
        t_s = max(tick(t_s), self._complete_s)
        heapq.heappush(self._rows, (t_s, next(self._order), (t_s, int(kind), number, attempt, worker, cause, value)))

    def take(self, until_s: float) -> Block:
        """The block of everything up to `until_s`; what lies after it stays for the next."""
        until_s = tick(until_s)
        while self._rows and self._rows[0][0] <= until_s:
            self._recorder.row(heapq.heappop(self._rows)[2])
        self._complete_s = until_s
        return self._recorder.take(until_s)
