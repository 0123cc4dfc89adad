"""The life of tasks in a queue, followed a block at a time: the source of the queue's SLI series.

Events of a block are sorted by task, so that "the state before", "the last retry" and "so far in this task" are
array operations within a group, carried on from block to block in a table. Nothing depends on where blocks end.
"""

from dataclasses import dataclass

import numpy as np

from soak.runner.judge.groups import carried
from soak.runner.judge.kinds import kind_flags
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.ledger import duplicate_executions
from soak.runner.judge.population import Population
from soak.runner.judge.redelivery import Redelivery, Stranded
from soak.runner.judge.rows import NEW_STATES, OPEN_STATES, WAITING, Rows
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.stalls import Stalls
from soak.runner.judge.table import Table
from soak.schemas.evidence.verdict import SlowTask
from soak.schemas.language.faults import TRANSIENT, FaultType
from soak.schemas.language.model import Queue, Scenario
from soak.schemas.stream.block import Block, Bools, Floats, Ints, quantise
from soak.schemas.stream.events import CENSUS, COPY, NEW_STATE, Kind, task_name
from soak.schemas.stream.states import ACTIVE, LEGAL, TaskState
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary

MOST_SLOWEST = 10
"""How many of the slowest tasks are kept."""


ARRIVALS = kind_flags(Kind.TASK_DEFERRED, Kind.TASK_ENQUEUED)
TRANSITIONS = kind_flags(*NEW_STATE) & ~ARRIVALS
_LEGAL = np.array([[(before, after) in LEGAL for after in TaskState] for before in TaskState])
_TOUCHED = kind_flags(
    *NEW_STATE, Kind.LEASE_EXPIRED, Kind.LEASE_CONTENDED, Kind.EXECUTION_STARTED, Kind.EXECUTION_ENDED
)
_RESULTS = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED)
_UNBLOCKED = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_CANCELLED)
_CLOSING = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_BLOCKED, Kind.TASK_CANCELLED)

_TICK_S = 2e-6
"""Times are rounded to a microsecond: two of them may be that far off."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What is open at the end: tasks, submissions not accepted, tasks that failed once, expired leases."""

    tasks: int
    deferred: int
    transient: int
    expired_leases: int


def _backoffs(queue: Queue) -> Floats:
    """The backoff after each attempt, from 0."""
    return np.array([queue.backoff_after(max(1, attempt)) for attempt in range(len(queue.backoff_s) + 1)])


