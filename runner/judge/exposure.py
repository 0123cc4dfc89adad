"""The expected number of injections of each fault, given what happened.

The first fault in the file that hits an attempt (a call, a task) takes effect: a later one can only hit what the earlier
active ones have left. Exposure is counted in integers per combination of faults, so that nothing depends on block
boundaries.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np

from soak.runner.judge.budget import Budget
from soak.schemas.language.faults import OF_CALLS, Fault, FaultType
from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Block, Bools, Floats
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Cause, Vocabulary
from soak.simulation.distributions import spread
from soak.simulation.fates import ACTIONS
from soak.simulation.plan import inside_windows

_REFUSALS = ("rate_limited", "queue_full", "out_of_memory")
"""Errors with which a dependency itself refuses a call, before a delay could apply."""

_POINTS = 4096
_BITS = 10
_Can: TypeAlias = tuple[bool, ...]
"""For each fault of a contest, whether it could have applied."""


class Contest:
    """Faults that compete for the same attempts, in order of precedence."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        self._counts: Counter[_Can] = Counter()

    def add(self, can: Sequence[Bools]) -> None:
        """Count opportunities: for each fault whether it could have applied."""
        if len(can) > _BITS:
            kinds, counts = np.unique(np.stack(can, axis=1), axis=0, return_counts=True)
            self._counts.update(dict(zip(map(tuple, kinds.tolist()), counts.tolist(), strict=True)))
            return
        # Counting a code per combination of few faults is many times as fast as sorting rows.
        code = np.zeros(len(can[0]), dtype=np.int64)
        for place, each in enumerate(can):
            code |= each.astype(np.int64) << place
        counted = np.bincount(code)
        for number in np.flatnonzero(counted).tolist():
            self._counts[tuple(bool(number >> place & 1) for place in range(len(can)))] += int(counted[number])

    def expected(self, place: int) -> float:
        """Expected injections of the fault at a position."""
        return math.fsum(count * self.chances(can)[place] for can, count in self._counts.items())

    def items(self) -> Iterable[tuple[_Can, int]]:
        """Each combination with its count."""
        return self._counts.items()

    def chances(self, can: _Can) -> list[float]:
        """The probability with which each fault takes effect."""
        left, chances = 1.0, []
        for fault, could in zip(self.faults, can, strict=True):
            chances.append(left * fault.rate * could)
            left *= 1 - fault.rate * could
        return chances


def holds(fault: Fault, t_s: Floats) -> Bools:
    """At which of these times a fault is active."""
    return inside_windows(t_s, fault.windows) if fault.windows else np.ones(len(t_s), dtype=np.bool_)


class Attempts:
    """Faults of attempts at tasks of a queue.

    Whether a task is over its hard budget is drawn once for all its attempts: an attempt that this could have decided, and
    did not, shows that it is not.
    """

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self.contest = Contest([fault for fault in scenario.faults if fault.type in ACTIONS])
        self._vocabulary = vocabulary
        self._budgets = {
            place: Budget(fault, frozenset(earlier.name for earlier in self.contest.faults[:place]))
            for place, fault in enumerate(self.contest.faults)
            if fault.type is FaultType.GUARDRAIL_EXCEED
        }

    def observe(self, block: Block) -> None:
        """Process a block."""
        if not self.contest.faults:
            return
        started = block.kind == Kind.TASK_DISPATCHED
        can = [holds(fault, block.t[started]) for fault in self.contest.faults]
        for place, budget in self._budgets.items():
            can[place] &= budget.could(block, started, can[place], self._vocabulary)
        self.contest.add(can)

    def expected(self, place: int) -> float:
        """Expected injections of the fault at a position."""
        return self.contest.expected(place)


class Duplicates:
    """Second submissions of tasks: each follows the first after a delay, if the run lasts that long."""

    def __init__(self, scenario: Scenario) -> None:
        self.contest = Contest([fault for fault in scenario.faults if fault.type is FaultType.DUPLICATE_ENQUEUE])
        self._duration_s = scenario.duration_s
        self._delays_s = [spread(fault.delay, _POINTS) for fault in self.contest.faults]
        self._longest_s = max((float(delay_s[-1]) for delay_s in self._delays_s), default=0.0)
        self._recent_s = np.empty(0)

    def observe(self, block: Block) -> None:
        """Process a block."""
        if self.contest.faults:
            first = (block.kind == Kind.TASK_ENQUEUED) & (block.cause == 0)
            # The planned time decides; deferred work is accepted later.
            self._recent_s = np.sort(np.concatenate([self._recent_s, block.value[first]]))
            self._settle(block.until_s)

    def _settle(self, until_s: float) -> None:
        """Count the tasks whose duplicates must all have come by now."""
        settled = int(np.searchsorted(self._recent_s, until_s - self._longest_s, side="left"))
        done_s, self._recent_s = self._recent_s[:settled], self._recent_s[settled:]
        self.contest.add([holds(fault, done_s) for fault in self.contest.faults])

    def expected(self, place: int, ended_s: float) -> float:
        """How many duplicates of the fault at a place can be expected by the end of the run."""
        until_s = min(ended_s, self._duration_s)
        came = np.searchsorted(self._delays_s[place], until_s - self._recent_s, side="left") / _POINTS
        can = zip(*(holds(fault, self._recent_s).tolist() for fault in self.contest.faults), strict=True)
        recent = math.fsum(
            share * self.contest.chances(each)[place] for share, each in zip(came.tolist(), can, strict=True)
        )
        return self.contest.expected(place) + recent


