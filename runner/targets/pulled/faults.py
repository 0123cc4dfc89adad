"""Faults by time: what this target cannot do is refused before a run; lost telemetry is lost in the journal, here it is told."""

from functools import partial

from runner.targets.agenda import Agenda
from runner.targets.clock import Clock
from runner.targets.journal import Journal
from schemas.errors import UsageError
from schemas.events import Kind
from schemas.model import Fault, FaultType, Scenario
from simulation.fates import ACTIONS
from simulation.plan import Plan

CAN = frozenset({*ACTIONS, FaultType.DUPLICATE_ENQUEUE, FaultType.TELEMETRY_LOSS})
"""The faults that need no hand inside the system."""

_WHY = {
    "disk_full": "the runner does not know where its data lies",
    "db_outage": "the runner cannot lock a database that it does not know",
    "dispatcher_crash": "its workers claim by themselves, there is no dispatcher",
    "watchdog_crash": "the runner is its watchdog",
}


def refuse_faults(scenario: Scenario, target: str) -> None:
    """Raises UsageError for faults that an attached queue cannot be given, all of them at once."""
    impossible = [fault for fault in scenario.faults if fault.type not in CAN]
    if impossible:
        told = "; ".join(
            f"fault {fault.name} ({fault.type}): {_WHY.get(fault.type, 'it needs a hand inside the system')}"
            for fault in impossible
        )
        raise UsageError(f"{target} cannot be given this scenario: {told} (leave it out, or run another target)")


def put_losses(plan: Plan, clock: Clock, agenda: Agenda, journal: Journal) -> None:
    """Put every loss of telemetry on the agenda."""

    def note(fault: Fault, *kinds: Kind) -> None:
        for kind in kinds:
            journal.note(clock.now(), kind, cause=plan.cause_of(fault))

    for fault in plan.scenario.faults:
        for window in fault.windows if fault.type is FaultType.TELEMETRY_LOSS else ():
            agenda.at(window.start_s, partial(note, fault, Kind.FAULT_INJECTED))
            agenda.at(window.end_s, partial(note, fault, Kind.FAULT_CLEARED, Kind.SAMPLE_LOST))
