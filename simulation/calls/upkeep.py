"""Who looks after a dependency: health checks that start it again, and rollback of a bad release. Both are computed."""

import math
from collections import deque

from simpy import Environment, Event

from schemas.calls import Dependency
from schemas.events import Kind
from schemas.faults import Fault, FaultType
from schemas.vocabulary import NO_CAUSE
from schemas.windows import Window
from simulation.plan import Plan
from simulation.recorder import Recorder


class Upkeep:
    """Whether a dependency is there, and which bad releases are in use."""

    def __init__(self, env: Environment, dependency: Dependency, plan: Plan, recorder: Recorder) -> None:
        self._env = env
        self._row = recorder.row
        self._plan = plan
        self._check = dependency.health_check
        self._rollback = dependency.rollback
        self._recent: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._rolling_back = False
        self.down = 0
        """The cause for which it is gone; 0 while it is there."""
        self.gone: Event = env.event()
        """Happens when it goes."""
        self.live: frozenset[str] = frozenset()
        """The bad releases that are in use."""
        own = [fault for fault in plan.scenario.faults if fault.dependency == dependency.name]
        self.fragile = any(fault.type is FaultType.DEPENDENCY_CRASH for fault in own)
        for fault in own:
            for window in fault.windows:
                if fault.type is FaultType.DEPENDENCY_CRASH:
                    self._at(window.start_s, self._crash, fault, window)
                elif fault.type is FaultType.BAD_RELEASE:
                    self._at(window.start_s, self._release, fault, window)

    def _at(self, t_s: float, happen: object, *values: object) -> None:
        call = happen
        assert callable(call)
        self._env.timeout(max(0.0, t_s - self._env.now)).callbacks.append(lambda _: call(*values))

    def _tell(self, kind: Kind, cause: int) -> None:
        self._row((self._env.now, kind, -1, 0, -1, cause, 0.0))

    # It crashes, and is started again.

    def _crash(self, fault: Fault, window: Window) -> None:
        cause, now = self._plan.cause_of(fault), self._env.now
        if self.down:
            return
        self._tell(Kind.FAULT_INJECTED, cause)
        self._tell(Kind.PROCESS_EXITED, cause)
        self.down = cause
        self.gone.succeed()
        self.gone = self._env.event()
        back_s = window.end_s
        if self._check:
            # Probes come at whole multiples of the interval, from the start of the run.
            first = math.floor(now / self._check.every_s) + 1
            seen_s = (first + self._check.unhealthy_after - 1) * self._check.every_s
            if seen_s < back_s:
                self._at(seen_s, self._tell, Kind.FAULT_SEEN, cause)
                back_s = min(back_s, seen_s + self._check.restart_s)
        self._at(back_s, self._back, cause)

    def _back(self, cause: int) -> None:
        self.down = 0
        self._tell(Kind.PROCESS_STARTED, NO_CAUSE)
        self._tell(Kind.FAULT_CLEARED, cause)

    # A bad release goes live, and is taken back.

    def _release(self, fault: Fault, window: Window) -> None:
        self.live |= {fault.name}
        self._tell(Kind.RELEASE_DEPLOYED, self._plan.cause_of(fault))
        self._at(window.end_s, self._withdraw, fault, Kind.FAULT_CLEARED)

    def _withdraw(self, fault: Fault, kind: Kind) -> None:
        if fault.name in self.live:
            self.live -= {fault.name}
            self._tell(kind, self._plan.cause_of(fault))
        self._rolling_back = False

    def note(self, *, failed: bool, cause: int) -> None:
        """A call came to its end; when too many fail, a release that is in use is taken back."""
        rollback, now = self._rollback, self._env.now
        if rollback is None:
            return
        self._recent.append((now, failed))
        self._failed += failed
        while self._recent[0][0] <= now - rollback.window_s:
            self._failed -= self._recent.popleft()[1]
        calls = len(self._recent)
        if self._rolling_back or not self.live or calls < rollback.min_calls:
            return
        if self._failed > rollback.error_rate * calls:
            self._rolling_back = True
            fault = next(each for each in self._plan.scenario.faults if each.name in self.live)
            self._at(now + rollback.takes_s, self._withdraw, fault, Kind.RELEASE_ROLLED_BACK)
