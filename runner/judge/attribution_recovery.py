"""When the system was back after each window of a fault, by the events of tasks.

It is back at the first instant after the end of the fault at which no task that met it is open, no attempt in progress at its end
still is, a task has been DONE since, and no more tasks are open than at most at once in the five minutes before. Of
these the time up to the recovery from another fault does not count: the level of that one does. Events are looked at one by one
near windows only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from soak.runner.judge.attribution_windows import INJECTED
from soak.runner.judge.room import Recovered
from soak.runner.judge.rows import NEW_STATES
from soak.runner.judge.table import SETTLED
from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.stream.block import Block, Ints, tick
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary

LOOK_BACK_S = 300.0
"""How long before a window the level is looked at to which the system has to return."""

_INJECTED = frozenset(int(kind) for kind in INJECTED)
_DISPATCHED, _DONE, _LOST = int(Kind.TASK_DISPATCHED), int(Kind.TASK_DONE), int(Kind.SAMPLE_LOST)
_STEP = 128
_CLOSES = [bool(state and SETTLED[state]) for state in NEW_STATES.tolist()]
_STATE = (NEW_STATES > TaskState.NONE).tolist()


@dataclass(slots=True, eq=False)
class FollowedWindow:
    """A window of a fault, followed from before it to the recovery. Times in seconds."""

    fault: Fault
    start_s: float
    end_s: float
    level: int | None = None
    """The most tasks open at once before; None where there had been none in the run."""
    injected: bool = False
    ended_s: float | None = None
    done: bool = False
    """Whether a task was DONE since the fault ended."""
    struck: set[int] = field(default_factory=set)
    under_way: set[int] = field(default_factory=set)
    lost_s: float = math.inf
    """When events were lost for the first time while it was followed."""
    recovered_s: float | None = None

    @property
    def blind(self) -> bool:
        """Events were lost before the recovery could be seen. A tracker may tell of it when they have been lost since."""
        return self.lost_s < (math.inf if self.recovered_s is None else self.recovered_s)


class Recoveries:
    """Follows the windows of all faults of a scenario."""

    def __init__(self, faults: tuple[Fault, ...], vocabulary: Vocabulary) -> None:
        self.of: Mapping[str, list[FollowedWindow]] = {
            fault.name: [FollowedWindow(fault, tick(window.start_s), tick(window.end_s)) for window in fault.windows]
            for fault in faults
            if fault.windows
        }
        """The windows of each fault, by its name."""
        courses = sorted((each for own in self.of.values() for each in own), key=lambda course: course.start_s)
        self._waiting = courses[::-1]
        self._before: list[FollowedWindow] = []
        self._active: list[FollowedWindow] = []
        self._last: dict[str, FollowedWindow] = {}
        """Of each fault the last window that has begun."""
        self._vocabulary = vocabulary
        self.open: set[int] = set()
        """The tasks that are open, as far as is known."""
        self._running: set[int] = set()
        self._seen = False
        """Whether any task was ever open."""
        self._now = -1.0
        ends = {kind for fault in faults for kind in fault.spec.ended_by}
        self._followed = kind_flags(*INJECTED, Kind.SAMPLE_LOST, *ends) | (NEW_STATES > TaskState.NONE)

    def observe(self, block: Block) -> None:
        """Process a block."""
        if not self.of:
            return
        rows = np.flatnonzero(self._followed[block.kind] | ((block.cause > 0) & (block.task >= 0)))
        t, kind, task, cause = block.t[rows], block.kind[rows], block.task[rows], block.cause[rows]
        faults = [each.fault for each in self._vocabulary.causes]
        place, lost = 0, np.flatnonzero(kind == _LOST)
        while place < len(rows):
            if not self._active:
                later = int(np.searchsorted(t, self._next_s(), side="left"))
                if self._before and len(lost):
                    later = min(later, int(np.append(lost, later)[np.searchsorted(lost, place)]))
                if later > place:
                    (self._rise if self._before else self._skip)(kind[place:later], task[place:later])
                    self._now, place = float(t[later - 1]), later
                    continue
            part = slice(place, place + _STEP)
            struck_by = [faults[each] for each in cause[part].tolist()]
            place += self._walk(t[part].tolist(), kind[part].tolist(), task[part].tolist(), struck_by)

    def _next_s(self) -> float:
        """When there is something else to follow, while no window is active."""
        begins_s = self._before[0].start_s if self._before else math.inf
        return min(begins_s, self._waiting[-1].start_s - LOOK_BACK_S if self._waiting else math.inf)

    def _skip(self, kind: Ints, task: Ints) -> None:
        """Take in events far from any window: what they leave open and running."""
        if (kind == _LOST).any():
            after = int(np.flatnonzero(kind == _LOST)[-1]) + 1
            self.open, self._running = set(), set()
            kind, task = kind[after:], task[after:]
        changes = NEW_STATES[kind] > TaskState.NONE
        kind, task = kind[changes][::-1], task[changes][::-1]
        task, last = np.unique(task, return_index=True)
        kind = kind[last]
        closed = SETTLED[NEW_STATES[kind]]
        running = kind == _DISPATCHED
        self.open.difference_update(task[closed].tolist())
        self.open.update(task[~closed].tolist())
        self._seen |= bool(len(task))
        self._running.difference_update(task[~running].tolist())
        self._running.update(task[running].tolist())

    def _rise(self, kind: Ints, task: Ints) -> None:
        """Take in events before a window: the most tasks that are open at once."""
        still, running, most = self.open, self._running, 0
        for each, number in zip(kind.tolist(), task.tolist(), strict=True):
            if _STATE[each]:
                (still.discard if _CLOSES[each] else still.add)(number)
                (running.add if each == _DISPATCHED else running.discard)(number)
                most, self._seen = max(most, len(still)), True
        for course in self._before if self._seen else ():
            course.level = max(course.level or 0, most)

    def _walk(self, times: list[float], kinds: list[int], tasks: list[int], faults: list[str]) -> int:
        """Take in events one by one while a window is near; returns how many."""
        for count, (t, kind, task, fault) in enumerate(zip(times, kinds, tasks, faults, strict=True)):
            if t > self._now:
                self._pass_time(t)
            if not self._active and (count or not self._before):
                return count
            self._take(t, kind, task, fault)
        return len(times)

    def _pass_time(self, t: float) -> None:
        """From an instant that is complete to the next at which something happens."""
        if self._active:
            self._look()
        while self._waiting and self._waiting[-1].start_s - LOOK_BACK_S <= t:
            course = self._waiting.pop()
            course.level = len(self.open) if self._seen else None
            self._before.append(course)
        while self._before and self._before[0].start_s <= t:
            self._begin(self._before.pop(0))
        for course in self._active:
            if course.ended_s is None and course.end_s <= t and not course.fault.by_time:
                self._end(course, course.end_s)
        self._now = t

    def _look(self) -> None:
        """Find out what the system was back from at an instant that is complete."""
        over = []
        for course in self._active:
            if not self._lacking(course):
                course.recovered_s = self._now
                for later in self._before:
                    later.level = course.level
            if self._over(course):
                over.append(course)
        for course in over:
            self._active.remove(course)

    def _begin(self, course: FollowedWindow) -> None:
        earlier = [each for each in self._active if each.injected and not each.blind]
        course.level = earlier[0].level if earlier else course.level
        self._active.append(course)
        self._last[course.fault.name] = course

    def _end(self, course: FollowedWindow, t: float) -> None:
        course.ended_s = t
        course.under_way = set(self._running)

    def _over(self, course: FollowedWindow) -> bool:
        if course.recovered_s is not None or course.blind:
            return True
        past = (
            course.ended_s is not None and not course.under_way
            if not course.fault.by_time
            else course.end_s < self._now
        )
        return past and not course.injected

    def _take(self, t: float, kind: int, task: int, fault: str) -> None:
        if kind == _LOST:
            self._lose(t)
        if _STATE[kind] and task >= 0:
            self._move(kind, task)
        if fault:
            own = self._last.get(fault)
            if own in self._active:
                self._strike(own, t, kind, task)
        if self._before and not any(course.injected for course in self._active):
            for course in self._before if self._seen else ():
                course.level = max(course.level or 0, len(self.open))

    def _move(self, kind: int, task: int) -> None:
        self._seen = True
        (self.open.discard if _CLOSES[kind] else self.open.add)(task)
        (self._running.add if kind == _DISPATCHED else self._running.discard)(task)
        for course in self._active:
            course.under_way.discard(task)
            if _CLOSES[kind]:
                course.struck.discard(task)
            if kind == _DONE and course.ended_s is not None:
                course.done = True

    def _strike(self, course: FollowedWindow, t: float, kind: int, task: int) -> None:
        course.injected |= kind in _INJECTED
        if not course.injected:
            return
        if kind in course.fault.spec.ended_by and course.ended_s is None:
            self._end(course, t)
        if task in self.open:
            course.struck.add(task)

    def _lose(self, t: float) -> None:
        """Events were lost: what is open is not known any more."""
        self.open, self._running = set(), set()
        for course in (*self._before, *self._active):
            course.lost_s = min(course.lost_s, t)

    def _lacking(self, course: FollowedWindow) -> str:
        """What is still missing for the system to be back; empty: nothing."""
        if course.blind or not course.injected:
            return "events were lost" if course.blind else "not injected"
        if course.ended_s is None:
            return "the fault had not ended"
        if course.struck:
            return f"{len(course.struck)} tasks that met it were open"
        if course.under_way:
            return f"{len(course.under_way)} attempts had been in progress since its end"
        if course.level is None:
            return "there was no task before it, to compare with"
        if not course.done:
            return "no task was DONE since"
        if len(self.open) > course.level:
            return f"{len(self.open)} tasks were open, before it at most {course.level}"
        return ""

    def told(self, found: Recovered) -> None:
        """The tracker of the system says when it had recovered."""
        own = [each for each in self.of.get(found.fault, ()) if each.start_s <= found.injected_s]
        if own and own[-1].recovered_s is None:
            own[-1].recovered_s = found.t_s

    def result(self, course: FollowedWindow) -> tuple[float | None, str]:
        """When the system was back, in a run that ends here; or why that cannot be said."""
        if course.recovered_s is not None:
            return course.recovered_s, ""
        if course.fault.type == TELEMETRY_LOSS:
            return None, ""
        lacking = self._lacking(course)
        return (None, lacking) if lacking else (self._now, "")
