"""The attempts of the tasks that took longest: what a trace of a slow task shows."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from soak.runner.judge.attribution_windows import INJECTED
from soak.runner.judge.lifecycle import MOST_SLOWEST
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import flags_by_kind, kind_flags
from soak.schemas.stream.events import COPY, KEY_SHIFT, SPECS, Kind, task_name
from soak.schemas.stream.vocabulary import Vocabulary

MOST_OPEN = 50_000
"""Tasks followed at once; each takes about a kilobyte. Those that come when there are more are not followed."""
MOST_EVENTS = 200
"""Events kept of a task."""

_FOLLOWED = flags_by_kind(lambda kind, spec: "task" in spec.columns.split())
_INJECTED = kind_flags(*INJECTED)
_OVER = frozenset({Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_BLOCKED, Kind.TASK_CANCELLED})
_NO_ATTEMPT = frozenset({Kind.LEASE_CONTENDED})
"""Events that name the attempt to come."""


class TaskEvent(Struct, frozen=True):
    """An event of a task, at `t_s` of scenario time."""

    t_s: float
    type: str
    attempt: int
    worker: int
    fault: str
    error: str


@dataclass(slots=True)
class TaskStory:
    """What happened to a task. `due_s`: when it was to arrive; `ended_s`: when it was DONE or had otherwise come to an end."""

    number: int
    due_s: float
    events: list[TaskEvent] = field(default_factory=list)
    ended_s: float | None = None

    @property
    def attempts(self) -> Iterator[tuple[int, list[TaskEvent]]]:
        """The events of each attempt, by its number."""
        for number in sorted({each.attempt for each in self.events if each.attempt > 0}):
            yield number, [each for each in self.events if each.attempt == number]


def task_number(name: str) -> int:
    """The number of a task, from its name in the stream."""
    key, _, copy = name.partition(".")
    return (int(key) << KEY_SHIFT) | (COPY if copy else 0)


class Stories:
    """Follows the tasks of a run and keeps the stories of those that took longest.

    only: the tasks that are followed, where they are known before; otherwise all, as long as they are open.
    """

    def __init__(self, vocabulary: Vocabulary, only: Sequence[str] | None = None) -> None:
        self._vocabulary = vocabulary
        self._only = None if only is None else np.array(sorted(map(task_number, only)), dtype=np.int64)
        self._open: dict[int, TaskStory] = {}
        self._longest: list[tuple[float, int, TaskStory]] = []
        self.struck: dict[str, tuple[float, float, int]] = {}
        """Of each fault, when it was first and last injected, and how often."""

    def append(self, block: Block) -> None:
        """Take in a block."""
        self._note_faults(block)
        wanted = _FOLLOWED[block.kind]
        if self._only is not None:
            wanted &= np.isin(block.task, self._only)
        rows = block.take(wanted)
        columns = (rows.t, rows.kind, rows.task, rows.attempt, rows.worker, rows.cause, rows.value)
        for t_s, kind, task, attempt, worker, cause, value in zip(*(each.tolist() for each in columns), strict=True):
            self._note(t_s, kind, task, attempt, worker, cause, value)

    def _note(self, t_s: float, kind: int, task: int, attempt: int, worker: int, cause: int, value: float) -> None:
        story = self._open.get(task)
        if story is None:
            if kind != Kind.TASK_ENQUEUED or len(self._open) >= MOST_OPEN:
                return
            story = self._open[task] = TaskStory(task, value if value == value else t_s)
        if len(story.events) < MOST_EVENTS:
            why = self._vocabulary.causes[cause]
            number = 0 if kind in _NO_ATTEMPT else attempt
            story.events.append(TaskEvent(t_s, SPECS[Kind(kind)].type, number, worker, why.fault, why.error))
        if kind in _OVER:
            story.ended_s = t_s
            del self._open[task]
            self._keep(story, t_s - story.due_s)

    def _keep(self, story: TaskStory, latency_s: float) -> None:
        # Twice as many as the verdict names: it counts those only that were DONE or FAILED.
        push = heapq.heappush if len(self._longest) < 2 * MOST_SLOWEST else heapq.heappushpop
        push(self._longest, (latency_s, -story.number, story))

    def _note_faults(self, block: Block) -> None:
        rows = block.take(_INJECTED[block.kind])
        for t_s, cause in zip(rows.t.tolist(), rows.cause.tolist(), strict=True):
            name = self._vocabulary.causes[cause].fault
            first_s, _, count = self.struck.get(name, (t_s, t_s, 0))
            self.struck[name] = (first_s, t_s, count + 1)

    def named(self, names: Sequence[str]) -> list[TaskStory]:
        """The stories of these tasks, as far as they are known."""
        by_name = {task_name(story.number): story for _, _, story in self._longest}
        return [by_name[name] for name in names if name in by_name]
