"""What of a run must have happened before it can be known that it passes."""

from collections.abc import Iterable, Iterator

import numpy as np

from soak.runner.judge.alerts import alert_result
from soak.runner.judge.deciding.grid import LEAST_CYCLES, Grid
from soak.runner.judge.timer import Firing
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.conditions import Alert
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.units import show_duration

_FIRST_LOOK = 4096


class Waits:
    """Phases and scheduled faults to be over, faults to be seen, alerts to do as expected."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, grid: Grid) -> None:
        self._scenario, self._vocabulary, self._grid = scenario, vocabulary, grid
        self._unseen = {fault.name: fault for fault in scenario.faults if fault.by_time or fault.rate > 0}
        self._seen_s: dict[str, float] = {}

    def observe(self, block: Block) -> None:
        """Process a block: when was each fault first seen to take effect?"""
        begin, most = 0, _FIRST_LOOK
        while self._unseen and begin < len(block):
            # What is seen at all is mostly seen early: the first events are looked at first.
            here = slice(begin, begin + most)
            kind, cause = block.kind[here], block.cause[here]
            for fault in list(self._unseen.values()):
                seen = kind_flags(*fault.spec.seen_by)[kind] & self._causes(fault)[cause]
                if seen.any():
                    self._seen_s[fault.name] = float(block.t[begin + int(np.argmax(seen))])
                    del self._unseen[fault.name]
            begin, most = begin + most, len(block)

    def _causes(self, fault: Fault) -> Bools:
        return np.array([cause.fault == fault.name for cause in self._vocabulary.causes])

    def at(self, t_s: float, alerts: Iterable[tuple[Alert, list[Firing]]]) -> Iterator[str]:
        """What has not happened at `t_s`, in words."""
        grid, scenario = self._grid, self._scenario
        if grid.cycle_s and t_s < scenario.warmup_s + LEAST_CYCLES * grid.cycle_s:
            yield f"{LEAST_CYCLES} cycles of {show_duration(grid.cycle_s)}"
        for phase in scenario.phases:
            if phase.window.end_s > t_s:
                yield f"the end of phase {phase.name} at {show_duration(phase.window.end_s)}"
        for fault in scenario.faults:
            last_s = max((window.end_s for window in fault.windows), default=0.0)
            if last_s > t_s and any(window in grid.once for window in fault.windows):
                yield f"fault {fault.name} at {show_duration(fault.windows[-1].start_s)}"
            elif (fault.by_time or fault.rate > 0) and not self._seen_s.get(fault.name, t_s) < t_s:
                yield f"fault {fault.name} to take effect"
        for alert, firings in alerts:
            result = alert_result(alert, list(_until(firings, t_s)), scenario, t_s)
            if result.status not in {None, Status.PASS}:
                yield f"alert {alert.condition.name}: {result.expected}"


def _until(firings: Iterable[Firing], t_s: float) -> Iterator[Firing]:
    """The firings as they were at `t_s`."""
    for each in firings:
        if each.fired_s <= t_s:
            resolved_s = each.resolved_s if each.resolved_s is not None and each.resolved_s <= t_s else None
            yield Firing(each.fired_s, each.value, resolved_s)
