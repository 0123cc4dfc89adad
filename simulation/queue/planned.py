"""How many workers a queue can be expected to have over time, without running it: by its schedule, its rule, and faults at times.

A rule is followed in the fluid limit: work comes at its mean rate and a worker serves it at its mean rate, so that the queue
grows by (load - workers) / mean time held, per second (Newell, Applications of Queueing Theory, 1982, chapter 2). What arrives
at set times joins the queue at that instant; work is served in the order in which it came.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.fleet import Fleet, Scaling
from soak.schemas.systems.queue.settings import queue_of

_MOST_LOOKS = 20_000
"""A rule is followed no further than this number of looks at it."""


_HARDLY = 3.0
"""Workers beyond the load and this number of standard deviations of a Poisson number hardly ever have anything to do."""


class PlannedWorkers(Struct, frozen=True):
    """Workers over time: from each of these times on, `up` are up; `able`: as how many they work, slow ones counted less."""

    t_s: Floats
    up: Floats
    able: Floats

    def at(self, t_s: Floats) -> Floats:
        """Workers that are up at times."""
        found: Floats = self.up[np.searchsorted(self.t_s, t_s, side="right") - 1]
        return found

    def mean(self, until_s: float) -> float:
        """The mean over the time up to `until_s`."""
        return self._mean(self.up, 0.0, until_s)

    def steps(self) -> tuple[tuple[float, float], ...]:
        """From which time on there are how many, only where their number changes."""
        pairs = list(zip(self.t_s.tolist(), self.up.tolist(), strict=True))
        return tuple(pair for place, pair in enumerate(pairs) if not place or pair[1] != pairs[place - 1][1])

    def able_between(self, start_s: float, end_s: float) -> float:
        """As how many workers they work, on average between two times."""
        return self._mean(self.able, start_s, end_s)

    def _mean(self, values: Floats, start_s: float, end_s: float) -> float:
        edges = np.clip(np.append(self.t_s, math.inf), start_s, end_s)
        return float(values @ np.diff(edges)) / (end_s - start_s) if end_s > start_s else float(values[0])


class Batch(Struct, frozen=True):
    """Tasks that arrive at one instant, and the seconds that each holds a worker."""

    t_s: float
    count: float
    held_s: float


LoadAt: TypeAlias = Callable[[float], tuple[float, float]]


def planned_workers(scenario: Scenario, load_at: LoadAt, batches: Sequence[Batch] = ()) -> PlannedWorkers:
    """The workers of a scenario.

    load_at: at a time, the workers that the load by the rate takes, and the seconds a task holds one. batches: what arrives
    beside it, in order.
    """
    queue = queue_of(scenario)
    if queue.fleet.scaling:
        steps = list(_by_rule(queue.fleet.scaling, queue.workers, scenario.duration_s, load_at, batches))
    else:
        steps = [(0.0, queue.workers), *((step.at_s, step.workers) for step in queue.fleet.steps)]
    changes = [(t_s, float(after - before), float(after - before)) for (_, before), (t_s, after) in pairwise(steps)]
    changes += _away(scenario, queue.fleet)
    t_s = np.unique([0.0, *(each[0] for each in changes)])
    up, able = (np.full(len(t_s), float(queue.workers)) for _ in range(2))
    for from_s, more, more_able in changes:
        up[t_s >= from_s] += more
        able[t_s >= from_s] += more_able
    return PlannedWorkers(t_s, np.maximum(up, 0.0), np.maximum(able, 0.0))


def _away(scenario: Scenario, fleet: Fleet) -> Iterator[tuple[float, float, float]]:
    """What faults at times take away and give back: when, workers that are up, and as how many they work."""
    for fault in scenario.faults:
        strike = fleet.strikes.get(fault.name)
        if strike is None or not fault.by_time:
            continue
        for window, struck in zip(fault.windows, fault.strikes, strict=True):
            if fault.type == QueueFault.SLOW_WORKER:
                slower = struck * (1 - 1 / strike.factor)
                yield from ((window.start_s, 0.0, -slower), (window.end_s, 0.0, slower))
            elif fault.type == QueueFault.WORKER_HANG:
                yield from ((window.start_s, 0.0, -struck), (window.end_s, 0.0, struck))
            elif fault.type == QueueFault.ROLLING_RESTART:
                for place in range(struck):
                    begin_s = window.start_s + place * max(strike.each_s, strike.restart_s)
                    yield from ((begin_s, -1.0, -1.0), (begin_s + strike.restart_s, 1.0, 1.0))
            else:
                back_s = window.start_s + strike.restart_s
                yield from ((window.start_s, -struck, -struck), (back_s, struck, struck))


class _Pending:
    """The queue in the fluid limit: how many tasks wait, and the seconds that each holds a worker, in the order they came."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, float]] = deque()

    @property
    def count(self) -> float:
        """Tasks that wait."""
        return sum(count for count, _ in self._waiting)

    def join(self, count: float, held_s: float) -> None:
        """More tasks."""
        if self._waiting and self._waiting[-1][1] == held_s:
            count += self._waiting.pop()[0]
        if count > 0 and held_s:
            self._waiting.append((count, held_s))

    def serve(self, worker_s: float) -> None:
        """The first of them are served, for this time of workers in all."""
        while self._waiting and worker_s > 0:
            count, held_s = self._waiting.popleft()
            left = count - worker_s / held_s
            if left > 0:
                self._waiting.appendleft((left, held_s))
            worker_s -= count * held_s

    def pass_time(self, length_s: float, up: float, load: float, held_s: float) -> None:
        """The load joins while the workers serve."""
        if not self._waiting:
            self.join((load - up) / held_s * length_s if held_s else 0.0, held_s)
            return
        self.join(load / held_s * length_s if held_s else 0.0, held_s)
        self.serve(up * length_s)

    def arrive(self, batch: Batch, free: float) -> None:
        """Tasks arrive at once: workers that are free begin the first of them."""
        self.join(batch.count - (0.0 if self._waiting else max(0.0, free)), batch.held_s)


