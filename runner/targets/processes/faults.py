"""Faults of a real run: brought about at their times, seen to take effect, and undone, also when the run is cut short."""

from collections.abc import Callable, Iterator
from functools import partial

from soak.runner.targets.context import RunContext
from soak.runner.targets.processes.group import Seen
from soak.runner.targets.processes.strikes import Strike
from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind

_LOOK_REAL_S = 0.05
_STRIKES_WITHIN_S, _STRIKES_WITHIN_REAL_S = 30.0, 5.0
"""A fault that cannot strike yet (its process is down) tries for so long: the longer of scenario time and real time."""

_SHOWS_WITHIN_REAL_S = 30.0
"""For so long after its end a fault may still show for the first time."""


def _nothing(fault: Fault, planned_s: float, now_s: float) -> None:
    """Nobody wants to know."""


class Faults:
    """Everything that a scenario has go wrong at times, but losses of telemetry.

    strike_of: what a fault does in a window. began: called when one strikes, with the time that it was planned for, and now.
    """

    def __init__(
        self,
        context: RunContext,
        strike_of: Callable[[Fault, Window], Strike],
        began: Callable[[Fault, float, float], None] = _nothing,
    ) -> None:
        self._context, self._strike_of, self._began = context, strike_of, began
        self._under_way: list[_UnderWay] = []

    def start(self) -> None:
        """Put all faults on the agenda that have not ended; one that has begun already begins again."""
        context = self._context
        for fault in context.plan.scenario.faults:
            for window in fault.windows if fault.by_time and fault.type != TELEMETRY_LOSS else ():
                if window.start_s >= context.known_s:
                    context.at(window.start_s, partial(self._begin, fault, window))
                elif window.end_s > context.known_s:
                    self._begin(fault, window, again=True)

    def _begin(self, fault: Fault, window: Window, *, again: bool = False) -> None:
        strike = self._strike_of(fault, window)
        under_way = _UnderWay(self._context, fault, window, strike, self._began, noted=again)
        self._under_way.append(under_way)
        self._look(under_way)

    def _look(self, under_way: "_UnderWay") -> None:
        if under_way.look():
            self._context.at(
                self._context.now() + _LOOK_REAL_S * self._context.clock.speed, partial(self._look, under_way)
            )
        else:
            self._under_way.remove(under_way)

    def saw(self, seen: Seen) -> None:
        """Something happened to a process."""
        for each in self._under_way:
            each.strike.saw(seen)

    @property
    def under_way(self) -> Iterator[str]:
        """The names of those that have begun and not ended."""
        return (each.fault.name for each in self._under_way if not each.over)

    def undo(self) -> None:
        """Undo all that goes on: the run is over."""
        for each in self._under_way:
            each.undo()
        self._under_way.clear()


class _UnderWay:
    """A fault in one of its windows."""

    def __init__(
        self,
        context: RunContext,
        fault: Fault,
        window: Window,
        strike: Strike,
        began: Callable[[Fault, float, float], None],
        *,
        noted: bool,
    ) -> None:
        self._context, self.fault, self._window, self.strike = context, fault, window, strike
        self._told = began
        self._noted = noted
        self._began = self.over = self._shown = False
        self._shows = Kind.FAULT_SEEN in fault.spec.seen_by

    def look(self) -> bool:
        """Go on with it; whether there is more to come."""
        now_s, speed = self._context.now(), self._context.clock.speed
        if not self._began:
            self._began = self.strike.begin()
            if not self._began:
                return now_s < self._window.start_s + max(_STRIKES_WITHIN_S, _STRIKES_WITHIN_REAL_S * speed)
            if not self._noted:
                since_s, cause = self.strike.since_s(now_s), self.strike.cause
                for number in self.strike.hits:
                    self._context.note(since_s, Kind.FAULT_INJECTED, worker=number, cause=cause)
                self._told(self.fault, self._window.start_s, now_s)
        if self._shows and not self._shown and self.strike.shows():
            self._shown = True
            self._context.note_fault(self.fault, Kind.FAULT_SEEN)
        if not self.over and now_s >= self._window.end_s and self.strike.may_end():
            self._end()
        waits = self._shows and not self._shown and now_s < self._window.end_s + _SHOWS_WITHIN_REAL_S * speed
        return not self.over or waits or self.strike.goes_on()

    def _end(self) -> None:
        self.over = True
        self.strike.end()
        self._context.note_fault(self.fault, Kind.FAULT_CLEARED)

    def undo(self) -> None:
        """The run is over."""
        if self._began and not self.over:
            self.over = True
            self.strike.end()