class CallsTo:
    """Faults of the calls to one dependency. A bad release applies to what the others leave, and only while it is live."""

    def __init__(self, dependency: str, scenario: Scenario, vocabulary: Vocabulary) -> None:
        own = [f for f in scenario.faults if f.dependency == dependency and f.type in OF_CALLS and not f.by_time]
        lasting = [fault for fault in own if fault.type is not FaultType.BAD_RELEASE]
        releases = [fault for fault in own if fault.type is FaultType.BAD_RELEASE]
        self.contest = Contest([*lasting, *releases])
        self._refused = Contest(self.contest.faults)
        self._dependency = dependency
        self._vocabulary = vocabulary
        crashes = [f for f in scenario.faults if f.dependency == dependency and f.type is FaultType.DEPENDENCY_CRASH]
        self._gone = {fault.name: _Spells(Kind.FAULT_INJECTED, (Kind.FAULT_CLEARED,)) for fault in crashes}
        ends = (Kind.FAULT_CLEARED, Kind.RELEASE_ROLLED_BACK)
        self._live = {fault.name: _Spells(Kind.RELEASE_DEPLOYED, ends) for fault in releases}
        self._delays = any(fault.type is FaultType.DELAY for fault in lasting)

    def observe(self, block: Block) -> None:
        """Process a block."""
        for name, spells in (*self._gone.items(), *self._live.items()):
            spells.observe(block, [n for n, cause in enumerate(self._vocabulary.causes) if cause.fault == name])
        if not self.contest.faults:
            return
        here = block.value == self._vocabulary.name(self._dependency)
        self.contest.add(self._can(block.t[(block.kind == Kind.CALL_STARTED) & here]))
        if self._delays:
            refusals = [n for n, cause in enumerate(self._vocabulary.causes) if _is_refusal(cause)]
            refused = (block.kind == Kind.CALL_FAILED) & here & np.isin(block.cause, refusals)
            self._refused.add(self._can(block.t[refused]))

    def _can(self, t_s: Floats) -> list[Bools]:
        there = np.ones(len(t_s), dtype=np.bool_)
        for spells in self._gone.values():
            there &= ~spells.hold(t_s)
        return [
            there & (self._live[fault.name].hold(t_s) if fault.name in self._live else holds(fault, t_s))
            for fault in self.contest.faults
        ]

    def expected(self, place: int) -> float:
        """Expected injections of the fault at a position."""
        if self.contest.faults[place].type is FaultType.DELAY:
            return self.contest.expected(place) - self._missed(place)
        return self.contest.expected(place)

    def _missed(self, place: int) -> float:
        """Expected delays of calls that the dependency refused and no other fault had hit."""
        delays = [fault.type is FaultType.DELAY for fault in self.contest.faults]

        def share(chances: list[float]) -> float:
            struck = math.fsum(chance for chance, delay in zip(chances, delays, strict=True) if not delay)
            return chances[place] / (1 - struck) if struck < 1 else 0.0

        return math.fsum(count * share(self._refused.chances(can)) for can, count in self._refused.items())


def _is_refusal(cause: Cause) -> bool:
    return not cause.fault and cause.error in _REFUSALS


class _Spells:
    """Intervals between two kinds of events of a fault, as far as the current block needs them."""

    def __init__(self, begin: Kind, ends: tuple[Kind, ...]) -> None:
        self._begin, self._ends = begin, ends
        self._since_s: float | None = None
        self._spells: list[Window] = []

    def observe(self, block: Block, causes: list[int]) -> None:
        """Process a block; `causes` are those of the fault."""
        self._spells = []
        selected = np.isin(block.kind, [self._begin, *self._ends]) & np.isin(block.cause, causes)
        for t_s, kind in zip(block.t[selected].tolist(), block.kind[selected].tolist(), strict=True):
            if kind == self._begin:
                self._since_s = t_s if self._since_s is None else self._since_s
            elif self._since_s is not None:
                self._spells.append(Window(self._since_s, t_s))
                self._since_s = None
        if self._since_s is not None:
            self._spells.append(Window(self._since_s, math.inf))

    def hold(self, t_s: Floats) -> Bools:
        """Which of these times of the block lie inside one."""
        inside = np.zeros(len(t_s), dtype=np.bool_)
        for spell in self._spells:
            inside |= (spell.start_s <= t_s) & (t_s < spell.end_s)
        return inside


class Exposure:
    """Tracks the opportunities of the faults by rate of a scenario."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._duplicates = Duplicates(scenario)
        dependencies = dict.fromkeys(fault.dependency for fault in scenario.faults if fault.dependency)
        self._others: list[Attempts | CallsTo] = [CallsTo(name, scenario, vocabulary) for name in dependencies]
        if scenario.system == "queue":
            self._others.append(Attempts(scenario, vocabulary))

    def observe(self, block: Block) -> None:
        """Process a block."""
        self._duplicates.observe(block)
        for each in self._others:
            each.observe(block)

    def expected(self, fault: Fault, ended_s: float) -> float:
        """Expected injections of a fault by rate in a run that ended then."""
        if fault in self._duplicates.contest.faults:
            return self._duplicates.expected(self._duplicates.contest.faults.index(fault), ended_s)
        contest = next(each for each in self._others if fault in each.contest.faults)
        return contest.expected(contest.contest.faults.index(fault))
