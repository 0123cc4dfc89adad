"""Calls and what policies make of them, followed a block at a time: what the series of a client's SLIs are made of."""

from collections.abc import Iterator

import numpy as np

from soak.runner.judge.calls.gain import Paired, gain_of
from soak.runner.judge.calls.violations import note_calls
from soak.runner.judge.course import Course
from soak.runner.judge.dependence import of_paired
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.room import Law, Tasks, Tracker
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.schedule import schedule_of
from soak.runner.judge.task_violations import note_early
from soak.runner.judge.violations import law, note
from soak.schemas.evidence.gain import Gain
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Sli
from soak.schemas.stream.block import Block, Bools, Floats, quantise
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.vocabulary import Vocabulary

_ENDED = kind_flags(Kind.CALL_SUCCEEDED, Kind.CALL_FAILED)
_TRIED = kind_flags(Kind.CALL_SUCCEEDED, Kind.CALL_FAILED, Kind.CALL_REJECTED)
_FAILED = kind_flags(Kind.CALL_FAILED, Kind.CALL_REJECTED)
_CLOSED = kind_flags(Kind.TASK_DONE, Kind.TASK_FAILED)


SPANS = {"heal_time": "outages", "rollback_time": "releases"}
"""Series of the time from one event to another, and what has not come to its end while the other is missing."""

_TICK_S = 2e-6
"""Times are rounded to a microsecond: two of them may be that far off."""

_BEGINS = {"heal_time": Kind.PROCESS_EXITED, "rollback_time": Kind.RELEASE_DEPLOYED}


