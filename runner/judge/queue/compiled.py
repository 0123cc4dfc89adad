"""A queue followed by compiled code: the same series, states, counts and violations, to the last bit.

What compiled code does not do is known before the run: then `followed` gives None, and the ordinary trackers follow it.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.lifecycle import ARRIVALS, Lifecycle
from soak.runner.judge.queue.duplicates import Again
from soak.runner.judge.queue.follow import (
    CAUSES,
    DEATHS,
    EVENTS,
    GAPS,
    SERIES,
    STALLS,
    STATES,
    WEIGHTED,
    Follower,
    Noted,
)
from soak.runner.judge.queue.tracker import (
    CLOSING,
    EXCESS,
    LEDGER,
    UNBLOCKED,
    UNBLOCKED_BY,
    QueueTracker,
    note_contended,
)
from soak.runner.judge.room import Asked
from soak.runner.judge.rows import NEW_STATES, OPEN_STATES, WAITING
from soak.runner.judge.samples import Facts, Samples, Scan, Stretch
from soak.runner.judge.stalls import NO_EVIDENCE
from soak.runner.judge.table import SETTLED, Table
from soak.runner.judge.task_violations import note_accepted_again, note_early, note_failed, note_illegal
from soak.runner.judge.telemetry import SIGNS_OF_LIFE
from soak.schemas.stream.block import Block, Floats, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.stream.states import ACTIVE, LEGAL, TaskState
from soak.schemas.systems.queue.indicators import DEAD_LETTERED
from soak.simulation.compiled.library import Unavailable

_FLAGS = {
    "ENQUEUED": kind_flags(Kind.TASK_ENQUEUED),
    "DEFERRED": kind_flags(Kind.TASK_DEFERRED),
    "DISPATCHED": kind_flags(Kind.TASK_DISPATCHED),
    "RETRY": kind_flags(Kind.TASK_RETRY),
    "DONE": kind_flags(Kind.TASK_DONE),
    "FAILED": kind_flags(Kind.TASK_FAILED),
    "EXPIRED": kind_flags(Kind.LEASE_EXPIRED),
    "DEAD_LETTERED": kind_flags(Kind.TASK_DEAD_LETTERED),
    "STARTED": kind_flags(Kind.EXECUTION_STARTED),
    "ENDED": kind_flags(Kind.EXECUTION_ENDED),
    "SKIPPED": kind_flags(Kind.TASK_SKIPPED),
    "CONTENDED": kind_flags(Kind.LEASE_CONTENDED),
    "EXITED": kind_flags(Kind.PROCESS_EXITED),
    "CLOSING": CLOSING,
    "UNBLOCKED": UNBLOCKED_BY,
    "OVER": kind_flags(
        Kind.EXECUTION_STARTED, Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_BLOCKED, Kind.TASK_CANCELLED
    ),
    "ALIVE": SIGNS_OF_LIFE,
}
"""What `follow.c` calls each kind of event, by the names of `follow.EVENTS`."""

_KINDS_OF_CENSUS = [int(kind) for kind in CENSUS.values()]


def _bits(names: Sequence[str], **flags: Any) -> Any:
    """Flags by their names, as the bits of numbers."""
    return sum(np.int64(1 << place) * flags[name] for place, name in enumerate(names))


def followed(asked: Asked) -> Lifecycle | None:
    """A compiled follower of what is asked; None where it cannot be had, or does not do all of that."""
    # Without the identity of a run its blocks may be anybody's; of others it is known that events of tasks name them.
    if not asked.need.compiled or asked.identity is None or not asked.stall_floor_s > 0 or not asked.gap_floor_s > 0:
        return None
    tracker = FollowedTracker(asked.scenario, asked.vocabulary, asked.identity)
    if not tracker.is_plain:
        return None
    try:
        return CompiledLifecycle(asked, tracker, Follower(len(Kind)))
    except Unavailable:
        return None


class FollowedTracker(QueueTracker):
    """What is particular to a queue, beside what compiled code follows."""

    @property
    def is_plain(self) -> bool:
        """Whether compiled code follows all that this one would."""
        beyond = (self._counts_unstarted, self._inferred, self._census, self._pace, self._unseen, self._early_done)
        return not any((*beyond, self._promised, self._kept, self._further.follows, self._duplicates.told_apart))

    def __deepcopy__(self, memo: dict[int, object]) -> "FollowedTracker":
        """What compiled code follows changes nothing else here."""
        twin = copy.copy(self)
        for name in ("_redelivery", "_duplicates", "_blame"):
            setattr(twin, name, copy.deepcopy(getattr(self, name), memo))
        return twin

    def teach(self, follower: Follower) -> None:
        """Say what is allowed."""
        if self._by_kind:
            backoff_s, most = self._by_kind.backoff_s, self._by_kind.most
        else:
            backoff_s, most = self._backoff_s[np.newaxis], np.array([self._queue.last_attempt])
        follower.attempts(backoff_s, most, by_label=self._by_kind is not None, drawn=self._drawn)

    def causes(self) -> Ints:
        """What each cause says, as flags."""
        deadly = self._redelivery.is_death()
        flags: Ints = _bits(CAUSES, TRANSIENT=self.transient(), OVER_BUDGET=self._over_budget(), DEADLY=deadly)
        return flags

    def take(self, block: Block, follower: Follower, facts: Facts, *, labelled: bool) -> None:
        """Take in a block that has been followed."""
        totals = follower.totals
        self.ledger_mismatches = totals.mismatches
        found = follower.samples(DEATHS, weighted=False, labelled=labelled)
        facts.series["redelivery_time"] = self._redelivery.follow(
            block, found.value.astype(np.int64), found.label, totals.last_s
        )

    def explain(self, block: Block, follower: Follower, noted: Noted, facts: Facts) -> None:
        """Note what of a block that has been followed is for explanations."""
        self._blame.observe(block, facts.series["duplicate_executions"])
        again = noted.pick("AGAIN")
        if self._duplicates.are_asked(facts):
            other_done = noted.have("AGAIN", "OTHER_DONE")
            executions = Again(again.places, again.label, other_done)
            self._duplicates.observe(block, executions, follower.executed, follower.starts(), facts)
        contended = noted.pick("CLAIM_LOST")
        note_contended(facts, block, contended.places, contended.label)
        note_failed(facts, "lease_recovery", block, noted.pick("LEASES_LOST", "expired"), self._vocabulary)
        for of, note in (
            (UNBLOCKED, "NOT_BLOCKED"),
            (LEDGER, "MISMATCHED"),
            (DEAD_LETTERED, "LETTERED"),
            (EXCESS, "EXCESS"),
        ):
            self._note(facts, of, block, noted.pick(note))
        note_early(facts, block, noted.pick("EARLY", "not_before"))


class CompiledLifecycle(Lifecycle):
    """See `Lifecycle`: tasks are followed by compiled code. Where no findings are asked, nothing is noted."""

    tracker: FollowedTracker

    def __init__(self, asked: Asked, tracker: FollowedTracker, follower: Follower) -> None:
        self._exported: Table | None = None
        super().__init__(asked.labels, asked.stall_floor_s, tracker)
        every = {*SERIES} - {DEAD_LETTERED} if asked.need.findings else frozenset[str]()
        self._follower, self._wanted = follower, [name for name in SERIES if name in asked.series or name in every]
        self._explains = asked.need.findings
        self._floors_s = asked.stall_floor_s, asked.gap_floor_s
        self._marked = False
        states = [
            _bits(
                STATES,
                OPEN=state in OPEN_NUMBERS,
                WAITING=WAITING[state],
                SETTLED=SETTLED[state],
                ACTIVE=state in ACTIVE,
                COMPLETED=state is TaskState.DONE,
            )
            for state in TaskState
        ]
        legal = [[(before, after) in LEGAL for after in TaskState] for before in TaskState]
        follower.rules(
            _bits(EVENTS, **_FLAGS), NEW_STATES, np.array(states), np.array(legal), self._floors_s, self._wanted
        )
        if asked.labels.needed:
            follower.labels(*_windows(asked.labels))
        tracker.teach(follower)

    @property
    def table(self) -> Table:
        """What is known of each task now."""
        if self._exported is None:
            totals, follower, unknown = self._follower.totals, self._follower, self._labels.unknown
            self._exported = Table.of(
                totals.base,
                totals.end,
                follower.states(),
                follower.columns(),
                follower.task_labels() if self._labels.needed else None,
                unknown if self._labels.needed else None,
            )
        return self._exported

    @table.setter
    def table(self, table: Table) -> None:
        """Compiled code has its own."""

    def _new_table(self) -> Table:
        return _NO_TABLE

    def observe(self, block: Block, facts: Facts) -> None:
        """See `Lifecycle`."""
        follower, labelled = self._follower, self._labels.needed
        follower.causes(self.tracker.causes())
        follower.follow(block, marked=self._marked, slow_s=self._slow_s if self._explains else None)
        self._marked, self._exported = False, None
        cells = follower.counts()
        counts = cells.sum(axis=1)
        if counts[_KINDS_OF_CENSUS].any() or counts[Kind.RUN_RESUMED]:
            self._take_census(block)
        for name in self._wanted:
            facts.series[name] = follower.samples(SERIES.index(name), weighted=name in WEIGHTED, labelled=labelled)
        stalls, gaps = (_stretches(follower, *each) for each in zip((STALLS, GAPS), self._floors_s, strict=True))
        changes = int(counts[_TRANSITIONS].sum())
        facts.stretches["stall"] = stalls
        facts.series["stall"] = Samples(NO_EVIDENCE, NO_EVIDENCE, exposed=changes)
        facts.scan = Scan(block, counts, cells, follower.retries(), gaps)
        totals = follower.totals
        self._accepted, self.offered, self.until_s = totals.accepted, totals.offered, facts.until_s
        self.tracker.take(block, follower, facts, labelled=labelled)
        if self._explains:
            self._explain(block, follower.noted(labelled=labelled), facts)

    def _explain(self, block: Block, noted: Noted, facts: Facts) -> None:
        note_accepted_again(facts, block, noted.pick("ACCEPTED_AGAIN"))
        note_illegal(facts, block, noted.pick("ILLEGAL"))
        for series, note in (("success", "NOT_DONE"), ("recovery", "NOT_RECOVERED")):
            note_failed(facts, series, block, noted.pick(note), self.tracker.vocabulary)
        slow = noted.pick("SLOW", "latency_s")
        assert slow.value is not None
        self._note_slowest(block.task[slow.places], block.t[slow.places], slow.value)
        self.tracker.explain(block, self._follower, noted, facts)

    def __deepcopy__(self, memo: dict[int, object]) -> "CompiledLifecycle":
        """A copy that shares what compiled code knows: the next block of this one can be taken back."""
        twin = copy.copy(self)
        twin.tracker, twin._census = copy.deepcopy(self.tracker, memo), dict(self._census)
        self._marked = True
        return twin

    def take_back(self, later: Lifecycle) -> None:
        """See `Lifecycle`."""
        self._follower.take_back()
        self._exported, self._marked = None, False

    def littles_law(self) -> tuple[float, float]:
        """See `Lifecycle`."""
        table, totals = self.table, self._follower.totals
        numbers = table.open_numbers()
        numbers = numbers[OPEN_STATES[table.states[numbers]]]
        still = float((totals.until_s - table.get("entered", numbers)).sum())
        return totals.area, totals.sojourn_s + still


_NO_TABLE = Table(None)
OPEN_NUMBERS = frozenset(int(state) for state in TaskState if OPEN_STATES[state])
_TRANSITIONS = np.flatnonzero((NEW_STATES > 0) & ~ARRIVALS)


def _windows(labels: LabelNumbers) -> tuple[int, Floats, Floats]:
    """How many labels the stream has, and when phases begin and end."""
    starts, ends = labels.windows()
    return labels.count, starts, ends


def _stretches(follower: Follower, which: int, floor_s: float) -> list[Stretch]:
    """The stretches of a block that are long enough, or the longest; and the last one, if it still lasts."""
    found = follower.samples(which, weighted=True, labelled=False)
    if found.weight is None:
        return []
    over, length = found.weight > 0, np.abs(found.weight)
    kept = np.flatnonzero((length >= floor_s) | (length == length.max()) | (~over & (length > 0))).tolist()
    return [Stretch(float(found.t[k]), float(found.value[k]), bool(over[k])) for k in kept]
