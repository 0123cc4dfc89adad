"""Resuming a system whose runner died: its existing state, and its stopped clocks."""

import sqlite3
import time
from collections import Counter, deque
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from soak.contract import Change, ChangeType
from soak.runner.targets.context import RunContext
from soak.runner.targets.history import History, Running
from soak.runner.targets.queue.orchestrator import eras, pulse
from soak.runner.targets.queue.system_adapter.change_reader import KINDS, ChangeReader
from soak.runner.targets.submitter import Submission
from soak.schemas.errors import UsageError
from soak.schemas.stream.events import COPY, KEY_SHIFT, Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.simulation.plan import Plan
from soak.simulation.queue.actions import BODY_FAILS, Action
from soak.systems.orchestrator.outcomes import LEASE_ERROR

_NOTED = tuple(str(each) for each in ChangeType)
"""The records of the system's log that the stream has an event for."""

_CLOSING = frozenset({"done", "failed", "blocked", "cancelled"})
_ENDING = frozenset({"done", "failed", "blocked", "retry", "refused"})
"""The records that a worker makes when an attempt has ended; those of the watchdog say so by their error."""


class _Record(NamedTuple):
    id: int
    type: str
    task_id: int
    key: str
    attempt: int
    at: float
    error: str


class _Attempt(NamedTuple):
    """An attempt of a task, by its number."""

    number: int
    attempt: int