def _before(now: float, due: Iterable[Batch]) -> Iterator[float]:
    for each in due:
        if each.t_s >= now:
            return
        yield each.t_s


def _by_rule(
    rule: Scaling, workers: int, until_s: float, load_at: LoadAt, batches: Sequence[Batch]
) -> Iterator[tuple[float, int]]:
    """When the rule changes the number of workers in the fluid limit, and to how many."""
    up = asked = workers
    queue, idle_s, due = _Pending(), 0.0, deque(batches)
    coming: list[tuple[float, int]] = []
    yield 0.0, up
    for look in range(1, min(_MOST_LOOKS, int(until_s / rule.every_s)) + 1):
        now = look * rule.every_s
        begin_s = now - rule.every_s
        edges = sorted({begin_s, *(t_s for t_s, _ in coming if begin_s < t_s < now), *_before(now, due), now})
        for start_s, end_s in pairwise(edges):
            load, held_s = load_at((start_s + end_s) / 2)
            while due and due[0].t_s <= start_s:
                queue.arrive(due.popleft(), up - load)
            queue.pass_time(end_s - start_s, up, load, held_s)
            for arrived in [each for each in coming if each[0] <= end_s]:
                coming.remove(arrived)
                up += arrived[1]
                yield arrived[0], up
        pending = queue.count
        spare = 0 if pending else max(0, int(up - load - _HARDLY * math.sqrt(load)))
        idle_s = idle_s + rule.every_s if spare else 0.0
        if pending > rule.queue_depth:
            if (more := min(rule.out_by, rule.most - asked)) > 0:
                asked += more
                coming.append((now + rule.delay_s, more))
        elif (
            rule.idle_s is not None and idle_s >= rule.idle_s and (fewer := min(rule.in_by, asked - rule.least, spare))
        ):
            asked, up = asked - fewer, up - fewer
            yield now, up
