"""What of a pipeline cannot hold, and faults that cannot take effect. Without NumPy: `soak validate` asks, too."""

import math
from collections.abc import Iterator, Sequence

from soak.schemas.language.model import Process as Arrivals
from soak.schemas.language.model import Scenario
from soak.schemas.systems.pipeline.faults import PipelineFaultType
from soak.schemas.systems.pipeline.settings import Pipeline, RestartWhen, pipeline_of
from soak.schemas.units import show_count, show_duration
from soak.simulation.pipeline.alert_doubts import alert_doubts
from soak.simulation.pipeline.capacity import demands
from soak.simulation.pipeline.course import Course, courses
from soak.simulation.pipeline.overflow import expected_drops
from soak.simulation.pipeline.rules import SETTLING_S
from soak.simulation.rate import rate_of
from soak.simulation.room import Doubt

_ROUNDING = 1e-9


def pipeline_doubts(scenario: Scenario) -> Iterator[Doubt]:
    """All of a pipeline."""
    pipeline, found = pipeline_of(scenario), courses(scenario)
    yield from _processes(scenario, pipeline)
    yield from _buffer(scenario, pipeline, found)
    for number, course in enumerate(found):
        yield from _faults(scenario, pipeline, number, course)
    yield from _unseen(scenario, pipeline)
    yield from _times(scenario, pipeline)
    yield from alert_doubts(scenario, found)


def _processes(scenario: Scenario, pipeline: Pipeline) -> Iterator[Doubt]:
    rate = rate_of(scenario.workload)
    mean_per_s = rate.expected(scenario.duration_s) / scenario.duration_s
    for place, demand in enumerate(demands(scenario, mean_per_s)):
        process = demand.process
        if demand.utilisation > 1 + _ROUNDING:
            per_s = 1 / (process.service.mean_s * demand.share)
            what = f"{process.name} works {demand.utilisation:.2f} s for the records of a second: its queue grows without end"
            yield Doubt(("pipeline", "processes", place, "service"), what, f"shorten it, or send at most {per_s:.4g}/s")
        timeout_s = pipeline.supervisor.health.start_timeout_s
        if process.start.mean_s > timeout_s:
            what = (
                f"{process.name} takes {show_duration(process.start.mean_s)} to start on average, "
                f"but is killed after {show_duration(timeout_s)}"
            )
            where = ("pipeline", "supervisor", "health", "start_timeout")
            yield Doubt(where, what, "raise start_timeout, or shorten the start")


def _buffer(scenario: Scenario, pipeline: Pipeline, found: Sequence[Course]) -> Iterator[Doubt]:
    process = pipeline.processes[pipeline.reader]
    drops = expected_drops(scenario, rate_of(scenario.workload), found)
    if drops:
        count = sum(each.records for each in drops)
        what = (
            f"about {show_count(count)} records do not fit into the buffer of {process.name} and are dropped, "
            f"the first of them {show_duration(drops[0].at_s)} after the start"
        )
        yield Doubt(
            ("pipeline", "processes", pipeline.reader, "buffer"), what, "raise buffer, or write overflow: block"
        )


def _faults(scenario: Scenario, pipeline: Pipeline, number: int, course: Course) -> Iterator[Doubt]:
    name, restart = pipeline.processes[number].name, pipeline.supervisor.restart
    if course.abandoned:
        at_s, place = course.abandoned
        if restart.when is RestartWhen.NEVER:
            what, remedy = "is never started again", "write restart.when: failure"
        else:
            many = f"{restart.max_restarts} restart{'' if restart.max_restarts == 1 else 's'}"
            what = f"is abandoned: it ends once more after {many} within {show_duration(restart.within_s)}"
            remedy = "raise max_restarts, or separate the faults in time"
        yield Doubt(("faults", place), f"{name} {what}, {show_duration(at_s)} after the start", remedy)
    told = set[int]()
    for place, at_s in course.idle:
        if place not in told:
            told.add(place)
            strikes = "it has no effect" if course.abandoned else "it strikes when it is started again, if at all"
            what = f"{scenario.faults[place].name} finds {name} down, {show_duration(at_s)} after the start: {strikes}"
            yield Doubt(("faults", place), what, "separate the faults in time")


def _unseen(scenario: Scenario, pipeline: Pipeline) -> Iterator[Doubt]:
    """Faults that nothing shows."""
    every_s, last = pipeline.export_every_s, scenario.duration_s
    for place, fault in enumerate(scenario.faults):
        if fault.type == PipelineFaultType.EXPORT_OUTAGE:
            for window in fault.windows:
                next_s = max(1, math.ceil((window.start_s - SETTLING_S) / every_s - _ROUNDING)) * every_s
                if next_s > last + _ROUNDING or next_s + SETTLING_S >= window.end_s:
                    what = f"no export is due while {fault.name} lasts, {show_duration(window.start_s)} after the start"
                    yield Doubt(("faults", place), what, f"let it hold a multiple of {show_duration(every_s)}")
                    break
        for type_, usual in (
            (PipelineFaultType.CONSISTENCY_DROP, pipeline.low_consistency),
            (PipelineFaultType.STRENGTH_DROP, pipeline.strong),
        ):
            if fault.type == type_ and pipeline.faults[fault.name].share == usual:
                yield Doubt(("faults", place, "to"), "is the usual share: it changes nothing", "write another share")


def _times(scenario: Scenario, pipeline: Pipeline) -> Iterator[Doubt]:
    needs_s = SETTLING_S + pipeline.supervisor.grace_s
    if scenario.drain_s < needs_s:
        what = (
            f"the run is over {show_duration(scenario.drain_s)} after the last record, "
            f"but its last process may take {show_duration(pipeline.supervisor.grace_s)} to end"
        )
        yield Doubt(("drain",), what, f"raise it to {show_duration(2 * needs_s)}")
    per_s = rate_of(scenario.workload).mean_per_s
    if scenario.workload.process is Arrivals.CONSTANT and 0 < per_s * pipeline.stream_timeout_s < 1:
        what = (
            f"records come {show_duration(1 / per_s)} apart: the reader gives every connection up "
            f"after {show_duration(pipeline.stream_timeout_s)}"
        )
        yield Doubt(("pipeline", "stream_timeout"), what, "raise it")
