"""Redelivery of work whose worker died, by the execution ledger, independent of what a system reports."""

import copy
import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from soak.runner.judge.queue.attempts import DIED
from soak.runner.judge.queue.deaths import Death, Deaths
from soak.runner.judge.room import LOST, AtTheEnd, Consequence, Law
from soak.runner.judge.rows import OPEN_STATES
from soak.runner.judge.samples import Samples
from soak.runner.judge.table import Table
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools, Ints, quantise
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import COPY, Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import OPEN, TaskState
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.units import show_duration

LAW = "redelivery"
"""The name of the law."""

_SLACK_REAL_S = 1.0
"""Allowance for starting a process and dispatching again, in real seconds."""

_EXECUTIONS = kind_flags(Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED)
OVER = kind_flags(Kind.EXECUTION_STARTED, Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_BLOCKED, Kind.TASK_CANCELLED)
"""Events after which a task no longer waits to be started again."""


class Stranded(Struct, frozen=True):
    """Work of dead workers: tasks not started again in time, and tasks that may still be.

    `allowed_s`: how long it may take; `lacking_s`: how much longer the run would have to be to decide the others.
    """

    lost: int
    waiting: int
    allowed_s: float
    lacking_s: float


class Redelivery:
    """Follows tasks from the death of an execution to their next start; only they are kept."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        self._deadly = {fault.name for fault in scenario.faults if fault.spec.dies}
        self._vocabulary = vocabulary
        self.deaths = Deaths(vocabulary, queue_of(scenario).worker_restart_s)
        """Of tasks that were not started again since."""
        self.restarted: list[tuple[int, Death]] = []
        """Of the last block: where a task was started again after a death, and that death."""
        self._last_s = 0.0
        """When an execution last started or ended."""
        self._allowed_s = redelivery_limit(scenario, identity)
        self._outages = [
            window for fault in scenario.faults if fault.spec.outage or fault.spec.process for window in fault.windows
        ]

    def __deepcopy__(self, memo: dict[int, object]) -> "Redelivery":
        """What never changes is shared."""
        twin = copy.copy(self)
        twin.deaths = copy.deepcopy(self.deaths, memo)
        return twin

    def observe(self, block: Block, table: Table) -> Samples:
        """Process a block; for each start after a death, the time between the two in seconds."""
        executions = np.flatnonzero(_EXECUTIONS[block.kind])
        if len(executions):
            self._last_s = float(block.t[executions[-1]])
        self.restarted = []
        self._look(block)
        is_death, exited = self.is_death(), block.kind == Kind.PROCESS_EXITED
        if not is_death.any() and not exited.any():
            return Samples(np.empty(0), np.empty(0), label=table.labels_at(block, np.empty(0, dtype=np.int64)))
        death = self._died(block, is_death)
        concerned = np.isin(block.task, [*self.deaths.tasks(), *block.task[death].tolist()])
        took = self._walk(block, np.flatnonzero(death | exited | (concerned & OVER[block.kind])), death)
        places = np.array([place for place, _ in self.restarted], dtype=np.int64)
        return Samples(block.t[places], quantise(np.array(took)), label=table.labels_at(block, places))

    def follow(self, block: Block, places: Ints, label: Ints | None, last_s: float) -> Samples:
        """The same, of a block in which nothing else is of interest than what happens at `places`: see `observe`.

        label: of the tasks there; None where labels are not kept. last_s: when an execution last started or ended.
        """
        self._last_s, self.restarted = last_s, []
        self._look(block)
        took = self._walk(block, places, self._died(block, self.is_death())) if len(places) else []
        here = np.array([place for place, _ in self.restarted], dtype=np.int64)
        own = None if label is None else label[np.searchsorted(places, here)]
        return Samples(block.t[here], quantise(np.array(took)), label=own)

    def _look(self, block: Block) -> None:
        """What has to be known of a block before deaths are looked for in it."""

    def _walk(self, block: Block, places: Ints, death: Bools) -> list[float]:
        """The events at these places one by one; returns how long each start after a death took to come."""
        took, exited = [], block.kind[places] == Kind.PROCESS_EXITED
        for place, has_exited in zip(places.tolist(), exited.tolist(), strict=True):
            task, t_s = int(block.task[place]), float(block.t[place])
            if has_exited:
                self.deaths.exited(block, place)
            elif death[place]:
                self.deaths.add(task, block, place)
            elif (died := self.deaths.pop(task)) is not None and block.kind[place] == Kind.EXECUTION_STARTED:
                self.restarted.append((place, died))
                took.append(t_s - died.t_s)
        return took

    def _died(self, block: Block, is_death: Bools) -> Bools:
        """Which events are deaths of executions after which the task has to be started again; see `is_death`."""
        ended: Bools = (block.kind == Kind.EXECUTION_ENDED) & is_death[block.cause]
        return ended

    def is_death(self) -> Bools:
        """By cause: whether an execution that ends with it ended because its process did."""
        crashes = (cause.fault in self._deadly or cause.error in DIED for cause in self._vocabulary.causes)
        return np.fromiter(crashes, dtype=np.bool_)

    def waiting(self, table: Table) -> dict[int, float]:
        """Open tasks whose last execution died, none of which runs, and since when they could have been started again."""
        waiting = {}
        for task, death in self.deaths.items():
            numbers = np.array([task])
            state = TaskState(int(table.states[task]))
            if state in OPEN and not table.get("running", numbers & ~COPY)[0]:
                ready_s = float(table.get("ready", numbers)[0]) if state is TaskState.PENDING else 0.0
                waiting[task] = max(death.t_s, ready_s)
        return waiting

    def stranded(self, table: Table, until_s: float) -> Stranded:
        """The result at the end of a run, at `until_s`.

        Work is lost when for longer than its redelivery may take no execution ran at all, and no outage kept one from
        starting: then neither a lack of workers nor the end of the run explains that it was not started again.
        """
        idle_s = self._idle(table, until_s)
        lost = sum(each > self._allowed_s for each in idle_s.values())
        lacking_s = max((self._allowed_s - each for each in idle_s.values()), default=0.0)
        return Stranded(lost, len(idle_s) - lost, self._allowed_s, max(0.0, lacking_s))

    def law(self, table: Table, until_s: float, *, complete: bool) -> Law:
        """Whether work whose worker died is started again. complete: whether no event is known to be lost."""
        stranded = self.stranded(table, until_s)
        name, description = LAW, "work whose worker died is started again"
        allowed = show_duration(stranded.allowed_s)
        if stranded.lost:
            detail = (
                f"{stranded.lost} tasks were never started again, although nothing else ran for longer than {allowed}"
            )
            return Law(name, description, float(stranded.lost), detail)
        if stranded.waiting:
            lacking = show_duration(math.ceil(stranded.lacking_s) or 1)
            not_yet = f"{stranded.waiting} tasks had not been started again; that may take {allowed}"
            remedy = f" (raise drain by {lacking})" if complete else ""
            return Law(name, description, None, f"{not_yet} once nothing else runs{remedy}")
        return Law(name, description, 0.0, "")

    def lost_numbers(self, table: Table, until_s: float) -> list[int]:
        """The lost tasks, for a run that ends at `until_s`."""
        return list(self.lost(table, until_s))

    def at_the_end(self, table: Table, until_s: float, chosen: list[int] | None = None) -> AtTheEnd | None:
        """What is said of lost tasks (or of those of these that a worker died with): what they ran on; None for none."""
        died = self.deaths.tasks()
        lost = self.lost_numbers(table, until_s) if chosen is None else [task for task in chosen if task in died]
        return AtTheEnd(self.deaths.words(lost), [self.deaths.case(task) for task in lost]) if lost else None

    def unstarted(self, table: Table, until_s: float) -> tuple[list[int], list[int]]:
        """Accepted tasks that were not started in time, for a run that ends at `until_s`: never at all, and not again.

        The table has the column `begun`: how often a task was started.
        """
        idle_s = self._idle_of(self._resting(table), table, until_s)
        return self._divided(table, [task for task, each in idle_s.items() if each > self._allowed_s])

    def undecided(self, table: Table, until_s: float) -> tuple[list[int], list[int]]:
        """The same of tasks that may still be started in time."""
        idle_s = self._idle_of(self._resting(table), table, until_s)
        return self._divided(table, [task for task, each in idle_s.items() if each <= self._allowed_s])

    def _divided(self, table: Table, numbers: list[int]) -> tuple[list[int], list[int]]:
        """Of tasks those that were never started, and the others."""
        begun = (table.get("begun", np.array(numbers, dtype=np.int64)) > 0).tolist()
        pairs = list(zip(numbers, begun, strict=True))
        return [number for number, has in pairs if not has], [number for number, has in pairs if has]

    def _resting(self, table: Table) -> dict[int, float]:
        """Open tasks of which nothing runs, and since when each could have been started."""
        numbers = table.open_numbers()
        numbers = numbers[OPEN_STATES[table.states[numbers]] & (table.get("running", numbers & ~COPY) <= 0)]
        pending = table.states[numbers] == TaskState.PENDING
        ready = np.where(pending, table.get("ready", numbers), 0.0)
        return dict(zip(numbers.tolist(), ready.tolist(), strict=True))

    def consequences(self, table: Table, until_s: float) -> Iterator[Consequence]:
        """Lost tasks, by fault."""
        for death in self.lost(table, until_s).values():
            yield Consequence(LOST, self._vocabulary.causes[death.cause].fault, death.t_s, 1)

    def lost(self, table: Table, until_s: float) -> dict[int, Death]:
        """The lost tasks with their last deaths, in the order of these; for a run that ends at `until_s`."""
        lost = {task for task, idle_s in self._idle(table, until_s).items() if idle_s > self._allowed_s}
        deaths = [(task, death) for task, death in self.deaths.items() if task in lost]
        return dict(sorted(deaths, key=lambda each: (each[1].t_s, each[0])))

    def _idle(self, table: Table, until_s: float) -> dict[int, float]:
        """By waiting task how long nothing kept it from being started again, in seconds."""
        return self._idle_of(self.waiting(table), table, until_s)

    def _idle_of(self, waiting: dict[int, float], table: Table, until_s: float) -> dict[int, float]:
        """The same of tasks that could have been started since then."""
        idle = not table.get("running", table.open_numbers()).sum()
        return {
            task: self._idle_for(max(since_s, self._last_s), until_s) if idle else 0.0
            for task, since_s in waiting.items()
        }

    def _idle_for(self, since_s: float, until_s: float) -> float:
        """The time between the two, outages left out."""
        out_s = sum(max(0.0, min(each.end_s, until_s) - max(each.start_s, since_s)) for each in self._outages)
        return max(0.0, until_s - since_s - out_s)


def redelivery_limit(scenario: Scenario, identity: Identity | None) -> float:
    """How long work of a dead worker may take to be started again, in seconds: what the target of a run declares.

    Otherwise by the rules of a queue: until the lease runs out, the watchdog finds it, a worker is back and asks; in a real
    run somewhat more, for what the machine itself needs.
    """
    if identity and identity.redelivery_s is not None:
        return identity.redelivery_s
    queue = queue_of(scenario)
    slack_s = _SLACK_REAL_S * identity.speed if identity and identity.clock == "real" else 0.0
    found_s = queue.lease_s + queue.watchdog_interval_s
    # A worker whose execution is over may still be trying to report it, for as long as it waits for a busy database.
    free_s = max(queue.worker_restart_s, queue.busy_timeout_s)
    return found_s + free_s + queue.poll_interval_s + slack_s
