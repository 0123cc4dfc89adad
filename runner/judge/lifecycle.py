"""The life of tasks, whatever the system, followed a block at a time: the source of the SLI series of tasks.

Events of a block are sorted by task, so that "the state before", "the last retry" and "so far in this task" are
array operations within a group, carried on from block to block in a table. Nothing depends on where blocks end.
"""

import numpy as np
from msgspec import Struct

from soak.runner.judge.groups import carried
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.population import Population
from soak.runner.judge.room import Tasks, Tracker
from soak.runner.judge.rows import NEW_STATES, OPEN_STATES, WAITING, Picked, Rows
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.stalls import Stalls
from soak.runner.judge.table import Table
from soak.runner.judge.task_violations import note_accepted_again, note_failed, note_illegal
from soak.schemas.evidence.verdict import SlowTask
from soak.schemas.stream.block import Block, Bools, Floats, Ints, quantise
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import CENSUS, COPY, NEW_STATE, Kind, task_name
from soak.schemas.stream.states import ACTIVE, LEGAL, TaskState

MOST_SLOWEST = 10
"""How many of the slowest tasks are kept."""


ARRIVALS = kind_flags(Kind.TASK_DEFERRED, Kind.TASK_ENQUEUED)
TRANSITIONS = kind_flags(*NEW_STATE) & ~ARRIVALS
_LEGAL = np.array([[(before, after) in LEGAL for after in TaskState] for before in TaskState])
_TOUCHED = kind_flags(
    *NEW_STATE,
    Kind.LEASE_EXPIRED,
    Kind.LEASE_CONTENDED,
    Kind.EXECUTION_STARTED,
    Kind.EXECUTION_ENDED,
    Kind.TASK_DEAD_LETTERED,
)
RESULTS = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED)


class Unfinished(Struct, frozen=True):
    """What is open at the end: tasks, submissions not accepted, tasks that failed once."""

    tasks: int
    deferred: int
    transient: int