class Continuation:
    """The state in the database of the system; empty without a `history`.

    Raises UsageError for a database that cannot be read, or is of another run.
    """

    def __init__(self, database: Path, history: History | None, speed: float) -> None:
        self.history = history or History()
        self.from_s = 0.0
        """When the scenario's clock stopped, and resumes: until then the system ran unobserved."""
        self.last_event = 0
        """The last record of the system's log that the stream knows of."""
        self.tasks: dict[int, int] = {}
        """The task numbers, by the system's ids, of tasks that the stream does not know to be closed."""
        self._database = database
        self._speed = speed
        self._eras: list[eras.Era] = []
        self._origins: deque[float] = deque()
        """By which clock each record went that the stream does not know of."""
        self._began_s: dict[_Attempt, float] = {}
        self._ended: dict[_Attempt, tuple[float, str]] = {}
        """When an attempt ended without the stream knowing of it, and with which error."""
        self._submitted: Counter[str] = Counter()
        self._started_at = 0.0
        if history:
            try:
                self._read(database)
            except (sqlite3.Error, ValueError) as error:
                raise UsageError(f"{database}: cannot be read: {error} (restore it, or run it again)") from None

    def _read(self, database: Path) -> None:
        self._eras = eras.read_eras(database.with_name(eras.FILE))
        recorded: Counter[Kind] = Counter()
        known, last = self.history.recorded.total(), None
        for place, record in enumerate(_records(database), 1):
            if place <= known:
                self.last_event = record.id
                recorded[KINDS[ChangeType(record.type)]] += 1
                if record.type in _CLOSING:
                    self.tasks.pop(record.task_id, None)
            elif self._eras:
                self._note_unrecorded(record)
            self._note_submission(record)
            last = record
        if recorded != self.history.recorded:
            what = "is not the database of this run: its log contradicts the event stream"
            raise UsageError(f"{database}: {what} (restore the one it was made with)")
        if last and not self._eras:
            clock = database.with_name(eras.FILE)
            raise UsageError(
                f"{clock}: is missing (without it the times in {database.name} cannot be read: restore it)"
            )
        self._tell_gap(self._time_of(last) if last else 0.0)

    def _tell_gap(self, last_s: float) -> None:
        """Until when the runner and its system lived, by their last recorded activity."""
        history, beat_s = self.history, pulse.last_beat_s(self._database.with_name(pulse.FILE))
        beaten_s = 0.0 if beat_s is None else beat_s + pulse.EVERY_REAL_S * self._speed
        history.lived_s = self.from_s = max(history.until_s, last_s, beaten_s)
        if self._eras:
            history.pause_real_s = max(0.0, time.time() - self._eras[-1].origin - self.from_s / self._speed)

    def _note_submission(self, record: _Record) -> None:
        if record.type in {"enqueued", "skipped"}:
            if record.type == "enqueued":
                copy = COPY if self._submitted[record.key] else 0
                self.tasks[record.task_id] = int(record.key) << KEY_SHIFT | copy
            self._submitted[record.key] += 1

    def _note_unrecorded(self, record: _Record) -> None:
        self._origins.append(eras.origin_of(self._eras, record.id))
        number = self.tasks.get(record.task_id)
        if number is None:
            return
        attempt = _Attempt(number, record.attempt)
        if record.type == "dispatched":
            self._began_s[attempt] = self._time_of(record)
        elif record.type in _ENDING and record.error != LEASE_ERROR:
            self._ended[attempt] = self._time_of(record), record.error

    def _time_of(self, record: _Record) -> float:
        return (record.at - eras.origin_of(self._eras, record.id)) * self._speed

    def let_clocks_stand_still(self, started_at: float) -> None:
        """Stop the system's clocks as the scenario's was stopped: that began at `started_at`, seconds since the epoch.

        Nothing of the system may move yet.
        """
        self._started_at = started_at
        eras.begin_era(self._database, self._eras, started_at)

    def moved(self, changes: list[Change]) -> list[Change]:
        """Changes in present time: records from before the runner died used a clock that was then stopped."""
        behind = min(len(self._origins), len(changes))
        gaps_s = [self._started_at - self._origins.popleft() for _ in range(behind)]
        return [
            replace(each, at=each.at + gap_s, due=each.due + gap_s if each.due else 0.0)
            for each, gap_s in zip(changes, gaps_s, strict=False)
        ] + changes[behind:]

    def knew(self, work: Submission, context: RunContext, change_reader: ChangeReader) -> bool:
        """Whether the system was given this submission; to be asked for each, in the order of the plan.

        If the stream does not have it yet, it is recorded now.
        """
        key, history = str(work.number >> KEY_SHIFT), self.history
        if not self._submitted[key]:
            if history.until_s < work.due_s <= self.from_s and not work.cause:
                # It was due while the runner still lived, or a beat of its pulse later, and the system has no record of it.
                context.note(work.due_s, Kind.TASK_DEFERRED, number=work.number, value=work.due_s)
                history.offered.add(work.number)
            return False
        self._submitted[key] -= 1
        if work.number not in history.submitted:
            change_reader.expect(work)
        if work.cause and work.number not in history.offered:
            context.note(max(work.due_s, history.until_s), Kind.TASK_DUPLICATE, number=work.number, cause=work.cause)
        return True

    def close_the_ledger(self, context: RunContext) -> None:
        """Executions running when the runner was last seen have ended, as in the system's log, or when the runner died."""
        gone = context.plan.vocabulary.cause("", "runner_gone")
        for key, each in self.history.running.items():
            ended_s, _ = self._ended.get(_Attempt(*key), (None, ""))
            t_s = self.from_s if ended_s is None else max(ended_s, self.history.until_s)
            context.note(
                t_s,
                Kind.EXECUTION_ENDED,
                number=each.number,
                attempt=each.attempt,
                worker=each.worker,
                cause=gone if ended_s is None else _cause_of_end(context.plan, each),
                value=t_s - each.started_s,
            )

    def restore_blame(self, plan: Plan, change_reader: ChangeReader) -> None:
        """Which faults the attempts met whose end the stream does not know of: those it saw, and those the plan has for an
        attempt that failed with the very error of its fault."""
        for (number, attempt), cause in self.history.injected.items():
            change_reader.blame.setdefault(number, {})[attempt] = cause
        for each, (_, error) in self._ended.items():
            if error and (began_s := self._began_s.get(each)) is not None:
                cause = plan.fate(each.number, each.attempt, began_s)[1]
                if cause and plan.vocabulary.causes[cause].error == error:
                    change_reader.blame.setdefault(each.number, {}).setdefault(each.attempt, cause)


def _records(database: Path) -> list[_Record]:
    marks = ", ".join("?" * len(_NOTED))
    query = f"SELECT id, type, task_id, key, attempt, at, error FROM events WHERE type IN ({marks}) ORDER BY id"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        return [_Record(*row) for row in connection.execute(query, _NOTED)]


def _cause_of_end(plan: Plan, running: Running) -> int:
    """The fault that ended the body of an execution; NO_CAUSE if it succeeded."""
    cause = plan.fate(running.number, running.attempt, running.started_s)[1]
    return cause if Action(plan.action[cause]) in BODY_FAILS else NO_CAUSE
