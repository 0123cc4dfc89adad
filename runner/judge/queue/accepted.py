"""Accepted work of a task system whose account is inferred: by the execution ledger alone, also what was never started.

A task that is open at the end, of which nothing runs, may be lost or may come back: it counts as lost once nothing ran for longer
than the target says that redelivery takes, no outage left in; before that it is too early to tell.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
from msgspec import Struct

from soak.runner.judge.applicable import not_promised
from soak.runner.judge.queue.redelivery import LAW, Redelivery, Stranded
from soak.runner.judge.queue.unseen import TakenDown
from soak.runner.judge.room import LOST, AtTheEnd, Consequence, Law
from soak.runner.judge.samples import Samples
from soak.runner.judge.table import Table
from soak.schemas.evidence.explanation import Case
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind, task_name
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.queue.promised import AGAIN
from soak.schemas.units import show_duration

BROKER = "broker"
"""The role of a service that keeps the queue."""

BROKER_LOST = "broker lost its queue"
NEVER_STARTED = "never started"


class Exit(Struct, frozen=True):
    """When a broker exited, and by which cause."""

    t_s: float
    cause: int


class Accepted(Redelivery):
    """Follows executions as `Redelivery` does; waiting are all open tasks of which nothing runs.

    Its table has the column `begun`: how often a task was started.
    """

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        # Whatever is done to processes, an execution that ended by it did not end by itself.
        self._deadly |= {fault.name for fault in scenario.faults if fault.by_time}
        self._why_not = not_promised(AGAIN, identity.promises if identity else None)
        self._roles: Mapping[str, str] = (identity.roles if identity else None) or {}
        self._struck = {fault.name: fault.dependency for fault in scenario.faults}
        self._brokers: list[Exit] = []
        self._down = TakenDown(vocabulary)

    def observe(self, block: Block, table: Table) -> Samples:
        """See `Redelivery`."""
        again = super().observe(block, table)
        self._down.observe(block)
        for place in np.flatnonzero((block.kind == Kind.PROCESS_EXITED) & (block.worker < 0)).tolist():
            self._exited(block, place)
        return again

    def _exited(self, block: Block, place: int) -> None:
        name, cause = self._vocabulary.names[int(block.value[place])], int(block.cause[place])
        role = self._roles.get(name) or self._struck.get(self._vocabulary.causes[cause].fault, "") or name
        if role == BROKER:
            self._brokers = [*self._brokers, Exit(float(block.t[place]), cause)]

    def waiting(self, table: Table) -> dict[int, float]:
        """See `Redelivery`: all that rest."""
        return self._resting(table)

    def _idle_for(self, since_s: float, until_s: float) -> float:
        """See `Redelivery`: nor does anything start while a service that was taken down is not back, however long that lasts."""
        return super()._idle_for(since_s, max(since_s, min(until_s, self._down.first_s)))

    def lost_numbers(self, table: Table, until_s: float) -> list[int]:
        """See `Redelivery`."""
        return [task for task, idle_s in self._idle(table, until_s).items() if idle_s > self._allowed_s]

    def law(self, table: Table, until_s: float, *, complete: bool) -> Law:
        """Whether all accepted work is executed to its end, also when workers die."""
        name, what = LAW, "accepted work is executed to its end, also when workers die"
        if self._why_not:
            return Law(name, what, None, self._why_not, applies=False)
        stranded = self.stranded(table, until_s)
        allowed = show_duration(stranded.allowed_s)
        if stranded.lost:
            never, others = self._divided(table, self.lost_numbers(table, until_s))
            counts = [f"{len(never):,} never started"] * bool(never)
            counts += [f"{len(others):,} not started again"] * bool(others)
            are = "task is" if stranded.lost == 1 else "tasks are"
            detail = f"{stranded.lost:,} {are} lost ({', '.join(counts)}): nothing else ran for longer than {allowed}"
            return Law(name, what, float(stranded.lost), detail)
        if stranded.waiting:
            remedy = f"; {not_yet(stranded)}" if complete else ""
            were = "task was" if stranded.waiting == 1 else "tasks were"
            detail = f"{stranded.waiting:,} {were} not started, which may take {allowed}{remedy}"
            return Law(name, what, None, detail)
        return Law(name, what, 0.0, "")

    def at_the_end(self, table: Table, until_s: float, chosen: list[int] | None = None) -> AtTheEnd | None:
        """See `Redelivery`."""
        lost = self.lost_numbers(table, until_s) if chosen is None else chosen
        if not lost:
            return None
        died = [task for task in lost if task in set(self.deaths.tasks())]
        cases = [self.deaths.case(task) for task in died] + [
            self._case(task, table) for task in lost if task not in set(died)
        ]
        return AtTheEnd("; ".join(self._words(lost, died, table)), cases)

    def _words(self, lost: list[int], died: list[int], table: Table) -> Iterator[str]:
        if died:
            yield self.deaths.words(died)
        never, others = self._divided(table, [task for task in lost if task not in set(died)])
        with_broker = {task: found for task in never if (found := self._broker_after(task, table))}
        if with_broker:
            first_s = min(each.t_s for each in with_broker.values())
            which = f"a broker that exited, first at {show_duration(first_s)}"
            yield f"{_were(len(with_broker))} in the queue of {which}, and never started"
        if alone := len(never) - len(with_broker):
            yield f"{_were(alone)} accepted and never started"
        if others:
            yield f"{_were(len(others))} not made again after an attempt that failed"

    def _broker_after(self, task: int, table: Table) -> Exit | None:
        """The first exit of a broker after a task was accepted."""
        since_s = float(table.get("since", np.array([task]))[0])
        return next((each for each in self._brokers if each.t_s >= since_s), None)

    def _case(self, task: int, table: Table) -> tuple[str, Case]:
        number = np.array([task])
        since_s, begun = float(table.get("since", number)[0]), int(table.get("begun", number)[0])
        broker = None if begun else self._broker_after(task, table)
        cause = (BROKER_LOST if broker else NEVER_STARTED) if not begun else "not made again"
        detail = f"accepted before the broker exited at {show_duration(broker.t_s)}" if broker else ""
        after = "never started" if not begun else "never started again"
        return cause, Case(since_s, task_name(task), begun, "", TaskState(int(table.states[task])).name, after, detail)

    def consequences(self, table: Table, until_s: float) -> Iterator[Consequence]:
        """See `Redelivery`."""
        died = dict(self.deaths.items())
        for task in self.lost_numbers(table, until_s):
            found = died.get(task) or (self._broker_after(task, table) if self._divided(table, [task])[0] else None)
            if found and (fault := self._vocabulary.causes[found.cause].fault):
                yield Consequence(LOST, fault, found.t_s, 1)


def not_yet(stranded: Stranded) -> str:
    """What decides whether work that waits is lost."""
    return f"not yet lost: raise drain by {show_duration(math.ceil(stranded.lacking_s) or 1)}"


def _were(count: int) -> str:
    return "1 task was" if count == 1 else f"{count:,} tasks were"
