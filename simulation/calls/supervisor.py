"""Supervision of a dependency: health checks that restart it, and rollback of a bad release. Both are computed."""

import math
from collections import deque
from dataclasses import dataclass

from simpy import Environment, Event

from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.calls.faults import CallFault
from soak.schemas.systems.calls.settings import Dependency
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder

_NONE: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class _Deployed:
    """One deployment of a bad release."""

    fault: Fault


class Supervisor:
    """Whether a dependency is up, and which bad releases are live."""

    def __init__(self, env: Environment, dependency: Dependency, plan: Plan, recorder: Recorder) -> None:
        self._env = env
        self._row = recorder.row
        self._plan = plan
        self._name = plan.vocabulary.name(dependency.name)
        self._check = dependency.health_check
        self._rollback = dependency.rollback
        self._recent: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self._deployed: list[_Deployed] = []
        self._rolling_back: _Deployed | None = None
        self.lives = 1
        """How often it was started, the first time included."""
        self.down = 0
        """The cause for which it is down; 0 while it is up."""
        self.gone: Event = env.event()
        """Event: it goes down."""
        own = [fault for fault in plan.scenario.faults if fault.dependency == dependency.name]
        self.fragile = any(fault.type == CallFault.DEPENDENCY_CRASH for fault in own)
        for fault in own:
            for window in fault.windows:
                if fault.type == CallFault.DEPENDENCY_CRASH:
                    self._at(window.start_s, self._crash, fault, window)
                elif fault.type == CallFault.BAD_RELEASE:
                    self._at(window.start_s, self._release, fault, window)

    def _at(self, t_s: float, happen: object, *values: object) -> None:
        call = happen
        assert callable(call)
        self._env.timeout(max(0.0, t_s - self._env.now)).callbacks.append(lambda _: call(*values))

    def _tell(self, kind: Kind, cause: int) -> None:
        self._row((self._env.now, kind, -1, 0, -1, cause, self._name))

    # Crash and restart.

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
        self.lives += 1
        self._tell(Kind.PROCESS_STARTED, NO_CAUSE)
        self._tell(Kind.FAULT_CLEARED, cause)

    # A bad release goes live, and is rolled back.

    @property
    def live(self) -> frozenset[str]:
        """The bad releases that are live."""
        return frozenset(deployed.fault.name for deployed in self._deployed) if self._deployed else _NONE

    def _release(self, fault: Fault, window: Window) -> None:
        deployed = _Deployed(fault)
        self._deployed.append(deployed)
        self._tell(Kind.RELEASE_DEPLOYED, self._plan.cause_of(fault))
        self._at(window.end_s, self._withdraw, deployed, Kind.FAULT_CLEARED)

    def _withdraw(self, deployed: "_Deployed", kind: Kind) -> None:
        """End this deployment only."""
        if deployed not in self._deployed:
            return
        self._deployed.remove(deployed)
        self._tell(kind, self._plan.cause_of(deployed.fault))
        if self._rolling_back is deployed:
            self._rolling_back = None
        if kind is Kind.RELEASE_ROLLED_BACK:
            # The failed calls were of the release that is gone.
            self._recent.clear()
            self._failed = 0

    def note(self, *, failed: bool) -> None:
        """A call ended; if too many fail, the newest release is rolled back."""
        rollback, now = self._rollback, self._env.now
        if rollback is None:
            return
        self._recent.append((now, failed))
        self._failed += failed
        while self._recent[0][0] <= now - rollback.window_s:
            self._failed -= self._recent.popleft()[1]
        calls = len(self._recent)
        if self._rolling_back or not self._deployed or calls < rollback.min_calls:
            return
        if self._failed > rollback.error_rate * calls:
            self._rolling_back = self._deployed[-1]
            self._at(now + rollback.takes_s, self._withdraw, self._rolling_back, Kind.RELEASE_ROLLED_BACK)
