"""Faults of a task system at times: which strike each of them is, and what has to be prepared for it."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from soak.runner.targets.processes.faults import Faults
from soak.runner.targets.processes.strikes import Strike
from soak.runner.targets.queue.foreign.strikes import (
    ByAction,
    Locked,
    OneByOne,
    Struck,
    WorkersEnd,
    WorkersHang,
    WorkersSlow,
)
from soak.runner.targets.queue.foreign.strikes_at_services import (
    SURVIVES,
    ClockJump,
    ConnectionsEnd,
    DiskFull,
    NetworkCut,
    NetworkDelay,
    ServiceEnds,
    ServiceHangs,
)
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Program

_STRIKES: Mapping[str, Callable[[Fault, Window, Struck], Strike]] = {
    QueueFault.WORKER_CRASH: WorkersEnd,
    QueueFault.WORKER_KILL: WorkersEnd,
    QueueFault.WORKER_TERM: WorkersEnd,
    QueueFault.WORKER_RESTART: WorkersEnd,
    QueueFault.ROLLING_RESTART: OneByOne,
    QueueFault.WORKER_HANG: WorkersHang,
    QueueFault.SLOW_WORKER: WorkersSlow,
    QueueFault.SERVICE_KILL: ServiceEnds,
    QueueFault.SERVICE_RESTART: ServiceEnds,
    QueueFault.DATABASE_FAILOVER: ServiceEnds,
    QueueFault.SERVICE_HANG: ServiceHangs,
    QueueFault.CONNECTIONS_KILL: ConnectionsEnd,
    QueueFault.NETWORK_CUT: NetworkCut,
    QueueFault.NETWORK_DELAY: NetworkDelay,
    QueueFault.DISK_FULL: DiskFull,
    QueueFault.CLOCK_JUMP: ClockJump,
    QueueFault.DB_OUTAGE: ServiceHangs,
    QueueFault.DISPATCHER_CRASH: ServiceEnds,
    QueueFault.WATCHDOG_CRASH: ServiceEnds,
}


def strike_of(fault: Fault, window: Window, struck: Struck) -> Strike:
    """What a fault does: what the target file says, if it says so, or else what soak does itself."""
    if says := struck.file.faults.get(fault.type):
        return Locked(fault, window, struck, says.sqlite) if says.sqlite else ByAction(fault, window, struck)
    if any(each.outage == fault.type for each in struck.file.services):
        return ServiceEnds(fault, window, struck)
    return _STRIKES[fault.type](fault, window, struck)


def faults_of(struck: Struck) -> Faults:
    """All faults at times of a run; `start` puts them on its agenda."""
    faults = Faults(struck.context, lambda fault, window: strike_of(fault, window, struck))
    struck.control.listeners.append(faults.saw)
    return faults


def fit_to_be_struck(loaded: LoadedTarget, faults: Iterable[Fault]) -> LoadedTarget:
    """The target file with services that survive it when a fault of their disk strikes them."""
    full = {each.dependency for each in faults if each.type == QueueFault.DISK_FULL and each.dependency}
    if not full or QueueFault.DISK_FULL in loaded.file.faults:
        return loaded
    services = tuple(_surviving(each) if full & {each.name, each.role} else each for each in loaded.file.services)
    return dataclasses.replace(loaded, file=replace(loaded.file, services=services))


def _surviving(program: Program) -> Program:
    return replace(program, command=f"{SURVIVES} {program.command}")
