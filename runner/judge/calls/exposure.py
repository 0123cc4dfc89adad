"""What the faults of a client's dependencies could have struck: the calls to each of them."""

import math

import numpy as np

from soak.runner.judge.exposure import Contest, holds
from soak.runner.judge.task_labels import TaskLabels
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Block, Bools, Floats
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Cause, Vocabulary
from soak.schemas.systems.calls.faults import STRIKES_CALLS, CallFault

_REFUSALS = ("rate_limited", "queue_full", "out_of_memory")
"""Errors with which a dependency itself refuses a call, before a delay could apply."""


class CallsTo:
    """Faults of the calls to one dependency. A bad release applies to what the others leave, and only while it is live."""

    def __init__(self, dependency: str, scenario: Scenario, vocabulary: Vocabulary) -> None:
        own = [f for f in scenario.faults if f.dependency == dependency and f.type in STRIKES_CALLS and not f.by_time]
        lasting = [fault for fault in own if fault.type != CallFault.BAD_RELEASE]
        releases = [fault for fault in own if fault.type == CallFault.BAD_RELEASE]
        self.contest = Contest([*lasting, *releases])
        self._refused = Contest(self.contest.faults)
        self._dependency = dependency
        self._vocabulary = vocabulary
        crashes = [f for f in scenario.faults if f.dependency == dependency and f.type == CallFault.DEPENDENCY_CRASH]
        self._gone = {fault.name: _Spells(Kind.FAULT_INJECTED, (Kind.FAULT_CLEARED,)) for fault in crashes}
        ends = (Kind.FAULT_CLEARED, Kind.RELEASE_ROLLED_BACK)
        self._live = {fault.name: _Spells(Kind.RELEASE_DEPLOYED, ends) for fault in releases}
        self._labels = TaskLabels(vocabulary) if any(fault.kinds for fault in self.contest.faults) else None
        self._delays = any(fault.type == CallFault.DELAY for fault in lasting)

    def observe(self, block: Block) -> None:
        """Process a block."""
        for name, spells in (*self._gone.items(), *self._live.items()):
            spells.observe(block, [n for n, cause in enumerate(self._vocabulary.causes) if cause.fault == name])
        if self._labels:
            self._labels.observe(block)
        here = block.value == self._vocabulary.name(self._dependency)
        self.contest.add(self._can(block, (block.kind == Kind.CALL_STARTED) & here))
        if self._delays:
            refusals = [n for n, cause in enumerate(self._vocabulary.causes) if _is_refusal(cause)]
            refused = (block.kind == Kind.CALL_FAILED) & here & np.isin(block.cause, refusals)
            self._refused.add(self._can(block, refused))

    def _can(self, block: Block, chosen: Bools) -> list[Bools]:
        t_s = block.t[chosen]
        there = np.ones(len(t_s), dtype=np.bool_)
        for spells in self._gone.values():
            there &= ~spells.hold(t_s)
        return [
            there
            & (self._live[fault.name].hold(t_s) if fault.name in self._live else holds(fault, t_s))
            & self._of_kind(fault, block, chosen)
            for fault in self.contest.faults
        ]

    def _of_kind(self, fault: Fault, block: Block, chosen: Bools) -> Bools | bool:
        """Whether the tasks of these calls are of the kinds that a fault strikes."""
        return self._labels.struck_by(fault, block.task[chosen]) if self._labels and fault.kinds else True

    def expected(self, place: int, ended_s: float) -> float:
        """Expected injections of the fault at a position."""
        if self.contest.faults[place].type == CallFault.DELAY:
            return self.contest.expected(place) - self._missed(place)
        return self.contest.expected(place)

    def _missed(self, place: int) -> float:
        """Expected delays of calls that the dependency refused and no other fault had hit."""
        delays = [fault.type == CallFault.DELAY for fault in self.contest.faults]

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


def exposed(scenario: Scenario, vocabulary: Vocabulary) -> list[CallsTo]:
    """The calls to each dependency that a fault strikes."""
    dependencies = dict.fromkeys(fault.dependency for fault in scenario.faults if fault.dependency)
    return [CallsTo(name, scenario, vocabulary) for name in dependencies]
