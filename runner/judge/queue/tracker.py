"""What is particular to a queue: leases, backoffs, budgets, the execution ledger and redelivery."""

from collections.abc import Iterator, Sequence

import numpy as np

from soak.runner.judge.groups import carried
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.queue.accepted import not_yet
from soak.runner.judge.queue.attempts import DIED, FAILURES, REDELIVERED, failures, is_death, only_failures_count
from soak.runner.judge.queue.blame import EXPIRED, Blame
from soak.runner.judge.queue.by_kind import ByKind
from soak.runner.judge.queue.census import Census
from soak.runner.judge.queue.deliveries import redelivery_of
from soak.runner.judge.queue.duplicates import Duplicates
from soak.runner.judge.queue.early_done import EarlyDone
from soak.runner.judge.queue.further import Further
from soak.runner.judge.queue.kept import Kept
from soak.runner.judge.queue.ledger import duplicate_executions
from soak.runner.judge.queue.pace import Pace
from soak.runner.judge.queue.redelivery import Stranded
from soak.runner.judge.queue.unseen import Unseen
from soak.runner.judge.room import AtTheEnd, Consequence, Law, Tasks, Tracker
from soak.runner.judge.rows import Picked, Rows
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.task_violations import note_early, note_failed, note_rows
from soak.runner.judge.violations import law, note
from soak.schemas.evidence.verdict import Section
from soak.schemas.language.faults import FaultSpec
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import AT_THE_END, Sli
from soak.schemas.stream.block import Block, Bools, Floats, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.indicators import (
    DEAD_LETTERED,
    DUPLICATES_BY_CAUSE,
    NEVER_STARTED,
    STUCK_IN_PROGRESS,
    UNSTARTED,
)
from soak.schemas.systems.queue.settings import Queue, queue_of
from soak.schemas.target.model import Promise

UNBLOCKED_BY = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_CANCELLED)
CLOSING = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_BLOCKED, Kind.TASK_CANCELLED)

_INFERRED = range(4)
"""Levels of targets whose account of tasks is inferred: nothing is known of claims and leases."""

EXCESS = "excess_attempts"
LEDGER = law("ledger_agreement")
UNBLOCKED = "guardrail_unblocked"

_TICK_S = 2e-6
"""Times are rounded to a microsecond: two of them may be that far off."""


def _backoffs(queue: Queue) -> Floats:
    """The least backoff after each attempt, from 0."""
    last = len(queue.backoff.listed_s) or queue.last_attempt
    return np.array([queue.backoff.least_s(max(1, attempt)) for attempt in range(last + 1)])