class CallTracker(Tracker):
    """Follows calls; of tasks only those that are open are kept."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._first_failed: dict[int, float] = {}
        """When the first failure of an open task was, by number."""
        self._first_well: set[int] = set()
        self._answered: set[int] = set()
        self._since: dict[tuple[int, int], float] = {}
        self.paired = Paired()
        self._before, self._after = Course(ranked=False), Course(ranked=False)
        self._schedule = schedule_of(scenario)
        self.unanswered = 0
        """Tasks that are DONE although no call of theirs was answered well."""

    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        """Take in a block."""
        rows = tasks.rows
        # A client reports when it may retry.
        again = (rows.kind == Kind.TASK_DISPATCHED) & (rows.attempt > 1)
        early = again & (rows.t < tasks.ready - _TICK_S)
        facts.series["backoff_violations"] = rows.samples(again, early, tasks.label)
        note_early(facts, block, rows.pick(early, tasks.label, tasks.ready))
        kind, ended = block.kind, _ENDED[block.kind]
        well = kind == Kind.CALL_SUCCEEDED
        facts.series["call_success"] = _flagged(block, ended, well)
        facts.series["calls"] = _flagged(block, kind == Kind.CALL_STARTED, kind == Kind.CALL_STARTED)
        facts.series["timeouts"] = _flagged(block, ended, (kind == Kind.CALL_FAILED) & self._timed_out(block))
        facts.series["rejections"] = _flagged(block, _TRIED[kind], kind == Kind.CALL_REJECTED)
        facts.series["first_call"] = _flagged(block, _TRIED[kind] & (block.attempt == 1), well)
        degraded = kind == Kind.TASK_DEGRADED
        facts.series["degraded_tasks"] = _flagged(block, degraded | _CLOSED[kind], degraded)
        opened = kind == Kind.CIRCUIT_OPENED
        facts.series["circuit_openings"] = _flagged(block, opened | ended, opened)
        lost = kind == Kind.UPDATE_LOST
        facts.series["lost_updates"] = _flagged(block, lost | well, lost)
        facts.series["heal_time"] = self._spans(block, Kind.PROCESS_EXITED, Kind.PROCESS_STARTED)
        facts.series["rollback_time"] = self._spans(block, Kind.RELEASE_DEPLOYED, Kind.RELEASE_ROLLED_BACK)
        facts.series["recovery_time"] = self._follow_tasks(block, facts)
        note_calls(facts, block, self._vocabulary, self._timed_out(block))

    def laws(self, lifecycle: Lifecycle, *, complete: bool) -> Iterator[Law]:
        """A task that is DONE was answered."""
        yield Law(
            "answers",
            "no task is DONE without a successful call",
            float(self.unanswered),
            f"{self.unanswered} tasks DONE without a successful call" if self.unanswered else "",
        )

    def still_open(self, sli: Sli, lifecycle: Lifecycle, labels: frozenset[int] | None) -> tuple[int, str] | None:
        """Spans of a series that have begun and not ended."""
        if sli.series not in SPANS:
            return None
        return sum(begin == _BEGINS[sli.series] for begin, _ in self._since), SPANS[sli.series]

    def gain(self) -> Gain | None:
        """What the policies gained; None before any task has ended."""
        return gain_of(self.paired, of_paired(self._before, self._after, self._schedule))

    def _timed_out(self, block: Block) -> Bools:
        slow = np.array([cause.error == "timeout" for cause in self._vocabulary.causes])
        flags: Bools = slow[block.cause]
        return flags

    def _spans(self, block: Block, starts: Kind, ends: Kind) -> Samples:
        """The time from each start to the end that follows: of processes by their name; of releases by their cause, and none
        of one that is over.
        """
        times, lengths = [], []
        over = Kind.FAULT_CLEARED if starts is Kind.RELEASE_DEPLOYED else ends
        for place in np.flatnonzero(np.isin(block.kind, [starts, ends, over])).tolist():
            t_s, kind = float(block.t[place]), int(block.kind[place])
            key = (int(starts), int(block.cause[place] if over is not ends else block.value[place]))
            if kind == starts:
                self._since.setdefault(key, t_s)
            elif key in self._since:
                since = self._since.pop(key)
                if kind == ends:
                    times.append(t_s)
                    lengths.append(t_s - since)
        return Samples(np.array(times), quantise(np.array(lengths)))

    def _follow_tasks(self, block: Block, facts: Facts) -> Samples:
        """Note what becomes of tasks; returns how long those that recovered took for it."""
        times, recovered, unanswered = [], [], []
        ended: list[tuple[float, bool, bool]] = []
        places = np.flatnonzero(_TRIED[block.kind] | _CLOSED[block.kind])
        columns = (block.kind[places].tolist(), block.task[places].tolist(), block.attempt[places].tolist())
        for place, t_s, kind, number, attempt in zip(places.tolist(), block.t[places].tolist(), *columns, strict=True):
            if kind == Kind.CALL_SUCCEEDED:
                self._answered.add(number)
                if attempt == 1:
                    self._first_well.add(number)
            elif _FAILED[kind]:
                self._first_failed.setdefault(number, t_s)
            else:
                done = kind == Kind.TASK_DONE
                if done and number in self._first_failed:
                    times.append(t_s)
                    recovered.append(t_s - self._first_failed[number])
                ended.append((t_s, number in self._first_well, done))
                if done and number not in self._answered:
                    unanswered.append(place)
                self._close(number, done=done)
        self.unanswered += len(unanswered)
        note(facts, law("answers"), block, np.array(unanswered, dtype=np.int64), cause="DONE without an answer")
        if ended:
            t, before, after = np.array(ended, dtype=np.float64).T
            self._before.observe(Samples(t, before))
            self._after.observe(Samples(t, after))
        return Samples(np.array(times), quantise(np.array(recovered)))

    def _close(self, number: int, *, done: bool) -> None:
        first_well = number in self._first_well
        if done:
            self.paired.both_well += first_well
            self.paired.rescued += not first_well
        else:
            self.paired.spoilt += first_well
            self.paired.both_failed += not first_well
        self._first_failed.pop(number, None)
        self._first_well.discard(number)
        self._answered.discard(number)


def _flagged(block: Block, chosen: Bools, flags: Bools) -> Samples:
    """A series of the chosen events: 1 where the flag is set."""
    values: Floats = flags[chosen].astype(np.float64)
    return Samples(block.t[chosen], values)
