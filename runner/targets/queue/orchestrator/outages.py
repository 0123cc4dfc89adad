"""Faults by time: each begins, is seen to take effect, and is cleared."""

from collections import Counter

from soak.runner.targets.context import Course
from soak.runner.targets.queue.orchestrator.disk import Disk
from soak.runner.targets.queue.orchestrator.lock import Lock
from soak.runner.targets.queue.orchestrator.system import OrchestratorSystem
from soak.schemas.language.faults import TELEMETRY_LOSS, Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.systems.queue.faults import QueueFault


class Outages:
    """Puts the faults by time on the agenda that befall the system."""

    def __init__(self, course: Course, system: OrchestratorSystem, lock: Lock, disk: Disk | None) -> None:
        self._course = course
        self._system = system
        self._lock = lock
        self._disk = disk
        self._on: Counter[str] = Counter()

    def start(self) -> None:
        """Put every window on the agenda."""
        for fault in self._course.plan.scenario.faults:
            for window in fault.windows if fault.by_time and fault.type != TELEMETRY_LOSS else ():
                self._put(fault, window)

    def _put(self, fault: Fault, window: Window) -> None:
        known_s, from_s = self._course.known_s, self._course.from_s
        if known_s < window.end_s <= from_s:
            self._tell(fault, window)
        if window.end_s <= from_s:
            return
        if window.start_s < known_s:
            self._take_up(fault)
        else:
            self._course.at(window.start_s, lambda: self._begin(fault))
        self._course.at(window.end_s, lambda: self._clear(fault))

    def _tell(self, fault: Fault, window: Window) -> None:
        """It was over before the runner was gone, which could not tell of it any more."""
        cause = self._course.plan.cause_of(fault)
        if window.start_s >= self._course.known_s:
            self._course.note(window.start_s, Kind.FAULT_INJECTED, cause=cause)
        self._course.note(window.end_s, Kind.FAULT_CLEARED, cause=cause)

    def _take_up(self, fault: Fault) -> None:
        """Its beginning was told before the runner was gone."""
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
        self._course.note_fault(fault, Kind.FAULT_INJECTED)
        if fault.spec.process:
            name, cause = fault.spec.process, self._course.plan.cause_of(fault)
            self._course.note_process(self._course.now(), Kind.PROCESS_EXITED, name, cause=cause)

    def _strike(self, fault: Fault) -> None:
        """Windows of several faults may overlap: the last one to end ends it."""
        self._on[fault.type] += 1
        if fault.type == QueueFault.DISK_FULL and self._disk:
            self._disk.fill(self._system.files()[0])
        elif fault.spec.process:
            self._system.kill(fault.spec.process)

    def _locked(self, fault: Fault) -> None:
        self._course.note_fault(fault, Kind.FAULT_INJECTED)
        if not self._system.is_writable():
            self._course.note_fault(fault, Kind.FAULT_SEEN)

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
                self._course.note_process(self._course.now(), Kind.PROCESS_STARTED, fault.spec.process)
        self._course.note_fault(fault, Kind.FAULT_CLEARED)