class QueueTracker(Tracker):
    """Follows leases, backoffs and budgets of open tasks, executions, and work whose worker died."""

    columns: tuple[str, ...] = ("not_before", "expired", "over_budget", "failed_body", "failed_at")

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._queue = queue_of(scenario)
        self._backoff_s = _backoffs(self._queue)
        self._drawn = any(each.backoff.drawn for each in (self._queue, *self._queue.by_kind))
        self._by_kind = ByKind(scenario) if self._queue.differs_by_kind else None
        self._redelivery = redelivery_of(self._queue, identity)(scenario, vocabulary, identity)
        level = identity.level if identity else None
        self._inferred = level in _INFERRED
        self._census = None if level is None else Census(vocabulary, level)
        self._pace = None if level is None else Pace(identity)
        self._unseen = None if level is None else Unseen(vocabulary)
        self.counts_some = self._census is not None
        self._counts_unstarted = self.counts_some or not UNSTARTED.isdisjoint(scenario.slis)
        self._unfailed = {"", EXPIRED} | (DIED | {REDELIVERED} if level is not None else set())
        """Errors after which a task is started again although no attempt has failed."""
        self._further = Further(scenario, vocabulary, identity)
        begun = ("begun",) if self._counts_unstarted else ()
        promises = identity.promises if identity else None
        # Who promises no leases starts a task again without the end of one.
        self._excuses = promises is not None and Promise.LEASES not in promises
        died = ("died",) if self._excuses else ()
        self.columns = (*self.columns, *self._further.columns, *begun, *died)
        reports = identity is not None and identity.clock == "real" and level not in _INFERRED
        self._early_done = EarlyDone(identity.speed) if identity and reports else None
        self._promised = promises is not None
        self._only_failures_count = only_failures_count(identity)
        if self._only_failures_count:
            self.columns = (*self.columns, FAILURES)
        self._blame = Blame(scenario, vocabulary)
        self._table: Section | None = None
        self._kept = None if identity is None or promises is None else Kept(identity)
        told_apart = self._kept is not None or not scenario.slis.keys().isdisjoint(DUPLICATES_BY_CAUSE)
        self._duplicates = Duplicates(inferred=level in _INFERRED, told_apart=told_apart)
        self.ledger_mismatches = 0
        """Tasks recorded DONE although the attempt failed according to the ledger."""

    def transient(self) -> Bools:
        """By cause: whether an attempt that fails by it may be made again: faults of that kind, and errors nobody planned."""
        specs, causes = self._specs(), self._vocabulary.causes
        return np.array(
            [
                spec.transient if spec else cause.error not in self._unfailed
                for spec, cause in zip(specs, causes, strict=True)
            ]
        )

    def _over_budget(self) -> Bools:
        """By cause: whether it is a hard budget exceeded."""
        return np.array([spec is not None and spec.type == QueueFault.GUARDRAIL_EXCEED for spec in self._specs()])

    def _specs(self) -> list[FaultSpec | None]:
        """By cause: its type of fault; None if it is not a fault."""
        specs = {fault.name: fault.spec for fault in self._scenario.faults}
        return [specs.get(cause.fault) for cause in self._vocabulary.causes]

    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        """Take in a block."""
        facts.series["duplicate_executions"] = duplicate_executions(block, tasks.table, self._duplicates, facts)
        self._blame.observe(block, facts.series["duplicate_executions"])
        facts.series["redelivery_time"] = self._redelivery.observe(block, tasks.table)
        if self._counts_unstarted:
            self._begun(tasks, facts)
        if self._census:
            self._census.observe(block)
        if self._excuses:
            tasks.rows.keep(died=self._died(tasks.rows)[1])
        if self._early_done:
            self._early_done.observe(block, facts)
        if self._pace:
            self._pace.observe(block)
        if self._unseen:
            self._unseen.observe(block)
        _contentions(block, tasks, facts)
        self._dead_letters(block, tasks, facts)
        self._further.observe(block, tasks, facts, self._redelivery)
        failed_at = self._results(block, tasks, facts)
        self._backoffs(block, tasks, failed_at, facts)
        if self._kept:
            self._kept.observe(tasks.rows, tasks.transient, facts)

    def _results(self, block: Block, tasks: Tasks, facts: Facts) -> Floats:
        """Returns, for each row, when the body of its attempt failed; the time of the row itself where it did not."""
        rows, label = tasks.rows, tasks.label
        groups, kind, over_budget = rows.groups, rows.kind, self._over_budget()
        ended, done = kind == Kind.EXECUTION_ENDED, kind == Kind.TASK_DONE
        expiries = groups.running(kind == Kind.LEASE_EXPIRED) + rows.known("expired")
        excesses = groups.running(ended & over_budget[rows.cause]) + rows.known("over_budget")
        bad_body = ended & (rows.cause != NO_CAUSE) & ~over_budget[rows.cause]
        latest_bad = groups.latest(bad_body)
        failed_body = carried(latest_bad, rows.attempt, rows.known("failed_body"))
        failed_at = carried(latest_bad, rows.t, rows.known("failed_at"))
        facts.series["lease_recovery"] = _lease_recovery(rows, expiries, done, label)
        facts.series[UNBLOCKED] = rows.samples(CLOSING[kind] & (excesses > 0), UNBLOCKED_BY[kind], label)
        unrecovered = CLOSING[kind] & (expiries > 0) & ~done
        note_failed(facts, "lease_recovery", block, rows.pick(unrecovered, label, expiries), self._vocabulary)
        mismatched = done & (failed_body == rows.attempt)
        self.ledger_mismatches += int(mismatched.sum())
        unblocked = UNBLOCKED_BY[kind] & (excesses > 0)
        self._note(facts, UNBLOCKED, block, rows.pick(unblocked, label))
        self._note(facts, LEDGER, block, rows.pick(mismatched, label))
        rows.keep(expired=expiries, over_budget=excesses, failed_body=failed_body, failed_at=failed_at)
        return np.where(failed_body == rows.attempt, failed_at, rows.t)

    def _dead_letters(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        if DEAD_LETTERED in self._scenario.slis:
            rows, dead = tasks.rows, tasks.rows.kind == Kind.TASK_DEAD_LETTERED
            facts.series[DEAD_LETTERED] = rows.samples(CLOSING[rows.kind] | dead, dead, tasks.label)
            self._note(facts, DEAD_LETTERED, block, rows.pick(dead, tasks.label))

    def _backoffs(self, block: Block, tasks: Tasks, failed_at: Floats, facts: Facts) -> None:
        rows, label = tasks.rows, tasks.label
        groups, kind = rows.groups, rows.kind
        most: int | Ints = self._queue.last_attempt
        attempt, waits = self._attempts(tasks)
        if self._by_kind is None:
            backoff_s = self._backoff_s[np.clip(attempt, 0, len(self._backoff_s) - 1)]
        else:
            backoff_s, most = self._by_kind.of(label, attempt)
        # A backoff runs from the end of the attempt: from that of its body, by the ledger, where that failed.
        over_s = failed_at + np.where(waits[rows.cause], backoff_s, 0.0)
        if self._inferred:
            # What was seen says from when the system may have counted, which is before the end was seen.
            over_s = rows.value
        elif self._drawn:
            # Only who drew it knows how long it is: what the retry itself says holds, and no less than jitter can make it.
            over_s = np.maximum(over_s, rows.value)
        not_before = carried(groups.latest(kind == Kind.TASK_RETRY), over_s, rows.known("not_before"))
        again = (kind == Kind.EXECUTION_STARTED) & (not_before > 0)
        started = kind == Kind.TASK_DISPATCHED
        excess = started & (attempt > most)
        facts.series[EXCESS] = rows.samples(started, excess, label)
        self._note(facts, EXCESS, block, rows.pick(excess, label))
        early = again & (rows.t < not_before - _TICK_S)
        facts.series["backoff_violations"] = rows.samples(again, early, label)
        note_early(facts, block, rows.pick(early, label, not_before))
        rows.keep(not_before=not_before)

    def _note(self, facts: Facts, of: str, block: Block, picked: Picked) -> None:
        """Note violations of a series or a law that have one cause."""
        cause = {
            UNBLOCKED: "over the hard budget and not BLOCKED",
            LEDGER: "DONE although its attempt failed",
            DEAD_LETTERED: "delivered for the last time",
            EXCESS: f"more than {'its' if self._by_kind else self._queue.last_attempt} attempts",
        }
        note_rows(facts, of, block, picked, cause[of])

    def _attempts(self, tasks: Tasks) -> tuple[Ints, Bools]:
        """For each row, how many attempts of its task count so far; by cause, whether the next attempt has to wait."""
        if not self._promised:
            return tasks.rows.attempt, tasks.transient
        died = is_death(self._specs(), self._vocabulary)
        waits = tasks.transient & ~died
        if not self._only_failures_count:
            return tasks.rows.attempt, waits
        fails = ~died & ~self._over_budget()
        fails[NO_CAUSE] = False
        return failures(tasks.rows, fails), waits

    def _begun(self, tasks: Tasks, facts: Facts) -> None:
        """Count the starts of each task."""
        rows = tasks.rows
        starts = (rows.kind == Kind.TASK_DISPATCHED).astype(np.int64)
        rows.keep(begun=rows.groups.running(starts) + rows.known("begun"))
        for series in UNSTARTED:
            facts.series[series] = rows.samples(rows.kind == Kind.TASK_ENQUEUED, np.zeros(len(rows.t)), tasks.label)

    def excused(self, rows: Rows) -> Bools:
        """See `Tracker`: a task is given out again after its execution has died, by the ledger."""
        again = (rows.kind == Kind.TASK_DISPATCHED) & (rows.before == TaskState.IN_PROGRESS)
        excused: Bools = again & (self._died(rows)[0] > 0)
        return excused if self._excuses else np.zeros(len(rows.t), dtype=np.bool_)

    def _died(self, rows: Rows) -> tuple[Floats, Floats]:
        """For each row, whether the last execution of its task had died: before it, and after it."""
        if not self._excuses:
            return np.zeros(len(rows.t)), np.zeros(len(rows.t))
        dead = (rows.kind == Kind.EXECUTION_ENDED) & self._redelivery.is_death()[rows.cause]
        tells, known = dead | (rows.kind == Kind.TASK_DISPATCHED), rows.known("died")
        values = dead.astype(np.float64)
        before = carried(rows.groups.latest(tells, before=True), values, known)
        return before, carried(rows.groups.latest(tells), values, known)

    def after(self, block: Block, lifecycle: Lifecycle, facts: Facts) -> None:
        """See `Tracker`."""
        self._further.after(lifecycle, facts)
        if self._counts_unstarted and facts.ended and block.kind[-1] in {Kind.RUN_ENDED, Kind.RUN_DECIDED}:
            self._ended(lifecycle, facts)
        if self._kept and facts.ended:
            again = self._redelivery.unstarted(lifecycle.table, lifecycle.until_s)[1] if self._counts_unstarted else []
            failed = int(np.count_nonzero(lifecycle.table.states[_numbers(again)] == TaskState.PENDING))
            self._table = self._kept.section(self.stranded(lifecycle), len(again) - failed, failed)

    def _ended(self, lifecycle: Lifecycle, facts: Facts) -> None:
        """Count tasks that were not started in time; of a system whose account is inferred they did not succeed."""
        never, again = self._redelivery.unstarted(lifecycle.table, lifecycle.until_s)
        found = {NEVER_STARTED: (never, 1.0), STUCK_IN_PROGRESS: (again, 1.0)}
        if self._census:
            found["success"] = ([*never, *again], 0.0)
        for series, (numbers, value) in found.items():
            facts.series[series] = _with_more(facts.get(series), lifecycle, numbers, value)

    # What is known at the end.

    def load_doubts(self) -> Iterator[str]:
        """See `Tracker`."""
        return self._pace.doubts() if self._pace else iter(())

    def unseen(self, lifecycle: Lifecycle) -> Iterator[str]:
        """See `Tracker`."""
        return self._unseen.doubts(lifecycle) if self._unseen else iter(())

    def conservation(self, lifecycle: Lifecycle) -> Law | None:
        """See `Tracker`."""
        return self._census.law(lifecycle, self.lost(lifecycle)) if self._census else None

    def laws(self, lifecycle: Lifecycle, *, complete: bool) -> Iterator[Law]:
        """The execution ledger agrees, and work whose worker died was started again."""
        early = self._early_done.count(lifecycle.until_s) if self._early_done else 0
        said = [f"{self.ledger_mismatches} tasks DONE contrary to the ledger"] * bool(self.ledger_mismatches)
        said += [f"{early} tasks DONE before their bodies had ended"] * bool(early)
        yield Law(
            "ledger_agreement",
            "no task is DONE by an attempt that failed according to the execution ledger",
            float(self.ledger_mismatches + early),
            "; ".join(said),
        )
        yield self._redelivery.law(lifecycle.table, lifecycle.until_s, complete=complete)

    def stranded(self, lifecycle: Lifecycle) -> Stranded:
        """Work whose worker died and which was not started again, were the run to end now."""
        return self._redelivery.stranded(lifecycle.table, lifecycle.until_s)

    def sections(self) -> Sequence[Section]:
        """See `Tracker`: what became of promises, once the run has ended."""
        return (self._table,) if self._table else ()

    def lost(self, lifecycle: Lifecycle) -> int:
        """Tasks that were never started again."""
        return self.stranded(lifecycle).lost

    def at_the_end(self, of: str, lifecycle: Lifecycle) -> AtTheEnd | None:
        """The tasks that were never started again: what they ran on when it died."""
        table, until_s = lifecycle.table, lifecycle.until_s
        if of in UNSTARTED and self._counts_unstarted:
            never, again = self._redelivery.unstarted(table, until_s)
            return self._redelivery.at_the_end(table, until_s, never if of == NEVER_STARTED else again)
        return self._redelivery.at_the_end(table, until_s) if of in {AT_THE_END, law("redelivery")} else None

    def consequences(self, lifecycle: Lifecycle) -> Iterator[Consequence]:
        """Tasks that were never started again, and executions too many, by fault."""
        yield from self._blame.consequences()
        yield from self._redelivery.consequences(lifecycle.table, lifecycle.until_s)

    def still_open(self, sli: Sli, lifecycle: Lifecycle, labels: frozenset[int] | None) -> tuple[int, str] | None:
        """Expired leases whose task is open, and tasks that wait for their redelivery."""
        if sli.series == "lease_recovery":
            return lifecycle.open_sum("expired", labels), "tasks"
        if sli.series == "redelivery_time":
            return len(self._redelivery.waiting(lifecycle.table)), "tasks"
        if self._counts_unstarted and sli.series in {*UNSTARTED, AT_THE_END, "success"}:
            return self._may_be_lost(sli, lifecycle, labels)
        return None

    def _may_be_lost(self, sli: Sli, lifecycle: Lifecycle, labels: frozenset[int] | None) -> tuple[int, str] | None:
        """Tasks of which it is too early to tell; `success`: those that are open and not lost."""
        table, until_s = lifecycle.table, lifecycle.until_s
        never, again = self._redelivery.undecided(table, until_s)
        if sli.series in UNSTARTED:
            waiting = never if sli.series == NEVER_STARTED else again
        elif not self._census:
            return None
        elif sli.series == AT_THE_END:
            waiting = [*never, *again]
        else:
            lost = [number for each in self._redelivery.unstarted(table, until_s) for number in each]
            unfinished = lifecycle.unfinished(labels)
            return unfinished.tasks + unfinished.deferred - len(table.labelled(_numbers(lost), labels)), "tasks"
        return len(table.labelled(_numbers(waiting), labels)), f"tasks ({not_yet(self.stranded(lifecycle))})"


def _numbers(tasks: list[int]) -> Ints:
    return np.array(tasks, dtype=np.int64)


def _with_more(samples: Samples, lifecycle: Lifecycle, tasks: list[int], value: float) -> Samples:
    """A series with a value more for each of these tasks, at the end of the run."""
    numbers, label = _numbers(tasks), samples.label
    if label is not None:
        label = np.concatenate([label, lifecycle.table.labels_of(numbers)])
    t = np.concatenate([samples.t, np.full(len(numbers), lifecycle.until_s)])
    return Samples(t, np.concatenate([samples.value, np.full(len(numbers), value)]), label=label)


def _contentions(block: Block, tasks: Tasks, facts: Facts) -> None:
    contended = block.kind == Kind.LEASE_CONTENDED
    dispatched = block.kind == Kind.TASK_DISPATCHED
    at = np.flatnonzero(contended | dispatched)
    lost = np.where(contended, block.value, 0.0)[at]
    label = tasks.table.labels_at(block, at)
    facts.series["lease_contentions"] = Samples(block.t[at], lost, dispatched[at].astype(np.float64), label=label)
    note_contended(facts, block, at[lost > 0], None if label is None else label[lost > 0])


def note_contended(facts: Facts, block: Block, places: Ints, label: Ints | None) -> None:
    """Claims that were lost."""
    note(
        facts,
        "lease_contentions",
        block,
        places,
        cause="lost to another dispatcher",
        label=label,
        amount=np.ceil(block.value[places]).astype(np.int64),
    )


def _lease_recovery(rows: Rows, expiries: Floats, done: Bools, label: Ints | None) -> Samples:
    closed = CLOSING[rows.kind] & (expiries > 0)
    leases = rows.samples(closed, done * expiries, label)
    weight = rows.samples(closed, expiries, None).value
    return Samples(leases.t, leases.value, weight, leases.label)
