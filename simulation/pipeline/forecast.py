"""The load of a plan on a pipeline, without running it."""

import numpy as np
from msgspec import Struct

from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.pipeline.capacity import Demand, batch_wait_s, demands, path_to, share_of
from soak.simulation.pipeline.course import courses
from soak.simulation.pipeline.overflow import expected_drops
from soak.simulation.plan import Plan
from soak.simulation.segments import Segment, mean_over, segments, shortfall
from soak.simulation.shares import expected_arrivals

POINTS = 72
_ROUNDING = 1e-9


class ProcessForecast(Struct, frozen=True):
    """Of a process. utilisation: between bursts; peak: in bursts. wait_s: of a record, on average, between bursts; infinite
    if it cannot keep up. down_s, restarts: by the planned faults.
    """

    name: str
    records: float
    utilisation: float
    peak: float
    wait_s: float
    restarts: int
    down_s: float


class SinkForecast(Struct, frozen=True):
    """Of a sink. latency_s: the mean time from the source until it holds a record, between bursts and without faults."""

    name: str
    records: float
    latency_s: float


class PipelineForecast(Struct, frozen=True):
    """Figures of a plan. records: drawn. dropped: expected at the buffer of the reader, as a fluid.

    rate_per_s: records per second, drawn, in POINTS equal parts of the run.
    """

    records: int
    expected_records: float
    processes: tuple[ProcessForecast, ...]
    sinks: tuple[SinkForecast, ...]
    dropped: float
    rate_per_s: Floats
    warnings: tuple[str, ...]


def forecast_pipeline(plan: Plan) -> PipelineForecast:
    """The forecast of a plan of the system `pipeline`."""
    scenario = plan.scenario
    edges = np.linspace(0.0, scenario.duration_s, POINTS + 1)
    histogram, records = np.zeros(POINTS), 0
    for chunk in plan.submissions():
        records += len(chunk)
        histogram += np.histogram(chunk.due_s, edges)[0]
    expected = expected_arrivals(scenario, plan.rate)
    parts = segments(scenario, plan.rate)
    usual = demands(scenario, _rate(parts, burst=False) or _rate(parts, burst=True))
    peak = demands(scenario, plan.rate.highest_per_s)
    return PipelineForecast(
        records=records,
        expected_records=expected,
        processes=_processes(scenario, expected, usual, peak),
        sinks=_sinks(scenario, expected, usual, _rate(parts, burst=False)),
        dropped=sum(each.records for each in expected_drops(scenario, plan.rate, courses(scenario))),
        rate_per_s=histogram / (edges[1] - edges[0]),
        warnings=(*_warnings(usual, peak), *shortfall(scenario, records)),
    )


def _rate(parts: list[Segment], *, burst: bool) -> float:
    return mean_over([part for part in parts if part.burst == burst], lambda _: 1.0)


def _processes(
    scenario: Scenario, expected: float, usual: list[Demand], peak: list[Demand]
) -> tuple[ProcessForecast, ...]:
    found = []
    for at, most, course in zip(usual, peak, courses(scenario), strict=True):
        ends = (min(each.window.end_s, scenario.duration_s) - each.window.start_s for each in course.absences)
        found.append(
            ProcessForecast(
                at.process.name,
                expected * at.share,
                at.utilisation,
                max(at.utilisation, most.utilisation),
                at.wait_s,
                course.restarts,
                sum(ends),
            )
        )
    return tuple(found)


def _sinks(scenario: Scenario, expected: float, usual: list[Demand], rate_per_s: float) -> tuple[SinkForecast, ...]:
    pipeline, found = pipeline_of(scenario), []
    for sink in pipeline.sinks:
        path = path_to(pipeline, sink.of)
        share = share_of(pipeline, tuple(pipeline.processes[each].passes for each in path))
        latency_s = sum(usual[each].sojourn_s for each in path) + batch_wait_s(sink, rate_per_s * share)
        found.append(SinkForecast(sink.name, expected * share, latency_s))
    return tuple(found)


def _warnings(usual: list[Demand], peak: list[Demand]) -> list[str]:
    return [
        f"{most.process.name} cannot keep up in bursts: it works {most.utilisation:.2f} s for the records of a second"
        for at, most in zip(usual, peak, strict=True)
        if at.utilisation <= 1 + _ROUNDING < most.utilisation
    ]
