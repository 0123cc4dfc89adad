"""Scheduled faults: each begins, is seen to take effect, and is cleared."""

from collections import Counter

from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.orchestrator.disk import Disk
from soak.runner.targets.queue.orchestrator.lock import Lock
from soak.runner.targets.queue.orchestrator.system import OrchestratorSystem
from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.fleet import OF_WORKERS

_ELSEWHERE = frozenset({TELEMETRY_LOSS, *OF_WORKERS})
"""Faults at times that are injected elsewhere."""


class Outages:
    """Schedules the faults of the system."""

    def __init__(self, context: RunContext, system: OrchestratorSystem, lock: Lock, disk: Disk | None) -> None:
        self._context = context
        self._system = system
        self._lock = lock
        self._disk = disk
        self._on: Counter[str] = Counter()

    def start(self) -> None:
        """Schedule every window."""
        for fault in self._context.plan.scenario.faults:
            for window in fault.windows if fault.by_time and fault.type not in _ELSEWHERE else ():
                self._put(fault, window)

    def _put(self, fault: Fault, window: Window) -> None:
        known_s, from_s = self._context.known_s, self._context.from_s
        if known_s < window.end_s <= from_s:
            self._tell(fault, window)
        if window.end_s <= from_s:
            return
        if window.start_s < known_s:
            self._take_up(fault)
        else:
            self._context.at(window.start_s, lambda: self._begin(fault))
        self._context.at(window.end_s, lambda: self._clear(fault))

    def _tell(self, fault: Fault, window: Window) -> None:
        """It ended before the runner died, which could not record it any more."""
        cause = self._context.plan.cause_of(fault)
        if window.start_s >= self._context.known_s:
            self._context.note(window.start_s, Kind.FAULT_INJECTED, cause=cause)
        self._context.note(window.end_s, Kind.FAULT_CLEARED, cause=cause)

    def _take_up(self, fault: Fault) -> None:
        """Its start was recorded before the runner died."""
        if fault.type == QueueFault.DB_OUTAGE:
            self._lock.hold(lambda: None)
        else:
            self._strike(fault)

    def _begin(self, fault: Fault) -> None:
        if fault.type == QueueFault.DB_OUTAGE:
            self._lock.hold(lambda: self._locked(fault))
            return
        self._strike(fault)
        if fault.type == QueueFault.DISK_FULL:
            self._locked(fault)
            return
        self._context.note_fault(fault, Kind.FAULT_INJECTED)
        if fault.spec.process:
            name, cause = fault.spec.process, self._context.plan.cause_of(fault)
            self._context.note_process(self._context.now(), Kind.PROCESS_EXITED, name, cause=cause)

    def _strike(self, fault: Fault) -> None:
        """Windows of several faults may overlap: the last one to end ends it."""
        self._on[fault.type] += 1
        if fault.type == QueueFault.DISK_FULL and self._disk:
            self._disk.fill(self._system.files()[0])
        elif fault.spec.process:
            self._system.kill(fault.spec.process)

    def _locked(self, fault: Fault) -> None:
        self._context.note_fault(fault, Kind.FAULT_INJECTED)
        if not self._system.is_writable():
            self._context.note_fault(fault, Kind.FAULT_SEEN)

    def _clear(self, fault: Fault) -> None:
        if fault.type == QueueFault.DB_OUTAGE:
            self._lock.release()
        else:
            self._on[fault.type] -= 1
        if not self._on[fault.type]:
            if fault.type == QueueFault.DISK_FULL and self._disk:
                self._disk.free()
            elif fault.spec.process:
                self._system.restart(fault.spec.process)
                self._context.note_process(self._context.now(), Kind.PROCESS_STARTED, fault.spec.process)
        self._context.note_fault(fault, Kind.FAULT_CLEARED)
