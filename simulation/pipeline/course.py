"""What the planned faults do to each process, with the mean times of its starts. Without NumPy: `soak validate` asks, too."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec import Struct

from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.language.windows import Window
from soak.schemas.systems.pipeline.faults import OF_PROCESS, PipelineFaultType
from soak.schemas.systems.pipeline.settings import Pipeline, pipeline_of
from soak.simulation.pipeline.restarts import Restarts

STRIKES_AFTER = 0.5
"""A kill during start-up comes when this share of it is over."""

STRIKES_WITHIN_S = 30.0
"""A fault that finds its process down strikes it as soon as it is started again, if that is not later than this."""


class Absence(Struct, frozen=True):
    """A time in which a process does not work, and the place of the fault that it is due to."""

    window: Window
    fault: int


@dataclass(slots=True)
class Course:
    """What becomes of a process. restarts: how often it is started again. abandoned: when, and by which fault. idle: places of
    faults that find it down, and when.
    """

    absences: list[Absence] = field(default_factory=list)
    restarts: int = 0
    abandoned: tuple[float, int] | None = None
    idle: list[tuple[int, float]] = field(default_factory=list)


def courses(scenario: Scenario) -> list[Course]:
    """What becomes of each process, in their order."""
    pipeline = pipeline_of(scenario)
    return [_Walk(scenario, pipeline, number).course for number in range(len(pipeline.processes))]


class _Walk:
    """Goes through the faults of a process in time order."""

    def __init__(self, scenario: Scenario, pipeline: Pipeline, number: int) -> None:
        self._pipeline, self._process = pipeline, pipeline.processes[number]
        self._restarts = Restarts(pipeline.supervisor.restart)
        self._begun_s = self._healthy_s = 0.0
        self.course = Course()
        for at_s, place, fault, until_s in sorted(_strikes(scenario, self._process.name), key=lambda each: each[:2]):
            self._strike(at_s, place, fault, until_s)

    def _strike(self, at_s: float, place: int, fault: Fault, until_s: float) -> None:
        takes_port = fault.type == PipelineFaultType.PORT_TAKEN
        if self.course.abandoned or at_s < self._begun_s:
            self.course.idle.append((place, at_s))
            if self.course.abandoned or self._begun_s > at_s + STRIKES_WITHIN_S:
                return
            at_s = self._begun_s
        if fault.type == PipelineFaultType.CLOCK_JUMP:
            return
        if fault.type == PipelineFaultType.PROCESS_HANG:
            self.course.absences.append(Absence(Window(at_s, until_s), place))
            return
        self._end(at_s, place)
        if self._pipeline.faults[fault.name].during_startup and not self.course.abandoned:
            self._end(self._begun_s + STRIKES_AFTER * (self._healthy_s - self._begun_s), place)
        while takes_port and not self.course.abandoned and self._healthy_s < until_s:
            self._end(self._healthy_s, place)
        back_s = math.inf if self.course.abandoned else self._healthy_s
        self.course.absences.append(Absence(Window(at_s, back_s), place))

    def _end(self, at_s: float, place: int) -> None:
        wait_s = self._restarts.ended(at_s, max(0.0, at_s - self._healthy_s)) if self._restarts.wanted else None
        if wait_s is None:
            self.course.abandoned = (at_s, place)
            return
        self.course.restarts += 1
        self._begun_s = at_s + wait_s
        self._healthy_s = self._begun_s + self._process.start.mean_s


def _strikes(scenario: Scenario, name: str) -> Iterator[tuple[float, int, Fault, float]]:
    for place, fault in enumerate(scenario.faults):
        if fault.dependency == name and fault.type in OF_PROCESS:
            yield from ((window.start_s, place, fault, window.end_s) for window in fault.windows)
