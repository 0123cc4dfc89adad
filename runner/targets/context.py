"""Shared state of a real run: plan, clock, scheduled actions and recorded events."""

import math
import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from soak.contract import BusyError, Snapshot
from soak.runner.targets.agenda import Agenda
from soak.runner.targets.clock import Clock
from soak.runner.targets.journal import Journal
from soak.schemas.language.faults import Fault
from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.simulation.checking import Checking
from soak.simulation.plan import Plan

FLUSH_REAL_S = 1.0
"""Maximum interval of passing events to the judge and the event stream."""

FLUSHES_IN_GAP, LEAST_FLUSH_REAL_S = 4, 0.1
"""Events not yet passed on when a runner dies are a telemetry gap: at high speeds it must stay well below the limit."""

AGAIN_REAL_S = 0.002
"""Delay before retrying a call after a BusyError."""


CHECKS_REAL_S = 0.05
"""Interval of looking whether the checks at the end of a run are over."""


class RunContext(Struct, frozen=True):
    """The context of one real run. All times are seconds of scenario time."""

    plan: Plan
    clock: Clock
    agenda: Agenda
    journal: Journal
    known_s: float
    """Up to when the event stream is complete."""

    from_s: float
    """When the clock started, or was resumed."""

    @classmethod
    def begin(cls, plan: Plan, speed: float) -> "RunContext":
        """A run that begins now: the system is ready."""
        if plan.checking:
            plan.checking.ready()
        context = cls(plan, Clock(speed, time.time()), Agenda(), Journal(plan, 0.0), 0.0, 0.0)
        context._begin_checks()
        return context

    @classmethod
    def held(cls, plan: Plan, speed: float, known_s: float, from_s: float) -> "RunContext":
        """A run whose clock is held at `from_s` until `go`; events after `known_s` are still to be recorded."""
        return cls(plan, Clock(speed, time.time(), from_s), Agenda(), Journal(plan, known_s), known_s, from_s)

    def go(self, after_s: float = 0.0) -> None:
        """Start a clock that is held, `after_s` from now: the system is ready."""
        if self.plan.checking and not self.from_s:
            self.plan.checking.ready()
        self.clock.go(after_s=after_s)
        self._begin_checks()

    def _begin_checks(self) -> None:
        if self.plan.checking:
            self.plan.checking.begin(self.now, self.every)

    def close(self) -> None:
        """Do the teardown if the run ends by a failure; to be called before the system is stopped."""
        if self.plan.checking:
            self.plan.checking.close()

    @property
    def flush_s(self) -> float:
        """Interval at which events are passed on."""
        allowed_real_s = self.clock.real(self.plan.scenario.telemetry.max_gap_s) / FLUSHES_IN_GAP
        return max(LEAST_FLUSH_REAL_S, min(FLUSH_REAL_S, allowed_real_s)) * self.clock.speed

    def now(self) -> float:
        """The time."""
        return self.clock.now()

    def note(
        self,
        t_s: float,
        kind: Kind,
        *,
        number: int = -1,
        attempt: int = 0,
        worker: int = -1,
        cause: int = NO_CAUSE,
        value: float = 0.0,
    ) -> None:
        """Note an event at `t_s`; see `schemas.events.SPECS` for what each kind carries."""
        self.journal.note(t_s, kind, number=number, attempt=attempt, worker=worker, cause=cause, value=value)

    def note_process(self, t_s: float, kind: Kind, name: str, worker: int = -1, cause: int = NO_CAUSE) -> None:
        """Note that a process of the system is gone, or back, at `t_s`."""
        self.note(t_s, kind, worker=worker, cause=cause, value=self.plan.vocabulary.name(name))

    def note_fault(self, fault: Fault, *kinds: Kind) -> None:
        """Note events of a fault, just now."""
        for kind in kinds:
            self.note(self.now(), kind, cause=self.plan.cause_of(fault))

    def at(self, t_s: float, action: Callable[[], Any]) -> None:
        """Do `action` at `t_s`, or as soon as possible after it."""
        self.agenda.at(t_s, action)

    def soon(self, action: Callable[[], Any]) -> None:
        """Do `action` a little later: the system is busy."""
        self.at(self.now() + AGAIN_REAL_S * self.clock.speed, action)

    def insist(self, action: Callable[[], Any]) -> None:
        """Do `action` now, or as soon as the system is not busy."""
        try:
            action()
        except BusyError:
            self.soon(lambda: self.insist(action))

    def every(self, interval_s: float, action: Callable[[], Any], phase_s: float = 0.0) -> None:
        """Do `action` at every multiple of the interval, shifted by `phase_s`; those that are missed are left out."""

        def again() -> None:
            action()
            put()

        def put() -> None:
            rounds = math.floor((self.now() - phase_s) / interval_s) + 1
            self.at(rounds * interval_s + phase_s, again)

        put()

    def every_real(self, interval_real_s: float, action: Callable[[], Any]) -> None:
        """Do `action` at every multiple of an interval in real seconds."""
        self.every(interval_real_s * self.clock.speed, action)

    def is_over(self, open_work: Callable[[], bool]) -> bool:
        """Whether the time is up, or arrivals have ended and no work is open; and then, whether checks are over as well.

        Raises SoakError when the clock was set.
        """
        self.clock.refuse_step()
        plan, now_s = self.plan, self.now()
        if now_s < plan.ends_s or (now_s < plan.horizon_s and open_work()):
            return False
        return plan.checking is None or self._checks_are_over(plan.checking)

    def _checks_are_over(self, checking: Checking) -> bool:
        if checking.is_over():
            return True
        # A loop that waits for its next action looks again soon.
        self.at(self.now() + CHECKS_REAL_S * self.clock.speed, lambda: None)
        return False

    def take_census(self, snapshot: Callable[[], Snapshot], until_s: float) -> None:
        """Record the system's own census at the end; without one (it stays busy) the verdict is not PASS."""

        def take() -> None:
            census = snapshot()
            for state, kind in CENSUS.items():
                self.note(until_s, kind, value=getattr(census, state.name.lower()))

        patiently(take)


def patiently(call: Callable[[], None], patience_real_s: float = 5.0) -> bool:
    """Retry until the system is not busy, or the timeout; returns whether it succeeded."""
    until = time.monotonic() + patience_real_s
    while True:
        try:
            call()
        except BusyError:
            if time.monotonic() >= until:
                return False
            time.sleep(AGAIN_REAL_S)
        else:
            return True
