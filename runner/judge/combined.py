"""Conditions that are combined: when all of them hold, or one of them does, to the microsecond."""

import math
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from soak.runner.judge.guard import Guard
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts
from soak.runner.judge.timer import Firing, Timer, Transition
from soak.schemas.language.conditions import Combination, Condition


class Combined:
    """Several guards under one timer. What happens to several of them at one instant counts at once."""

    def __init__(self, condition: Combination, labels: LabelNumbers, keep_firing_for_s: float = 0.0) -> None:
        self.condition = condition
        self.timer = Timer(condition.for_s, keep_firing_for_s)
        self._members = [guard_of(each, labels) for each in condition.members]
        self._hold = [False] * len(self._members)
        self._seen = [0] * len(self._members)
        """Of each member, how many changes are known."""
        self._holds = False

    def look(self, facts: Facts) -> None:
        """Evaluate the conditions over a block; `advance` then advances time."""
        for member in self._members:
            member.look(facts)

    def advance(self, until_s: float) -> None:
        """Advance time to `until_s`."""
        found: list[tuple[float, int, bool]] = []
        for place, member in enumerate(self._members):
            member.advance(until_s)
            changes = list(_changes(member.timer.firings, self._seen[place]))
            self._seen[place] += len(changes)
            found += [(t_s, place, holds) for t_s, holds in changes]
        self.timer.feed(list(self._transitions(found)), until_s)

    def _transitions(self, found: list[tuple[float, int, bool]]) -> Iterator[Transition]:
        for t_s, at_once in groupby(sorted(found, key=itemgetter(0)), key=itemgetter(0)):
            for _, place, holds in at_once:
                self._hold[place] = holds
            now = all(self._hold) if self.condition.every else any(self._hold)
            if now is not self._holds:
                self._holds = now
                yield Transition(t_s, now, math.nan)

    @property
    def value(self) -> float:
        """Conditions that are combined have no value."""
        return math.nan

    @property
    def held_at_s(self) -> float | None:
        """When they had first held together for the required time."""
        return self.timer.firings[0].fired_s if self.timer.firings else None

    @property
    def parts(self) -> tuple[Guard, ...]:
        """The guards of all the conditions that it is made of."""
        return tuple(part for each in self._members for part in each.parts)


AnyGuard = Guard | Combined


def guard_of(condition: Condition | Combination, labels: LabelNumbers, keep_firing_for_s: float = 0.0) -> AnyGuard:
    """The guard of a condition, or of conditions that are combined."""
    if isinstance(condition, Condition):
        return Guard(condition, labels, keep_firing_for_s)
    return Combined(condition, labels, keep_firing_for_s)


def _changes(firings: list[Firing], seen: int) -> Iterator[tuple[float, bool]]:
    """The changes of a timer after the first `seen`, which alternate: when, and whether it holds from then on."""
    for number in range(seen, 2 * len(firings)):
        firing, resolves = firings[number // 2], number % 2
        if not resolves:
            yield firing.fired_s, True
        elif firing.resolved_s is not None:
            yield firing.resolved_s, False