class Lifecycle:
    """Follows every task of a queue; `observe` adds its series to the facts of a block."""

    def __init__(
        self,
        scenario: Scenario,
        vocabulary: Vocabulary,
        labels: LabelNumbers,
        stall_floor_s: float,
        redelivery_s: float | None = None,
    ) -> None:
        self._queue = scenario.system_settings if isinstance(scenario.system_settings, Queue) else None
        self._vocabulary = vocabulary
        self._labels = labels
        self._table = Table(labels.unknown if labels.needed else None)
        self._stalls = Stalls(stall_floor_s)
        self._redelivery = Redelivery(scenario, vocabulary, redelivery_s)
        self._types = {fault.name: fault.type for fault in scenario.faults}
        self._backoff_s = _backoffs(self._queue) if self._queue else np.zeros(1)
        self._accepted, self._census = 0, dict[TaskState, int]()
        self._population, self._until_s = Population(), 0.0
        self.slowest: list[SlowTask] = []
        """The tasks that took longest, the slowest first."""
        self.offered = 0
        """Tasks that were offered to the system, duplicates not counted."""
        self.ledger_mismatches = 0
        """Tasks recorded DONE although the attempt failed according to the ledger."""

    def observe(self, block: Block, facts: Facts) -> None:
        """Process a block."""
        self._take_census(block)
        numbers = block.task[_TOUCHED[block.kind]]
        if len(numbers):
            # A key is looked up by the numbers of all its copies.
            self._table.admit(int(numbers.min()) & ~COPY, int(numbers.max()) | COPY)
        rows = Rows(block, self._table)
        self._label(rows)
        label = self._table.labels_at(block, rows.places)
        facts.series["duplicate_executions"] = duplicate_executions(block, self._table)
        facts.series["redelivery_time"] = self._redelivery.observe(block, self._table)
        self._duplicate_enqueues(block, facts)
        self._transitions(block, rows, label, facts)
        cause_flags = self._cause_flags()
        failed_at = self._results(rows, cause_flags, label, facts)
        self._waits_and_backoffs(rows, cause_flags[0], failed_at, label, facts)
        self._population.observe(rows, facts.until_s)
        self._until_s = facts.until_s
        last = rows.groups.latest(rows.changes)[rows.groups.last]
        changed = last[last >= 0]
        self._table.put_states(rows.number[changed], rows.after[changed])
        self._stall(block, rows, facts)
        self._table.forget_settled()

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
            label = self._labels.of(rows.tenant[enqueued], rows.value[enqueued])
            self._table.put_labels(rows.number[enqueued], label, rows.places[enqueued])

    def _duplicate_enqueues(self, block: Block, facts: Facts) -> None:
        """A second enqueue of an active key must be skipped; one of a key that failed may come again and does not count."""
        skipped = block.kind == Kind.TASK_SKIPPED
        counted = skipped.copy()
        for place in np.flatnonzero((block.kind == Kind.TASK_ENQUEUED) & (block.task & COPY == COPY)):
            counted[place] = self._state_at(block, int(block.task[place]) & ~COPY, int(place)) in ACTIVE
        at = np.flatnonzero(counted)
        label = self._labels.of(block.tenant[at], block.t[at]) if self._labels.needed else None
        facts.series["duplicate_block"] = Samples(block.t[at], skipped[at].astype(np.float64), label=label)

    def _state_at(self, block: Block, number: int, place: int) -> TaskState:
        """The state of a task just before an event of the block (only for the rare case: it searches)."""
        own = np.flatnonzero((block.task[:place] == number) & (NEW_STATES[block.kind[:place]] > 0))
        return TaskState(int(NEW_STATES[block.kind[own[-1]]] if len(own) else self._table.states[number]))

    def _transitions(self, block: Block, rows: Rows, label: Ints | None, facts: Facts) -> None:
        illegal = rows.changes & ~_LEGAL[rows.before, rows.after]
        facts.series["illegal_transitions"] = rows.samples(rows.changes, illegal, label)
        moved = TRANSITIONS[rows.kind]
        facts.series["state_transitions"] = rows.samples(moved, None, label)
        facts.series["lost_tasks"] = rows.samples(rows.kind == Kind.TASK_ENQUEUED, np.zeros(len(rows.t)), label)
        contended = block.kind == Kind.LEASE_CONTENDED
        dispatched = block.kind == Kind.TASK_DISPATCHED
        at = np.flatnonzero(contended | dispatched)
        lost = np.where(contended, block.value, 0.0)[at]
        contended_label = self._table.labels_at(block, at)
        facts.series["lease_contentions"] = Samples(
            block.t[at], lost, dispatched[at].astype(np.float64), label=contended_label
        )

    def _results(self, rows: Rows, cause_flags: tuple[Bools, Bools], label: Ints | None, facts: Facts) -> Floats:
        """Returns, for each row, when the body of its attempt failed; the time of the row itself where it did not."""
        groups, kind = rows.groups, rows.kind
        transient, over_budget = cause_flags
        ended = kind == Kind.EXECUTION_ENDED
        failures = groups.running(
            ((kind == Kind.TASK_RETRY) | (kind == Kind.TASK_FAILED)) & transient[rows.cause]
        ) + rows.known("transient")
        expiries = groups.running(kind == Kind.LEASE_EXPIRED) + rows.known("expired")
        excesses = groups.running(ended & over_budget[rows.cause]) + rows.known("over_budget")
        bad_body = ended & (rows.cause != NO_CAUSE) & ~over_budget[rows.cause]
        latest_bad = groups.latest(bad_body)
        failed_body = carried(latest_bad, rows.attempt, rows.known("failed_body"))
        failed_at = carried(latest_bad, rows.t, rows.known("failed_at"))

        result, done = _RESULTS[kind], kind == Kind.TASK_DONE
        facts.series["success"] = rows.samples(result, done, label)
        facts.series["latency"] = rows.samples(result & (rows.accepted > 0), quantise(rows.t - rows.due), label)
        self._note_slowest(rows, result & (rows.accepted > 0))
        facts.series["recovery"] = rows.samples(result & (failures > 0), done, label)
        leases = rows.samples(_CLOSING[kind] & (expiries > 0), done * expiries, label)
        weight = rows.samples(_CLOSING[kind] & (expiries > 0), expiries, None).value
        facts.series["lease_recovery"] = Samples(leases.t, leases.value, weight, leases.label)
        facts.series["guardrail_unblocked"] = rows.samples(_CLOSING[kind] & (excesses > 0), _UNBLOCKED[kind], label)
        self.ledger_mismatches += int((done & (failed_body == rows.attempt)).sum())

        rows.keep(transient=failures, expired=expiries, over_budget=excesses)
        rows.keep(accepted=rows.accepted, due=rows.due, failed_body=failed_body, failed_at=failed_at)
        return np.where(failed_body == rows.attempt, failed_at, rows.t)

    def _note_slowest(self, rows: Rows, closed: Bools) -> None:
        latency_s = quantise(np.where(closed, rows.t - rows.due, -np.inf))
        least_s = self.slowest[-1].latency_s if len(self.slowest) == MOST_SLOWEST else 0.0
        places = np.flatnonzero(latency_s >= least_s)
        order = np.lexsort((rows.number[places], rows.t[places], -latency_s[places]))[:MOST_SLOWEST]
        fresh = [
            SlowTask(task_name(int(rows.number[place])), float(latency_s[place]), float(rows.t[place]))
            for place in places[order].tolist()
        ]
        ranked = sorted([*self.slowest, *fresh], key=lambda each: (-each.latency_s, each.ended_s, float(each.task)))
        self.slowest = ranked[:MOST_SLOWEST]

    def _cause_flags(self) -> tuple[Bools, Bools]:
        """By cause: whether it is a transient failure, and whether it is a hard budget exceeded."""
        types = [self._types.get(cause.fault) for cause in self._vocabulary.causes]
        if self._queue is None:
            # Whether a call is retried is up to the policies.
            return np.arange(len(types)) != NO_CAUSE, np.zeros(len(types), dtype=np.bool_)
        transient = [
            kind in TRANSIENT or (kind is None and cause.error not in {"", "lease_expired"})
            for kind, cause in zip(types, self._vocabulary.causes, strict=True)
        ]
        return np.array(transient), np.array([kind is FaultType.GUARDRAIL_EXCEED for kind in types])

    def _waits_and_backoffs(
        self, rows: Rows, transient: Bools, failed_at: Floats, label: Ints | None, facts: Facts
    ) -> None:
        groups, kind = rows.groups, rows.kind
        ready = carried(groups.latest(WAITING[rows.after]), rows.value, rows.known("ready"))
        waited_now = (kind == Kind.TASK_DISPATCHED) & WAITING[rows.before]
        step = np.where(waited_now, np.maximum(rows.t - ready, 0.0), 0.0)
        waited = quantise(groups.running(step) + rows.known("wait"))
        facts.series["wait"] = rows.samples(_RESULTS[kind] & (rows.accepted > 0), waited, label)

        retried = kind == Kind.TASK_RETRY
        backoff_s = self._backoff_s[np.clip(rows.attempt, 0, len(self._backoff_s) - 1)]
        # A backoff runs from the end of the attempt: from that of its body, by the ledger, where that failed.
        not_before = carried(
            groups.latest(retried),
            failed_at + np.where(transient[rows.cause], backoff_s, 0.0),
            rows.known("not_before"),
        )
        again = (kind == Kind.EXECUTION_STARTED) & (not_before > 0)
        started = kind == Kind.TASK_DISPATCHED
        if self._queue is None:
            # A client reports when it may retry.
            again, not_before = started & (rows.attempt > 1), ready
        else:
            facts.series["excess_attempts"] = rows.samples(started, rows.attempt > self._queue.max_attempts, label)
        early = again & (rows.t < not_before - _TICK_S)
        facts.series["backoff_violations"] = rows.samples(again, early, label)

        first = ARRIVALS[kind] & (rows.before == TaskState.NONE) & (rows.number & COPY == 0)
        self.offered += int(first.sum())
        facts.series["submission_lag"] = rows.samples(first, quantise(rows.t - rows.value), label)
        rows.keep(ready=ready, wait=waited, not_before=not_before)

    def _stall(self, block: Block, rows: Rows, facts: Facts) -> None:
        """Work waits from its due time until it is dispatched; acceptance of deferred work does not end the wait."""
        entering = rows.changes & ~WAITING[rows.before] & WAITING[rows.after]
        leaving = rows.changes & WAITING[rows.before] & ~WAITING[rows.after]
        since = carried(rows.groups.latest(entering), np.maximum(rows.t, rows.value), rows.known("since"))
        rows.keep(since=since)
        numbers = self._table.open_numbers()
        waiting = self._table.get("since", numbers[WAITING[self._table.states[numbers]]])
        changed = block.t[TRANSITIONS[block.kind]]
        stretches, samples = self._stalls.observe(changed, since[leaving], rows.t[leaving], waiting, facts.until_s)
        facts.stretches["stall"], facts.series["stall"] = stretches, samples

    def take_back(self, later: "Lifecycle") -> None:
        """Undo in this copy, made before a block, what `later` changed in that block."""
        self._table.take_back(later._table)

    # What is known at the end.

    def state_counts(self) -> dict[TaskState, int]:
        """How many tasks are in each state, by the events."""
        counts = np.bincount(self._table.states, minlength=len(TaskState))
        return {state: int(counts[state]) for state in TaskState if state is not TaskState.NONE}

    @property
    def accepted(self) -> int:
        """Tasks accepted by the system."""
        return self._accepted

    def uncounted_tasks(self) -> int | None:
        """Accepted tasks that the system's own census does not hold in any state; None without a census."""
        return self._accepted - sum(self._census.values()) if self._census else None

    def stranded(self) -> Stranded:
        """Work whose worker died and which was not started again, were the run to end now."""
        return self._redelivery.stranded(self._table, self._until_s)

    def awaiting_redelivery(self) -> int:
        """How many tasks whose worker died have not been started again."""
        return len(self._redelivery.waiting(self._table))

    def unfinished(self, labels: frozenset[int] | None = None) -> Unfinished:
        """What is open now, of these labels (None: of all); submissions not accepted may have any label."""
        numbers = self._table.open_numbers()
        deferred = int((self._table.states[numbers] == TaskState.DEFERRED).sum())
        numbers = self._table.labelled(numbers, labels)
        numbers = numbers[OPEN_STATES[self._table.states[numbers]]]
        transient = int((self._table.get("transient", numbers) > 0).sum())
        return Unfinished(len(numbers), deferred, transient, int(self._table.get("expired", numbers).sum()))

    def littles_law(self) -> tuple[float, float]:
        """Time tasks spent in the system, in seconds: as the area under their number, and summed over tasks."""
        return self._population.littles_law(self._table)
