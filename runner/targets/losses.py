"""Lost telemetry: it is lost in the journal; here it is told when."""

from functools import partial

from soak.runner.targets.context import Course
from soak.schemas.language.faults import TELEMETRY_LOSS
from soak.schemas.stream.events import Kind


def put_losses(course: Course) -> None:
    """Put every loss of telemetry that has not ended on the agenda."""
    for fault in course.plan.scenario.faults:
        for window in fault.windows if fault.type == TELEMETRY_LOSS else ():
            if window.start_s >= course.known_s:
                course.at(window.start_s, partial(course.note_fault, fault, Kind.FAULT_INJECTED))
            if window.end_s > course.known_s:
                course.at(window.end_s, partial(course.note_fault, fault, Kind.FAULT_CLEARED, Kind.SAMPLE_LOST))
