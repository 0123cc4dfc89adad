"""The system `pipeline` in the simulation."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from soak.schemas.language.model import Scenario
from soak.schemas.units import show_duration
from soak.simulation.room import Doubt, Model, Room

if TYPE_CHECKING:
    from simpy import Environment

    from soak.simulation.pipeline.forecast import PipelineForecast
    from soak.simulation.plan import Plan
    from soak.simulation.recorder import Recorder

_HARDLY_S = 1e-5

# What is simulated with is imported when it is: `soak validate` asks this room, too.


def _model(env: "Environment", plan: "Plan", recorder: "Recorder") -> Model:
    from soak.simulation.pipeline.model import PipelineModel

    return PipelineModel(env, plan, recorder)


def _forecast(plan: "Plan") -> "PipelineForecast":
    from soak.simulation.pipeline.forecast import forecast_pipeline

    return forecast_pipeline(plan)


def _figures(scenario: Scenario, f: "PipelineForecast") -> list[str]:
    lines = [f"  records     {f.records:,} ({f.expected_records:,.0f} expected)"]
    for each in f.processes:
        most = f" ({each.peak:.0%} at the busiest times)" if f"{each.peak:.0%}" != f"{each.utilisation:.0%}" else ""
        down = f"; {_counted(each.restarts, 'restart')}, {show_duration(each.down_s)} down" if each.down_s else ""
        busy = f"busy {each.utilisation:.0%} of the time{most}"
        lines.append(f"  process     {each.name}: {each.records:,.0f} records, {busy}; {_waits(each.wait_s)}{down}")
    for sink in f.sinks:
        after = f"{_short(sink.latency_s)} after they are sent" if math.isfinite(sink.latency_s) else "ever later"
        lines.append(f"  sink        {sink.name}: {sink.records:,.0f} records, on average {after}")
    if f.dropped:
        lines.append(f"  dropped     about {f.dropped:,.0f} records at the full buffer")
    return lines


def _waits(wait_s: float) -> str:
    if math.isinf(wait_s):
        return "its queue grows without end"
    return f"a record waits {_short(wait_s)}" if wait_s >= _HARDLY_S else "records hardly wait"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _short(seconds: float) -> str:
    return show_duration(float(f"{seconds:.3g}"))


def _doubts(scenario: Scenario) -> "Iterable[Doubt]":
    from soak.simulation.pipeline.doubts import pipeline_doubts

    return pipeline_doubts(scenario)


ROOM = Room(model=_model, forecast=_forecast, figures=_figures, doubts=_doubts)
