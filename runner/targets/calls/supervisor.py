"""Supervision of a real dependency: it is killed and restarted, and bad releases are deployed and rolled back."""

import asyncio
from collections import deque

from soak.runner.targets.calls.dependencies import LOOK_EVERY_S, Program
from soak.runner.targets.calls.http import is_well, open_http
from soak.runner.targets.calls.rows import Rows
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.systems.calls.faults import CallFault
from soak.schemas.systems.calls.settings import HealthCheck, Pool, calls_of
from soak.simulation.plan import Plan

_LEAST_PROBE_REAL_S = 0.25
_WATCH_REAL_S = 1.0
_ON_THE_WAY_REAL_S = 0.2
_START_REAL_S = 0.5
"""Allowance for the start of a process: it is started this much before it must serve."""


class Supervisor:
    """Whether a dependency is up, and which bad releases are live. Runs in the client's loop."""

    def __init__(self, program: Program, plan: Plan, rows: Rows) -> None:
        self._program = program
        self._plan = plan
        self._rows = rows
        self._clock = rows.clock
        self._name = plan.vocabulary.name(program.dependency.name)
        self._check = program.dependency.health_check
        self._rollback = program.dependency.rollback
        self._recent: deque[tuple[float, bool]] = deque()
        self._unhealthy = asyncio.Event()
        self._changing = asyncio.Lock()
        self._rolling_back: asyncio.Task[None] | None = None
        policies = calls_of(plan.scenario).policy
        self._longest_wait_s = max((each.max_wait_s for each in policies if isinstance(each, Pool)), default=0.0)
        self.down = 0
        """The cause for which it is down; 0 while it is up."""
        self.live: frozenset[str] = frozenset()
        """The bad releases that are live."""

    async def run(self) -> None:
        """Run all scheduled actions, to the end of the run."""
        own = [fault for fault in self._plan.scenario.faults if fault.dependency == self._program.dependency.name]
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for fault in own:
                for window in fault.windows:
                    if fault.type == CallFault.DEPENDENCY_CRASH:
                        tasks.create_task(self._crash(fault, window))
                    elif fault.type == CallFault.BAD_RELEASE:
                        tasks.create_task(self._release(fault, window))
            tasks.create_task(self._watch())
            if self._check:
                tasks.create_task(self._probe(self._check))

    async def _sleep_until(self, t_s: float) -> None:
        while (left_s := t_s - self._clock.now()) > 0:
            await asyncio.sleep(self._clock.real(left_s))

    # Crash and restart.

    async def _crash(self, fault: Fault, window: Window) -> None:
        await self._sleep_until(window.start_s)
        async with self._changing:
            if self.down:
                return
            self.down = cause = self._plan.cause_of(fault)
            self._unhealthy.clear()
            self._program.kill()
            self._rows.note(Kind.FAULT_INJECTED, cause=cause)
            self._rows.note(Kind.PROCESS_EXITED, cause=cause, value=self._name)
        back_s = window.end_s
        try:
            async with asyncio.timeout(max(0.0, self._clock.real(window.end_s - self._clock.now()))):
                await self._unhealthy.wait()
            assert self._check
            self._rows.note(Kind.FAULT_SEEN, cause=cause)
            back_s = min(back_s, self._clock.now() + self._check.restart_s)
        except TimeoutError:
            pass
        async with self._changing:
            await self._start(back_s, bad=bool(self.live))
            self.down = 0
        self._rows.note(Kind.PROCESS_STARTED, value=self._name)
        self._rows.note(Kind.FAULT_CLEARED, cause=cause)

    async def _start(self, ready_s: float, *, bad: bool) -> None:
        """Let a new process serve, not before `ready_s`: its startup is part of that wait."""
        await self._sleep_until(ready_s - self._clock.speed * _START_REAL_S)
        name = self._program.launch(bad=bad)
        while not self._program.is_ready(name):
            await asyncio.sleep(LOOK_EVERY_S)
        await self._sleep_until(ready_s)
        before = self._program.switch_to(name)
        self._tasks.create_task(self._retire(before))

    async def _retire(self, name: str) -> None:
        """Retire a replaced process, when no call is on its way to it any more."""
        await asyncio.sleep(_ON_THE_WAY_REAL_S + self._clock.real(self._longest_wait_s))
        self._program.retire(name)

    async def _watch(self) -> None:
        """Restart a process that exited by itself."""
        while True:
            await asyncio.sleep(_WATCH_REAL_S)
            async with self._changing:
                if not self.down and not self._program.is_alive():
                    died = self._plan.vocabulary.cause("", "died")
                    self._rows.note(Kind.PROCESS_EXITED, cause=died, value=self._name)
                    await self._start(self._clock.now(), bad=bool(self.live))
                    self._rows.note(Kind.PROCESS_STARTED, value=self._name)

    async def _probe(self, check: HealthCheck) -> None:
        """Probe it at whole multiples of the interval; after enough consecutive failures it is unhealthy."""
        failed = rounds = 0
        patience_s = max(_LEAST_PROBE_REAL_S, self._clock.real(check.every_s))
        async with open_http(timeout_s=patience_s) as http:
            while True:
                rounds = max(rounds + 1, int(self._clock.now() / check.every_s))
                await self._sleep_until(rounds * check.every_s)
                failed = 0 if await is_well(http, self._program.url) else failed + 1
                if failed >= check.unhealthy_after and self.down:
                    self._unhealthy.set()

    # A bad release goes live, and is rolled back.

    async def _release(self, fault: Fault, window: Window) -> None:
        await self._sleep_until(window.start_s - self._clock.speed * _START_REAL_S)
        async with self._changing:
            await self._start(window.start_s, bad=True)
            self.live |= {fault.name}
        self._rows.note(Kind.RELEASE_DEPLOYED, cause=self._plan.cause_of(fault))
        await self._sleep_until(window.end_s)
        await self._withdraw(fault, window.end_s, Kind.FAULT_CLEARED)

    async def _withdraw(self, fault: Fault, back_s: float, kind: Kind) -> None:
        """Let the previous release serve again, from `back_s` on."""
        async with self._changing:
            if fault.name in self.live:
                others = self.live - {fault.name}
                await self._start(back_s, bad=bool(others))
                self.live = others
                self._rows.note(kind, cause=self._plan.cause_of(fault))

    def note(self, *, failed: bool) -> None:
        """A call ended; if too many fail, a live release is rolled back."""
        rollback, now_s = self._rollback, self._clock.now()
        if rollback is None:
            return
        self._recent.append((now_s, failed))
        while self._recent[0][0] <= now_s - rollback.window_s:
            self._recent.popleft()
        calls = len(self._recent)
        under_way = self._rolling_back is not None and not self._rolling_back.done()
        if under_way or not self.live or calls < rollback.min_calls:
            return
        if sum(each for _, each in self._recent) > rollback.error_rate * calls:
            fault = next(each for each in self._plan.scenario.faults if each.name in self.live)
            back = self._withdraw(fault, now_s + rollback.takes_s, Kind.RELEASE_ROLLED_BACK)
            self._rolling_back = self._tasks.create_task(back)
