"""Faults by time: each begins, is seen to take effect, and is cleared."""

import sqlite3
from pathlib import Path

from runner.targets.agenda import Agenda
from runner.targets.clock import Clock
from runner.targets.journal import Journal
from runner.targets.orchestrator.disk import Disk
from runner.targets.orchestrator.lock import Lock
from runner.targets.orchestrator.system import System
from schemas.events import Kind
from schemas.model import BY_TIME, PROCESS_CRASHES, Fault, FaultType, Window
from simulation.plan import Plan

_PROCESS = {FaultType.DISPATCHER_CRASH: "dispatcher0", FaultType.WATCHDOG_CRASH: "watchdog"}


class Outages:
    """Puts the faults by time on the agenda. Lost telemetry is lost in the journal; here it is only told."""

    def __init__(
        self,
        plan: Plan,
        clock: Clock,
        agenda: Agenda,
        journal: Journal,
        system: System,
        lock: Lock,
        disk: Disk | None,
        database: Path,
    ) -> None:
        self._plan = plan
        self._database = database
        self._system = system
        self._lock = lock
        self._disk = disk
        self._clock = clock
        self._agenda = agenda
        self._journal = journal

    def start(self) -> None:
        """Put every window on the agenda."""
        for fault in self._plan.scenario.faults:
            for window in fault.windows if fault.type in BY_TIME else ():
                self._put(fault, window)

    def _put(self, fault: Fault, window: Window) -> None:
        now_s = self._clock.now()
        if window.end_s <= now_s:
            return
        if window.start_s < now_s:
            self._take_up(fault)
        else:
            self._agenda.at(window.start_s, lambda: self._begin(fault))
        self._agenda.at(window.end_s, lambda: self._clear(fault))

    def _take_up(self, fault: Fault) -> None:
        """Its beginning was told before the runner was gone."""
        if fault.type is FaultType.DB_OUTAGE:
            self._lock.hold(lambda: None)
        elif fault.type in PROCESS_CRASHES:
            self._system.kill(_PROCESS[fault.type])

    def _begin(self, fault: Fault) -> None:
        if fault.type is FaultType.DB_OUTAGE:
            self._lock.hold(lambda: self._locked(fault))
            return
        if fault.type is FaultType.DISK_FULL and self._disk:
            self._disk.fill(self._database)
            self._locked(fault)
            return
        self._note(Kind.FAULT_INJECTED, fault)
        if fault.type in PROCESS_CRASHES:
            self._system.kill(_PROCESS[fault.type])
            self._note(Kind.PROCESS_EXITED, fault)

    def _locked(self, fault: Fault) -> None:
        self._note(Kind.FAULT_INJECTED, fault)
        if not self._writable():
            self._note(Kind.FAULT_SEEN, fault)

    def _writable(self) -> bool:
        """Whether the database takes a write now, found out by trying."""
        database = sqlite3.connect(self._database, timeout=0.0, isolation_level=None)
        try:
            # A write of what is there already: it takes the lock, and room in the log.
            [(version,)] = database.execute("PRAGMA user_version")
            database.execute("BEGIN IMMEDIATE")
            database.execute(f"PRAGMA user_version = {int(version)}")
            database.execute("COMMIT")
        except sqlite3.OperationalError:
            return False
        finally:
            database.close()
        return True

    def _clear(self, fault: Fault) -> None:
        if fault.type is FaultType.DB_OUTAGE:
            self._lock.release()
        elif fault.type is FaultType.DISK_FULL and self._disk:
            self._disk.free()
        elif fault.type in PROCESS_CRASHES:
            self._system.restart(_PROCESS[fault.type])
            self._journal.note(self._clock.now(), Kind.PROCESS_STARTED)
        self._note(Kind.FAULT_CLEARED, fault)
        if fault.type is FaultType.TELEMETRY_LOSS:
            self._note(Kind.SAMPLE_LOST, fault)

    def _note(self, kind: Kind, fault: Fault) -> None:
        self._journal.note(self._clock.now(), kind, cause=self._plan.cause_of(fault))
