"""Faults of a plan: each begins, brings something about, is seen when a request meets it, and is over."""

from collections.abc import Callable
from functools import partial

from simpy import Environment

from soak.schemas.language.faults import Fault
from soak.schemas.language.http import RequestError
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.gateway.faults import PROCESS, GatewayFault
from soak.schemas.systems.gateway.settings import gateway_of
from soak.simulation.gateway.service import Service
from soak.simulation.plan import Plan
from soak.simulation.recorder import Recorder


class Mishaps:
    """Puts the faults of a plan into a service.

    Where windows overlap, the fault that begins last is the one that is met, and what it took is back when all are over.
    """

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        self._env, self._plan, self._row = env, plan, recorder.row
        self._times = dict(gateway_of(plan.scenario).slow)
        self._unseen: set[int] = set()
        self._outages: dict[str, list[int]] = {GatewayFault.STORE_OUTAGE: [], GatewayFault.LOCK_OUTAGE: []}
        self._errors = {self._cause(each): self._error(each) for each in plan.scenario.faults}

    def put(self, service: Service) -> None:
        """Have every fault happen when it is due."""
        happen: dict[str, Callable[[Fault, Window, Service], Callable[[], None]]] = {
            GatewayFault.GATEWAY_KILL: self._kill,
            GatewayFault.STORE_OUTAGE: self._store_outage,
            GatewayFault.STORE_SLOW: self._store_slow,
            GatewayFault.LOCK_OUTAGE: self._lock_outage,
        }
        for fault in self._plan.scenario.faults:
            for window in fault.windows if fault.type in happen else ():
                self._at(window.start_s, partial(self._begin, happen[fault.type], fault, window, service))

    def kills(self) -> bool:
        """Whether processes are killed."""
        return any(each.type == GatewayFault.GATEWAY_KILL for each in self._plan.scenario.faults)

    def error_of(self, cause: int) -> int:
        """The cause of the error that a request ends with which meets the fault of this cause."""
        return self._errors[cause]

    def seen(self, now: float, cause: int) -> None:
        """A request meets a fault; the first in each of its windows is noted."""
        if cause in self._unseen:
            self._unseen.discard(cause)
            self._row((now, Kind.FAULT_SEEN, -1, 0, -1, cause, 0.0))

    def _at(self, t_s: float, call: Callable[[], None]) -> None:
        self._env.timeout(max(0.0, t_s - self._env.now)).callbacks.append(lambda _: call())

    def _cause(self, fault: Fault) -> int:
        return self._plan.cause_of(fault)

    def _error(self, fault: Fault) -> int:
        killed = fault.type == GatewayFault.GATEWAY_KILL
        error = RequestError.CONNECTION_ERROR if killed else RequestError.SERVER_ERROR
        return self._plan.vocabulary.cause(fault.name, error.value)

    def _begin(
        self,
        happen: Callable[[Fault, Window, Service], Callable[[], None]],
        fault: Fault,
        window: Window,
        service: Service,
    ) -> None:
        cause = self._cause(fault)
        self._unseen.add(cause)
        self._row((self._env.now, Kind.FAULT_INJECTED, -1, 0, -1, cause, 0.0))
        over = happen(fault, window, service)

        def end() -> None:
            over()
            self._unseen.discard(cause)
            self._row((self._env.now, Kind.FAULT_CLEARED, -1, 0, -1, cause, 0.0))

        self._at(window.end_s, end)

    def _kill(self, fault: Fault, window: Window, service: Service) -> Callable[[], None]:
        now, name = self._env.now, self._plan.vocabulary.name(PROCESS)
        cause = self._cause(fault)
        process = service.kill(now, cause)
        if process is None:
            return lambda: None
        self._row((now, Kind.PROCESS_EXITED, -1, 0, process, cause, name))

        def back() -> None:
            self._row((self._env.now, Kind.PROCESS_STARTED, -1, 0, process, NO_CAUSE, name))
            service.restart(self._env.now, process)

        return back

    def _store_outage(self, fault: Fault, window: Window, service: Service) -> Callable[[], None]:
        going_on, cause = self._outages[fault.type], self._cause(fault)
        going_on.append(cause)
        if service.outbox:
            service.outbox.stall(self._env.now, window.end_s)
        for store in service.stores:
            store.break_off(self._env.now, cause)

        def back() -> None:
            going_on.remove(cause)
            for store in service.stores:
                store.down = going_on[-1] if going_on else 0

        return back

    def _store_slow(self, fault: Fault, window: Window, service: Service) -> Callable[[], None]:
        cause = self._cause(fault)
        for store in service.stores:
            store.slow[cause] = self._times[fault.name]

        def back() -> None:
            for store in service.stores:
                store.slow.pop(cause, None)

        return back

    def _lock_outage(self, fault: Fault, window: Window, service: Service) -> Callable[[], None]:
        going_on, cause = self._outages[fault.type], self._cause(fault)
        going_on.append(cause)
        for lock in service.locks:
            lock.down = cause

        def back() -> None:
            going_on.remove(cause)
            for lock in service.locks:
                if going_on:
                    lock.down = going_on[-1]
                else:
                    lock.back(self._env.now)

        return back
