"""Going on with a system whose runner was gone: what it knows already, and clocks that stood still."""

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from runner.targets.contract import Change, ChangeType
from runner.targets.course import Course
from runner.targets.history import History
from runner.targets.owning.follower import KINDS, Follower
from runner.targets.submitter import Submission
from schemas.errors import UsageError
from schemas.events import COPY, KEY_SHIFT, Kind
from schemas.vocabulary import NO_CAUSE

_NOTED = tuple(str(each) for each in ChangeType)
"""The records of the system's log that the stream has an event for."""

_ORIGIN = "clock"
"""The file beside the database that says when the scenario's time 0 was, in seconds since the epoch."""

_CLOSING = frozenset({"done", "failed", "blocked", "cancelled"})


class Continuation:
    """What the database of the system tells; without a `history` there is nothing to tell.

    Raises UsageError for a database that cannot be read, or is of another run.
    """

    def __init__(self, database: Path, history: History | None) -> None:
        self.history = history or History()
        self._database = database
        self._gap_s = 0.0
        self.last_event = 0
        """The last record of the system's log that the stream knows of."""
        self._untold = 0
        """How many records there are after that."""
        self.tasks: dict[int, int] = {}
        """The task numbers, by the system's ids, of tasks that the stream does not know to be closed."""
        self.done: set[tuple[int, int]] = set()
        """Task number and attempt of what was done without the stream knowing of it."""
        self._submitted: Counter[str] = Counter()
        if history:
            try:
                self._read(database)
            except (sqlite3.Error, ValueError) as error:
                raise UsageError(f"{database}: cannot be read: {error} (restore it, or run it again)") from None

    def _read(self, database: Path) -> None:
        told: Counter[Kind] = Counter()
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            marks = ", ".join("?" * len(_NOTED))
            query = f"SELECT id, type, task_id, key, attempt FROM events WHERE type IN ({marks}) ORDER BY id"
            for place, (event_id, kind, task_id, key, attempt) in enumerate(connection.execute(query, _NOTED), 1):
                if place <= self.history.told.total():
                    self.last_event = event_id
                    told[KINDS[ChangeType(kind)]] += 1
                    if kind in _CLOSING:
                        self.tasks.pop(task_id, None)
                else:
                    self._untold += 1
                    if kind == "done" and task_id in self.tasks:
                        self.done.add((self.tasks[task_id], attempt))
                if kind in {"enqueued", "skipped"}:
                    if kind == "enqueued":
                        self.tasks[task_id] = int(key) << KEY_SHIFT | (COPY if self._submitted[key] else 0)
                    self._submitted[key] += 1
        if told != self.history.told:
            what = "is not the database of this run: its log tells other things than the event stream"
            raise UsageError(f"{database}: {what} (restore the one it was made with)")

    def let_clocks_stand_still(self, started_at: float) -> None:
        """Let the system's clocks stand still as the scenario's did: that began at `started_at`, seconds since the epoch.

        Nothing of the system may move yet.
        """
        origin = self._database.with_name(_ORIGIN)
        if origin.exists():
            self._gap_s = started_at - float(origin.read_text(encoding="utf-8"))
        origin.write_text(repr(started_at), encoding="utf-8")
        if not self._gap_s:
            return
        with closing(sqlite3.connect(self._database, isolation_level=None)) as connection:
            connection.execute(
                "UPDATE tasks SET retry_not_before = retry_not_before + ?, lease_until = lease_until + ?"
                " WHERE state IN ('PENDING', 'IN_PROGRESS')",
                (self._gap_s, self._gap_s),
            )

    def moved(self, changes: list[Change]) -> list[Change]:
        """Changes in today's time: what was written before the runner was gone went by a clock that then stood still."""
        gap_s, behind = self._gap_s, min(self._untold, len(changes))
        self._untold -= behind
        return [
            replace(each, at=each.at + gap_s, due=each.due + gap_s if each.due else 0.0) for each in changes[:behind]
        ] + changes[behind:]

    def knew(self, work: Submission, course: Course, follower: Follower) -> bool:
        """Whether the system was given this submission; to be asked for each, in the order of the plan.

        The stream may not know of it yet; then it is told now.
        """
        key = str(work.number >> KEY_SHIFT)
        if not self._submitted[key]:
            return False
        self._submitted[key] -= 1
        if work.number not in self.history.submitted:
            follower.expect(work)
        if work.cause and work.number not in self.history.duplicated:
            course.note(self.history.until_s, Kind.TASK_DUPLICATE, number=work.number, cause=work.cause)
        return True

    def close_the_ledger(self, course: Course) -> None:
        """What ran when the runner was gone did not outlive it."""
        past, gone = self.history, course.plan.vocabulary.cause("", "runner_gone")
        for key, each in past.running.items():
            course.note(
                past.until_s,
                Kind.EXECUTION_ENDED,
                number=each.number,
                attempt=each.attempt,
                worker=each.worker,
                cause=NO_CAUSE if key in self.done else gone,
                value=past.until_s - each.started_s,
            )
