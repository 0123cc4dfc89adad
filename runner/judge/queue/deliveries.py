"""Work whose worker died, where that is not all there is to it.

Tasks that were acknowledged when they were handed out are lost, and must not be started again. An attempt that had outlasted
its visibility timeout had been delivered again before.
"""

import numpy as np

from soak.runner.judge.queue.accepted import Accepted
from soak.runner.judge.queue.deaths import Death
from soak.runner.judge.queue.redelivery import LAW, Redelivery, Stranded
from soak.runner.judge.room import Law
from soak.runner.judge.table import Table
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.queue.settings import Queue


class AtMostOnce(Redelivery):
    """Deaths of executions are losses, which the scenario allows with `ack: early`; a start after one is a second delivery."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._again = 0

    def _walk(self, block: Block, places: Ints, death: Bools) -> list[float]:
        """See `Redelivery`."""
        took = super()._walk(block, places, death)
        self._again += len(took)
        return took

    def waiting(self, table: Table) -> dict[int, float]:
        """None: nobody has them."""
        return {}

    def lost(self, table: Table, until_s: float) -> dict[int, Death]:
        """See `Redelivery`: all that died, and are in no state."""
        deaths = [(task, death) for task, death in self.deaths.items() if table.states[task] == TaskState.LOST]
        return dict(sorted(deaths, key=lambda each: (each[1].t_s, each[0])))

    def unstarted(self, table: Table, until_s: float) -> tuple[list[int], list[int]]:
        """See `Redelivery`."""
        never, again = super().unstarted(table, until_s)
        return never, [*again, *self.lost(table, until_s)]

    def stranded(self, table: Table, until_s: float) -> Stranded:
        """See `Redelivery`."""
        return Stranded(len(self.lost(table, until_s)), 0, 0.0, 0.0)

    def law(self, table: Table, until_s: float, *, complete: bool) -> Law:
        """Work that was lost is not started again: tasks are delivered at most once."""
        what = "with ack: early, work whose worker died is lost and not started again"
        lost = len(self.lost(table, until_s))
        detail = f"{lost} tasks were lost with their workers, which the scenario allows" if lost else ""
        if self._again:
            detail = f"{self._again} executions started after their task was lost"
        return Law(LAW, what, float(self._again), detail)


class TimedOut(Redelivery):
    """Deaths of executions that had outlasted their visibility timeouts are left aside."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._outlasted = set[tuple[int, int]]()
        """Tasks and attempts whose lease has expired, and which still run."""
        self._aside: Bools = np.zeros(0, dtype=np.bool_)

    def __deepcopy__(self, memo: dict[int, object]) -> "TimedOut":
        """See `Redelivery`."""
        twin = super().__deepcopy__(memo)
        assert isinstance(twin, TimedOut)
        twin._outlasted = set(self._outlasted)
        return twin

    def _look(self, block: Block) -> None:
        """See `Redelivery`."""
        self._aside = self._ends(block)

    def _died(self, block: Block, is_death: Bools) -> Bools:
        """See `Redelivery`."""
        return super()._died(block, is_death) & ~self._aside

    def _ends(self, block: Block) -> Bools:
        """Which events are ends of executions that had outlasted their timeouts."""
        ends, expired = np.zeros(len(block), dtype=np.bool_), block.kind == Kind.LEASE_EXPIRED
        followed = expired | (block.kind == Kind.EXECUTION_ENDED) if self._outlasted or expired.any() else expired
        for place in np.flatnonzero(followed).tolist():
            execution = int(block.task[place]), int(block.attempt[place])
            if expired[place]:
                self._outlasted.add(execution)
            elif execution in self._outlasted:
                self._outlasted.discard(execution)
                ends[place] = True
        return ends


def redelivery_of(queue: Queue, identity: Identity | None) -> type[Redelivery]:
    """What follows the work of dead workers; of a system whose account is inferred, all that was accepted."""
    if identity and identity.level is not None:
        return Accepted
    if queue.acks_early:
        return AtMostOnce
    return TimedOut if queue.times_out else Redelivery
