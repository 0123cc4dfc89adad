"""The state at an abort: affected tasks and the last events, read from the event stream."""

from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from soak.reports.data import RunData
from soak.reports.events import LONGEST_EVENT, Event, Happened, read_events
from soak.reports.room import ask, room_of
from soak.reports.texts import brief
from soak.schemas.stream.storage import stream_file

MOST_TASKS, MOST_EVENTS, MOST_LABELS = 20, 30, 100
WINDOW_S = 1_800.0
"""How far back to look for failures if the abort condition has no window."""

_STATES = {
    "task.enqueued": "PENDING",
    "task.dispatched": "IN_PROGRESS",
    "task.retry": "PENDING",
    "task.done": "DONE",
    "task.failed": "FAILED",
    "task.blocked": "BLOCKED",
    "task.cancelled": "CANCELLED",
    "task.lost": "LOST",
}
_OPEN = {"PENDING", "IN_PROGRESS"}
_TOLD = ("task.", "fault.", "alert.", "process.", "run.")
_ORDINARY = {"task.enqueued", "task.dispatched", "task.done"}


class Affected(Struct, frozen=True):
    """A task affected by the incident; `id` is the system's id, or the key if that is unknown."""

    id: str
    key: str
    tenant: str
    kind: str
    state: str
    since_s: float


class Aftermath(Struct, frozen=True):
    """The extent of an abort: tasks that are open or recently FAILED, BLOCKED or LOST (the first MOST_TASKS); counts of all."""

    tasks: list[Affected]
    counts: dict[str, int]
    tenants: dict[str, int]
    kinds: dict[str, int]
    active_faults: list[str]
    timeline: list[Happened]

    def one(self, *states: str) -> str:
        """The id of a task in one of these states; empty if there is none."""
        return next((task.id for state in states for task in self.tasks if task.state == state), "")


def read_aftermath(run: RunData, directory: Path, held_at_s: float, window_s: float | None) -> Aftermath:
    """Read it from the stream in `directory`. Raises EvidenceError."""
    since_s = held_at_s - (window_s or WINDOW_S)
    last: dict[str, Event] = {}
    keys: dict[str, tuple[str, str, str]] = {}
    timeline: deque[_Row] = deque(maxlen=MOST_EVENTS)
    system = run.scenario.system
    room = room_of(system)
    frequent = ("task.", *room.events)
    for event in read_events(stream_file(directory, run.scenario.name)):
        if event.type == "task.enqueued":
            keys[event.task] = event.key, event.tenant, event.kind
        if event.type in _STATES:
            last[event.task] = event
        if event.type.startswith((*_TOLD, *frequent)) and event.type not in _ORDINARY:
            words = event.words if room.event_words is None else ask(system, "its words", room.event_words, run, event)
            _note(timeline, event, brief(words, LONGEST_EVENT), frequent)
    affected = [event for event in last.values() if _concerned(event, since_s)]
    ids = ask(system, "its ids of tasks", room.ids, directory)
    tasks = []
    for event in affected:
        key, tenant, kind = keys.get(event.task, (event.key, event.tenant, event.kind))
        name, key, tenant, kind = (brief(each, LONGEST_EVENT) for each in (ids.get(key, key), key, tenant, kind))
        tasks.append(Affected(name, key, tenant, kind, _STATES[event.type], event.t))
    active = [
        fault.name
        for fault in run.scenario.faults
        if not fault.windows or any(window.start_s <= held_at_s < window.end_s for window in fault.windows)
    ]
    return Aftermath(
        tasks=tasks[:MOST_TASKS],
        counts=dict(Counter(task.state for task in tasks)),
        tenants=_most(Counter(task.tenant for task in tasks if task.tenant)),
        kinds=_most(Counter(task.kind for task in tasks if task.kind)),
        active_faults=active,
        timeline=[Happened(row.t_s, row.words) for row in timeline],
    )


def _most(counts: Counter[str]) -> dict[str, int]:
    """Those that are most affected, and how many the others are together."""
    if len(counts) <= MOST_LABELS:
        return dict(counts)
    most = dict(counts.most_common(MOST_TASKS))
    return most | {f"{len(counts) - MOST_TASKS:,} more": counts.total() - sum(most.values())}


@dataclass(slots=True)
class _Row:
    """A line of the timeline; `before`: number of omitted events of the same kind before it."""

    t_s: float
    kind: str
    what: str
    before: int = 0

    @property
    def words(self) -> str:
        return f"{self.what} (and {self.before:,} more before it)" if self.before else self.what


def _note(timeline: deque[_Row], event: Event, words: str, frequent: tuple[str, ...]) -> None:
    """Add an event; of a long run of one kind only the first and the last are kept, so that their cause stays visible."""
    row = _Row(event.t, event.type, words)
    if len(timeline) > 1 and timeline[-1].kind == timeline[-2].kind == row.kind and row.kind.startswith(frequent):
        row.before = timeline.pop().before + 1
    timeline.append(row)


def _concerned(event: Event, since_s: float) -> bool:
    state = _STATES[event.type]
    return state in _OPEN or (state in {"FAILED", "BLOCKED", "LOST"} and event.t >= since_s)
