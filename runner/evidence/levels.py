"""Queue depth, busy workers and the levels of a system per minute, integrated over time from the events.

Samples see single instants and can alias with periodic arrivals or polls, so their mean may be wrong: samples are used
only where events were lost. Times are whole microseconds and levels integers, so that nothing depends on block
boundaries.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from soak.runner.judge.rows import NEW_STATES
from soak.schemas.language.faults import TELEMETRY_LOSS
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.language.room import Level, Minutes
from soak.schemas.stream.block import TICKS_PER_S, Block, Bools, Floats, Ints
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.states import TaskState

MINUTE_S = 60.0
_RUNS, _RESTS = Kind.EXECUTION_STARTED, kind_flags(Kind.EXECUTION_ENDED, Kind.PROCESS_EXITED)


class PerMinute(NamedTuple):
    """Mean and maximum of a level per minute; NaN if unknown."""

    mean: Floats
    most: Floats


class Levels:
    """Follows the depth of the queue, the workers that run a task, and what else the system has; see `Minutes`."""

    def __init__(self, scenario: Scenario, step_s: float = MINUTE_S) -> None:
        """step_s: what a minute is, in seconds, a whole number of microseconds."""
        losses = [fault for fault in scenario.faults if fault.type == TELEMETRY_LOSS]
        self._losses = [window for fault in losses for window in fault.windows]
        minutes = language_of(scenario.system).minutes_of(scenario.system_settings)
        self._depth, self._busy = _Depth(minutes), _Busy(known=minutes.workers)
        self._own = [
            _Stepped(level) if level.workers is None else _Workers(level, level.workers)
            for level in minutes.levels.values()
        ]
        self._step_s = step_s
        for each in (self._depth, self._busy, *self._own):
            each.level.minute = round(step_s * TICKS_PER_S)

    def minutes(self, block: Block, first: int, count: int) -> tuple[PerMinute, PerMinute, list[PerMinute]]:
        """Depth, busy workers and the system's levels in `count` minutes from number `first` on.

        The last of these minutes goes on in the next block.
        """
        ticks = np.rint(block.t * TICKS_PER_S).astype(np.int64)
        unknown = self._unknown(first, count)
        depth, busy, *own = (
            self._followed(each, block, ticks, first, unknown) for each in (self._depth, self._busy, *self._own)
        )
        return depth, busy, own

    def end(self, until_s: float) -> None:
        """The run ends here: the current minute is cut short."""
        for each in (self._depth, self._busy, *self._own):
            each.level.ends = round(until_s * TICKS_PER_S)

    def _followed(self, what: "_Followed", block: Block, ticks: Ints, first: int, unknown: Bools) -> PerMinute:
        changes = what.changes(block)
        if self._losses and what.sampled is not None:
            changes = _anchored(block, changes, what.level.value, what.sampled, self._losses[0].start_s)
        found = what.level.minutes(ticks, changes, round(block.until_s * TICKS_PER_S), first, len(unknown))
        if self._losses and what.sampled is None:
            unknown = unknown | (first + 1 + np.arange(len(unknown)) > self._losses[0].start_s / self._step_s)
        return _blank(found, unknown | (not what.known))

    def _unknown(self, first: int, count: int) -> Bools:
        """The minutes in which events were lost."""
        starts_s = (first + np.arange(count)) * self._step_s
        lost = np.zeros(count, dtype=np.bool_)
        for window in self._losses:
            lost |= (starts_s < window.end_s) & (window.start_s < starts_s + self._step_s)
        return lost


def _blank(minutes: PerMinute, unknown: Bools) -> PerMinute:
    return PerMinute(*(np.where(unknown, np.nan, values) for values in minutes))


def _anchored(block: Block, changes: Ints, value: int, sampled: Kind, since_s: float) -> Ints:
    """The changes, corrected by each sample once events were lost."""
    result = changes.copy()
    for place in np.flatnonzero((block.kind == sampled) & (block.t > since_s)).tolist():
        result[place] += int(block.value[place]) - value - int(result[: place + 1].sum())
    return result


class _Known:
    """Whether each of many things counts, by its number."""

    def __init__(self) -> None:
        self._counts = np.zeros(64, dtype=np.int8)

    def changes(self, number: Ints, counts: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> Ints:
        """How the sum changes with each event, in time order, after which a thing counts (1) or does not (0)."""
        if not len(number):
            return np.empty(0, dtype=np.int64)
        if (most := int(number.max())) >= len(self._counts):
            self._counts = np.pad(self._counts, (0, max(most + 1 - len(self._counts), len(self._counts))))
        near = number - int(number.min())
        # Numbers of 16 bits are sorted by their digits, which takes a third of the time.
        order = np.argsort(near.astype(np.uint16) if int(near.max()) < 1 << 16 else near, kind="stable")
        key, after = number[order], counts[order]
        begins = np.concatenate([[True], key[1:] != key[:-1]])
        before = np.where(begins, self._counts[key], np.concatenate([[0], after[:-1]]))
        self._counts[key] = after
        changes = np.empty(len(number), dtype=np.int64)
        changes[order] = after.astype(np.int64) - before
        return changes


class _Level:
    """A level over time: its area and maximum in the current minute."""

    def __init__(self) -> None:
        self.value = 0
        self.minute = round(MINUTE_S * TICKS_PER_S)
        """Its length in ticks."""
        self.ends: int | None = None
        """When the run ended, in ticks."""
        self._start = self._gained = self._most = 0
        self._held: int | None = None
        """An incomplete instant: the level after it does not count yet."""

    def begin(self, value: int) -> None:
        """The level at the start of the run."""
        self.value = self._start = self._most = value

    def minutes(self, ticks: Ints, changes: Ints, until: int, first: int, count: int) -> PerMinute:
        """The minutes from number `first` on, with changes at times (ascending) up to `until`."""
        at = np.flatnonzero(changes)
        ticks, changes = ticks[at], changes[at]
        index = np.maximum(-(-ticks // self.minute) - 1, 0) - first
        ends = (first + 1 + np.arange(count)) * self.minute
        gained, moved = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
        np.add.at(gained, index, changes * (ends[index] - ticks))
        np.add.at(moved, index, changes)
        starts = np.concatenate([[self._start], self.value + np.cumsum(moved)[:-1]])
        gained[0] += self._gained
        most = self._mosts(ticks, changes, index, starts, until)
        means = self._means(starts * self.minute + gained, self.value + np.cumsum(moved), ends)
        self.value += int(changes.sum())
        self._start, self._gained, self._most = int(starts[-1]), int(gained[-1]), int(most[-1])
        return PerMinute(means, most.astype(np.float64))

    def _means(self, area: Ints, after: Ints, ends: Ints) -> Floats:
        length = np.full(len(area), self.minute)
        if self.ends is not None:
            beyond = np.clip(ends - self.ends, 0, self.minute)
            area, length = area - after * beyond, np.maximum(self.minute - beyond, 1)
        means: Floats = area / length
        return means

    def _mosts(self, ticks: Ints, changes: Ints, index: Ints, starts: Ints, until: int) -> Ints:
        """The maximum per minute, of the levels after each instant."""
        most = starts.copy()
        most[0] = self._most
        if self._held is not None and (not len(ticks) or ticks[0] > self._held):
            most[0] = max(most[0], self.value)
        levels = self.value + np.cumsum(changes)
        last = np.concatenate([ticks[1:] != ticks[:-1], [True]])[: len(ticks)]
        settled = last & (ticks < until)
        np.maximum.at(most, index[settled], levels[settled])
        if len(ticks):
            self._held = None if settled[-1] else int(ticks[-1])
        elif self._held is not None and self._held < until:
            self._held = None
        return most


class _Followed:
    """A level and the changes of it in a block. sampled: its samples; known: whether the system reports it."""

    def __init__(self, sampled: Kind | None, *, known: bool = True) -> None:
        self.level, self.sampled, self.known = _Level(), sampled, known

    def changes(self, block: Block) -> Ints:
        """By how much each event changes it."""
        raise NotImplementedError


class _Stepped(_Followed):
    """A level that events of some kinds raise and lower."""

    def __init__(self, level: Level) -> None:
        super().__init__(level.sampled)
        self._steps = _steps(level.raised, level.lowered)

    def changes(self, block: Block) -> Ints:
        return self._steps[block.kind]


class _Workers(_Followed):
    """Workers that are there: events of some kinds say of each, by its number, that it is or is not."""

    def __init__(self, level: Level, workers: int) -> None:
        super().__init__(level.sampled)
        self._steps, self._there = _steps(level.raised, level.lowered), _Known()
        self._seen = set[int]()
        self._meet(range(workers))
        self.level.begin(workers)

    def _meet(self, workers: Iterable[int]) -> None:
        """These are there."""
        self._seen.update(workers)
        numbers = np.array(list(workers), dtype=np.int64)
        self._there.changes(numbers, np.ones(len(numbers), dtype=np.int8))

    def changes(self, block: Block) -> Ints:
        told = np.flatnonzero((self._steps[block.kind] != 0) & (block.worker >= 0))
        changes = np.zeros(len(block), dtype=np.int64)
        # One that goes first was there under another number.
        first = dict(zip(block.worker[told][::-1].tolist(), block.kind[told][::-1].tolist(), strict=True))
        self._meet([worker for worker, kind in first.items() if worker not in self._seen and self._steps[kind] < 0])
        self._seen.update(first)
        there = (self._steps[block.kind[told]] > 0).astype(np.int8)
        changes[told] = self._there.changes(block.worker[told], there)
        return changes


class _Depth(_Followed):
    """Tasks that wait: in certain states, less those that events took out of the queue meanwhile."""

    def __init__(self, minutes: Minutes) -> None:
        super().__init__(Kind.SAMPLE_QUEUE_DEPTH)
        self._counts = np.array([state in minutes.waiting for state in TaskState], dtype=np.int8)
        self._waiting = _Known()
        self._steps = _steps(minutes.given_back, minutes.taken)
        self._stepped = bool(minutes.taken or minutes.given_back)

    def changes(self, block: Block) -> Ints:
        moved = np.flatnonzero((NEW_STATES[block.kind] > 0) & (block.task >= 0))
        changes = np.zeros(len(block), dtype=np.int64)
        changes[moved] = self._waiting.changes(block.task[moved], self._counts[NEW_STATES[block.kind[moved]]])
        return changes + self._steps[block.kind] if self._stepped else changes


class _Busy(_Followed):
    """Workers that run a task; known until an execution starts that names no worker."""

    def __init__(self, *, known: bool) -> None:
        super().__init__(Kind.SAMPLE_BUSY_WORKERS, known=known)
        self._running = _Known()

    def changes(self, block: Block) -> Ints:
        runs = block.kind == _RUNS
        self.known &= not (block.worker[runs] < 0).any()
        named = np.flatnonzero((runs | _RESTS[block.kind]) & (block.worker >= 0))
        changes = np.zeros(len(block), dtype=np.int64)
        changes[named] = self._running.changes(block.worker[named], runs[named].astype(np.int8))
        return changes


def _steps(up: Iterable[Kind], down: Iterable[Kind]) -> Ints:
    """By kind, by how much an event changes a level."""
    steps = np.zeros(len(Kind), dtype=np.int64)
    steps[list(up)] += 1
    steps[list(down)] -= 1
    return steps
