"""What does not fit into the buffer of the reader, as a fluid. Without NumPy: `soak validate` asks, too."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.systems.pipeline.faults import PipelineFaultType
from soak.schemas.systems.pipeline.settings import Overflow, pipeline_of
from soak.simulation.pipeline.course import Course
from soak.simulation.rate import ArrivalRate

_ROUNDING = 1e-6


class Dropped(Struct, frozen=True):
    """Records that are expected to be dropped at about a time."""

    at_s: float
    records: float


def expected_drops(scenario: Scenario, rate: ArrivalRate, courses: Sequence[Course]) -> list[Dropped]:
    """When how many records are dropped at the buffer of the reader, if they come and are worked on as a fluid.

    What waited at the source while the reader was down, stopped or disconnected comes at once.
    """
    pipeline = pipeline_of(scenario)
    process = pipeline.processes[pipeline.reader]
    if process.overflow is Overflow.BLOCK:
        return []
    per_s = 1 / process.service.mean_s if process.service.mean_s else float("inf")
    gaps = list(_gaps(scenario, courses[pipeline.reader]))
    edges = sorted({*rate.edges(scenario.duration_s), *(edge for gap in gaps for edge in gap[:2])})
    waiting, held, found = 0.0, 0.0, []
    for from_s, until_s in pairwise(edges):
        if until_s > scenario.duration_s:
            break
        come = rate.expected(until_s) - rate.expected(from_s)
        gap = next((each for each in gaps if each[0] <= from_s < each[1]), None)
        if gap:
            held += come if gap[2] else 0.0
            waiting = max(0.0, waiting - (0.0 if gap[3] else per_s * (until_s - from_s)))
            continue
        waiting, held = waiting + held, 0.0
        over = max(0.0, waiting - process.buffer - 1)
        waiting = max(0.0, waiting - over + come - per_s * (until_s - from_s))
        more = max(0.0, waiting - process.buffer - 1)
        waiting -= more
        if over + more > 1 - _ROUNDING:
            found.append(Dropped(from_s, over + more))
    return found


def _gaps(scenario: Scenario, course: Course) -> Iterator[tuple[float, float, bool, bool]]:
    """Times in which nothing comes: from, until, whether what is sent then comes later, whether nothing is worked on either."""
    resume = pipeline_of(scenario).resume
    for absence in course.absences:
        stopped = scenario.faults[absence.fault].type == PipelineFaultType.PROCESS_HANG
        yield absence.window.start_s, absence.window.end_s, resume or stopped, True
    for fault in scenario.faults:
        if fault.type == PipelineFaultType.SOURCE_DISCONNECT:
            yield from ((window.start_s, window.end_s, resume, False) for window in fault.windows)
