"""Schedules telemetry losses; the journal drops the events."""

from functools import partial

from soak.runner.targets.context import RunContext
from soak.schemas.language.faults import TELEMETRY_LOSS
from soak.schemas.stream.events import Kind


def put_losses(context: RunContext) -> None:
    """Put every loss of telemetry that has not ended on the agenda."""
    for fault in context.plan.scenario.faults:
        for window in fault.windows if fault.type == TELEMETRY_LOSS else ():
            if window.start_s >= context.known_s:
                context.at(window.start_s, partial(context.note_fault, fault, Kind.FAULT_INJECTED))
            if window.end_s > context.known_s:
                context.at(window.end_s, partial(context.note_fault, fault, Kind.FAULT_CLEARED, Kind.SAMPLE_LOST))
