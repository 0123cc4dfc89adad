"""Work whose worker died, where tasks are acknowledged when they are handed out: it is lost, and must not be started again."""

from soak.runner.judge.queue.deaths import Death
from soak.runner.judge.queue.redelivery import LAW, Redelivery, Stranded
from soak.runner.judge.room import Law
from soak.runner.judge.samples import Samples
from soak.runner.judge.table import Table
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary


class AtMostOnce(Redelivery):
    """Deaths of executions are losses, which the scenario allows with `ack: early`; a start after one is a second delivery."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._again = 0

    def observe(self, block: Block, table: Table) -> Samples:
        """See `Redelivery`."""
        samples = super().observe(block, table)
        self._again += len(samples.t)
        return samples

    def waiting(self, table: Table) -> dict[int, float]:
        """None: nobody has them."""
        return {}

    def lost(self, table: Table, until_s: float) -> dict[int, Death]:
        """See `Redelivery`: all that died, and are in no state."""
        deaths = [(task, death) for task, death in self.deaths.items() if table.states[task] == TaskState.LOST]
        return dict(sorted(deaths, key=lambda each: (each[1].t_s, each[0])))

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
