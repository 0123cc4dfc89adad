"""The system's own account of itself: its event table, read as it grows and told in the runner's words."""

from collections import deque
from dataclasses import replace

from runner.targets.clock import Clock
from runner.targets.journal import Journal
from runner.targets.orchestrator.continuation import Continuation
from runner.targets.orchestrator.names import duplicate_of, worker_index
from schemas.events import NO_CAUSE, Kind, Vocabulary
from systems.orchestrator.db_store import Store
from systems.orchestrator.model import Event

AT_ONCE = 5_000
REMEMBERED = 2_000
_KINDS = {
    "dispatched": Kind.TASK_DISPATCHED,
    "retry": Kind.TASK_RETRY,
    "done": Kind.TASK_DONE,
    "failed": Kind.TASK_FAILED,
    "blocked": Kind.TASK_BLOCKED,
    "cancelled": Kind.TASK_CANCELLED,
    "expired": Kind.LEASE_EXPIRED,
    "refused": Kind.LEASE_REFUSED,
}
_CLOSING = frozenset({"done", "failed", "blocked", "cancelled"})
_OF_A_FAILURE = frozenset({"retry", "failed", "blocked", "expired", "refused"})


class Follower:
    """Reads events after the last one read. `blame` says which fault an attempt met, by task number and attempt."""

    def __init__(self, store: Store, journal: Journal, clock: Clock, vocabulary: Vocabulary) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._vocabulary = vocabulary
        self._last = 0
        self._told_s = 0.0
        self._behind = 0, 0.0
        self._numbers: dict[int, int] = {}
        self.open_tasks = 0
        """Tasks taken in and not yet closed, by the system's account."""
        self._closed: deque[tuple[int, int]] = deque()
        self.blame: dict[int, dict[int, int]] = {}
        self.submitted: dict[int, tuple[float, int]] = {}
        """By task number: when it was due, and the cause of a duplicate."""

    def go_on(self, continuation: Continuation) -> None:
        """Take up the log where the stream broke off."""
        self._last = continuation.last_event
        self._behind = continuation.logged, continuation.history.gap_real_s
        self._told_s = continuation.history.until_s
        for task_id, number in continuation.tasks.items():
            self.accepted(task_id, number)

    def accepted(self, task_id: int, number: int) -> None:
        """The system gave a task this id."""
        self._numbers[task_id] = number
        self.open_tasks += 1

    def read(self) -> None:
        """Note everything that is new."""
        while events := self._store.events_after(self._last, AT_ONCE):
            for event in events:
                self._last = event.id
                # The table is in the order of commits; the clock may stray by less than a transaction takes.
                current = self._moved(event)
                self._told_s = max(self._told_s, self._clock.scenario(current.at))
                self._tell(current, self._told_s)
            if len(events) < AT_ONCE:
                return

    def _moved(self, event: Event) -> Event:
        """The event in today's time: what was written before the runner was gone went by a clock that then stood still."""
        logged, gap_s = self._behind
        if event.id > logged:
            return event
        return replace(event, at=event.at + gap_s, due=event.due + gap_s if event.due else None)

    def _tell(self, event: Event, t_s: float) -> None:
        if event.type == "skipped":
            number = duplicate_of(event.key)
            _, cause = self.submitted.pop(number, (0.0, NO_CAUSE))
            self._journal.note(t_s, Kind.TASK_SKIPPED, number=number, cause=cause)
            return
        number = self._numbers.get(event.task_id or -1, -1)
        if number < 0:
            return
        if event.type == "enqueued":
            due_s, cause = self.submitted.pop(number, (t_s, NO_CAUSE))
            self._journal.note(t_s, Kind.TASK_ENQUEUED, number=number, cause=cause, value=due_s)
        elif event.type == "contended":
            self._journal.note(t_s, Kind.LEASE_CONTENDED, number=number, attempt=event.attempt, value=1)
        elif event.type in _KINDS:
            self._attempt(event, number, t_s)

    def _attempt(self, event: Event, number: int, t_s: float) -> None:
        cause = self._cause(event, number) if event.type in _OF_A_FAILURE else NO_CAUSE
        due_s = self._clock.scenario(event.due) if event.due else 0.0
        worker = worker_index(event.worker)
        self._journal.note(
            t_s, _KINDS[event.type], number=number, attempt=event.attempt, worker=worker, cause=cause, value=due_s
        )
        if event.type in _CLOSING:
            self._close(event.task_id or -1, number)

    def _close(self, task_id: int, number: int) -> None:
        """Forget a task, but not at once: a worker that lost its lease may still come back to it."""
        self.open_tasks -= 1
        self._closed.append((task_id, number))
        if len(self._closed) > REMEMBERED:
            forgotten_id, forgotten = self._closed.popleft()
            self._numbers.pop(forgotten_id, None)
            self.blame.pop(forgotten, None)

    def _cause(self, event: Event, number: int) -> int:
        known = self.blame.get(number, {}).get(event.attempt)
        return known or self._vocabulary.cause("", event.error or "lease_expired")