class Lifecycle:
    """Follows every task, whatever the system; `observe` adds its series to the facts of a block, and those of the tracker."""

    def __init__(self, labels: LabelNumbers, stall_floor_s: float, tracker: Tracker) -> None:
        self.tracker = tracker
        """Follows what is particular to the system."""
        self._labels = labels
        self.table = self._new_table()
        """What is known of each task."""
        self._stalls = Stalls(stall_floor_s)
        self._accepted, self._census = 0, dict[TaskState, int]()
        self._population = Population()
        self.until_s = 0.0
        """Up to when it has followed the run."""
        self.slowest: list[SlowTask] = []
        """The tasks that took longest, the slowest first."""
        self.offered = 0
        """Tasks that were offered to the system, duplicates not counted."""

    def _new_table(self) -> Table:
        return Table(self._labels.unknown if self._labels.needed else None, self.tracker.columns)

    def observe(self, block: Block, facts: Facts) -> None:
        """Process a block."""
        self._take_census(block)
        numbers = block.task[_TOUCHED[block.kind]]
        if len(numbers):
            # A key is looked up by the numbers of all its copies.
            self.table.admit(int(numbers.min()) & ~COPY, int(numbers.max()) | COPY)
        rows = Rows(block, self.table)
        self._label(rows)
        label = self.table.labels_at(block, rows.places)
        self._duplicate_enqueues(block, facts)
        self._transitions(block, rows, label, facts)
        transient = self.tracker.transient()
        self._results(block, rows, transient, label, facts)
        ready = self._waits(rows, label, facts)
        self.tracker.observe(block, Tasks(rows, self.table, label, ready, transient), facts)
        self._population.observe(rows, facts.until_s)
        self.until_s = facts.until_s
        last = rows.groups.latest(rows.changes)[rows.groups.last]
        changed = last[last >= 0]
        self.table.put_states(rows.number[changed], rows.after[changed])
        self._stall(block, rows, facts)
        self.tracker.after(block, self, facts)
        self.table.forget_settled()

    def _take_census(self, block: Block) -> None:
        resumed = np.flatnonzero(block.kind == Kind.RUN_RESUMED)
        if len(resumed):
            # A census is of the end, and that was none.
            self._census, block = {}, block.take(np.arange(len(block)) > resumed[-1])
        for state, kind in CENSUS.items():
            counts = block.value[block.kind == kind]
            if len(counts):
                self._census[state] = int(counts[-1])

    def _label(self, rows: Rows) -> None:
        enqueued = rows.kind == Kind.TASK_ENQUEUED
        self._accepted += int(enqueued.sum())
        if self._labels.needed:
            label = self._labels.of(rows.label[enqueued], rows.value[enqueued])
            self.table.put_labels(rows.number[enqueued], label, rows.places[enqueued])

    def _duplicate_enqueues(self, block: Block, facts: Facts) -> None:
        """A second enqueue of an active key must be skipped; one of a key that failed may come again and does not count."""
        skipped = block.kind == Kind.TASK_SKIPPED
        counted, again, states = skipped.copy(), list[int](), list[int]()
        for place in np.flatnonzero((block.kind == Kind.TASK_ENQUEUED) & (block.task & COPY == COPY)).tolist():
            state = self._state_at(block, int(block.task[place]) & ~COPY, place)
            if state in ACTIVE:
                counted[place] = True
                again.append(place)
                states.append(state)
        at = np.flatnonzero(counted)
        label = self._labels.of(block.label[at], block.t[at]) if self._labels.needed else None
        facts.series["duplicate_block"] = Samples(block.t[at], skipped[at].astype(np.float64), label=label)
        own = None if label is None else label[~skipped[at]]
        places, before = np.array([again, states], dtype=np.int64)
        note_accepted_again(facts, block, Picked(places, before, own))

    def _state_at(self, block: Block, number: int, place: int) -> TaskState:
        """The state of a task just before an event of the block (only for the rare case: it searches)."""
        own = np.flatnonzero((block.task[:place] == number) & (NEW_STATES[block.kind[:place]] > 0))
        return TaskState(int(NEW_STATES[block.kind[own[-1]]] if len(own) else self.table.states[number]))

    def _transitions(self, block: Block, rows: Rows, label: Ints | None, facts: Facts) -> None:
        illegal = rows.changes & ~_LEGAL[rows.before, rows.after]
        if illegal.any():
            illegal &= ~self.tracker.excused(rows)
        note_illegal(facts, block, rows.pick(illegal, label))
        facts.series["illegal_transitions"] = rows.samples(rows.changes, illegal, label)
        moved = TRANSITIONS[rows.kind]
        facts.series["state_transitions"] = rows.samples(moved, None, label)
        facts.series["lost_tasks"] = rows.samples(rows.kind == Kind.TASK_ENQUEUED, np.zeros(len(rows.t)), label)

    def _results(self, block: Block, rows: Rows, transient: Bools, label: Ints | None, facts: Facts) -> None:
        kind = rows.kind
        failures = rows.groups.running(
            ((kind == Kind.TASK_RETRY) | (kind == Kind.TASK_FAILED)) & transient[rows.cause]
        ) + rows.known("transient")
        result, done = RESULTS[kind], kind == Kind.TASK_DONE
        facts.series["success"] = rows.samples(result, done, label)
        closed, latency_s = result & (rows.accepted > 0), quantise(rows.t - rows.due)
        facts.series["latency"] = rows.samples(closed, latency_s, label)
        self._note_slowest(rows.number[closed], rows.t[closed], latency_s[closed])
        facts.series["recovery"] = rows.samples(result & (failures > 0), done, label)
        for series, failed in (("success", result & ~done), ("recovery", result & ~done & (failures > 0))):
            note_failed(facts, series, block, rows.pick(failed, label), self.tracker.vocabulary)
        rows.keep(transient=failures, accepted=rows.accepted, due=rows.due)

    @property
    def _slow_s(self) -> float:
        """From where on a latency is among the largest so far."""
        return self.slowest[-1].latency_s if len(self.slowest) == MOST_SLOWEST else 0.0

    def _note_slowest(self, number: Ints, t_s: Floats, latency_s: Floats) -> None:
        """Note tasks that ended."""
        places = np.flatnonzero(latency_s >= self._slow_s)
        order = np.lexsort((number[places], t_s[places], -latency_s[places]))[:MOST_SLOWEST]
        fresh = [
            SlowTask(task_name(int(number[place])), float(latency_s[place]), float(t_s[place]))
            for place in places[order].tolist()
        ]
        ranked = sorted([*self.slowest, *fresh], key=lambda each: (-each.latency_s, each.ended_s, float(each.task)))
        self.slowest = ranked[:MOST_SLOWEST]

    def _waits(self, rows: Rows, label: Ints | None, facts: Facts) -> Floats:
        """Returns, for each row, since when its task could have been taken up."""
        groups, kind = rows.groups, rows.kind
        ready = carried(groups.latest(WAITING[rows.after]), rows.value, rows.known("ready"))
        waited_now = (kind == Kind.TASK_DISPATCHED) & WAITING[rows.before]
        step = np.where(waited_now, np.maximum(rows.t - ready, 0.0), 0.0)
        waited = quantise(groups.running(step) + rows.known("wait"))
        facts.series["wait"] = rows.samples(RESULTS[kind] & (rows.accepted > 0), waited, label)
        first = ARRIVALS[kind] & (rows.before == TaskState.NONE) & (rows.number & COPY == 0)
        self.offered += int(first.sum())
        facts.series["submission_lag"] = rows.samples(first, quantise(rows.t - rows.value), label)
        rows.keep(ready=ready, wait=waited)
        return ready

    def _stall(self, block: Block, rows: Rows, facts: Facts) -> None:
        """Work waits from its due time until it is dispatched; acceptance of deferred work does not end the wait."""
        entering = rows.changes & ~WAITING[rows.before] & WAITING[rows.after]
        leaving = rows.changes & WAITING[rows.before] & ~WAITING[rows.after]
        since = carried(rows.groups.latest(entering), np.maximum(rows.t, rows.value), rows.known("since"))
        rows.keep(since=since)
        numbers = self.table.open_numbers()
        waiting = self.table.get("since", numbers[WAITING[self.table.states[numbers]]])
        changed = block.t[TRANSITIONS[block.kind]]
        stretches, samples = self._stalls.observe(changed, since[leaving], rows.t[leaving], waiting, facts.until_s)
        facts.stretches["stall"], facts.series["stall"] = stretches, samples

    def take_back(self, later: "Lifecycle") -> None:
        """Undo in this copy, made before a block, what `later` changed in that block."""
        self.table.take_back(later.table)

    # What is known at the end.

    def state_counts(self) -> dict[TaskState, int]:
        """How many tasks are in each state, by the events; LOST only where there are any."""
        counts = self.table.count_states()
        lost = counts[TaskState.LOST] > 0
        return {
            state: int(counts[state])
            for state in TaskState
            if state is not TaskState.NONE and (lost or state is not TaskState.LOST)
        }

    @property
    def accepted(self) -> int:
        """Tasks accepted by the system."""
        return self._accepted

    @property
    def census(self) -> dict[TaskState, int]:
        """The system's own census: by state that it gives, how many tasks; empty without one."""
        return self._census

    def uncounted_tasks(self) -> int | None:
        """Accepted tasks that the system's own census does not hold in any state; None without a census."""
        if self.tracker.counts_some:
            return 0
        return self._accepted - sum(self._census.values()) if self._census else None

    @property
    def known_lost(self) -> int:
        """Tasks that were lost in the sight of all: acknowledged when they were handed out to a worker that died."""
        return int(self.table.count_states()[TaskState.LOST])

    def census_differences(self) -> dict[TaskState, tuple[int, int]]:
        """By state: the tasks in it by the events, and by the system's own census, where they differ; none without a census."""
        counts = self.state_counts()
        states = sorted(self._census) if self.tracker.counts_some else CENSUS
        found = {state: (counts[state], self._census.get(state, 0)) for state in states} if self._census else {}
        return {state: (events, census) for state, (events, census) in found.items() if events != census}

    def unfinished(self, labels: frozenset[int] | None = None) -> Unfinished:
        """What is open now, of these labels (None: of all); submissions not accepted may have any label."""
        numbers = self.table.open_numbers()
        deferred = int((self.table.states[numbers] == TaskState.DEFERRED).sum())
        numbers = self.table.labelled(numbers, labels)
        numbers = numbers[OPEN_STATES[self.table.states[numbers]]]
        return Unfinished(len(numbers), deferred, int((self.table.get("transient", numbers) > 0).sum()))

    def open_sum(self, column: str, labels: frozenset[int] | None) -> int:
        """The sum of a column of the table over the tasks of these labels (None: of all) that are open."""
        numbers = self.table.labelled(self.table.open_numbers(), labels)
        numbers = numbers[OPEN_STATES[self.table.states[numbers]]]
        return int(self.table.get(column, numbers).sum())

    def littles_law(self) -> tuple[float, float]:
        """Time tasks spent in the system, in seconds: as the area under their number, and summed over tasks."""
        return self._population.littles_law(self.table)
