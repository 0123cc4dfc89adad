"""When alerts resolve in two runs: as near to each other as minutes are, unless a silence explains the difference."""

import pytest
from histories import block_of, scenario

from soak.runner.judge.pipeline.comparable import PipelineComparable
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.plan import Plan

TEXT = """
system: pipeline
workload: {arrivals: {rate: 1/s}, kinds: [{name: A, share: 100%}]}
pipeline:
  processes: [{name: harvest, reads: source, writes: raw}]
  sinks: [{name: file, of: raw}]
  alerts: {no_records: {for: 1m}, low_consistency: {above: 80%}}
"""
MINUTES = "61 minute.total 60\n121 minute.total 0\n181 minute.total %d\n241 minute.total 60\n"


def resolved(history: str, alert: str = "low_consistency") -> tuple[tuple[float, ...], float]:
    """The times at which an alert resolved as they are compared, and how far they may be apart."""
    plan = Plan(scenario(TEXT))
    followed = PipelineComparable(plan.scenario, plan.vocabulary)
    lines = sorted(history.splitlines(), key=lambda line: float(line.split()[0]))
    followed.observe(block_of("\n".join(lines), plan.vocabulary))
    series = next(each for each in followed.series() if each.name == f"alerts_resolved{{alert={alert}}}")
    assert series.tolerance is not None
    return series.values, series.tolerance.absolute


@pytest.mark.parametrize(
    ("total", "at_s", "compared_s"), [(60, 121.5, 121.5), (60, 182, 122), (0, 242, 122), (60, 242, 242)]
)
def test_an_alert_on_shares_may_resolve_before_or_after_a_silence(total: int, at_s: float, compared_s: float) -> None:
    values, allowed = resolved(MINUTES % total + f"{at_s} reported.alert_resolved name=low_consistency")
    assert (values, allowed) == ((compared_s,), 5)


def test_an_alert_on_missing_records_resolves_with_the_next_ones() -> None:
    assert resolved(MINUTES % 60 + "182 reported.alert_resolved name=no_records", "no_records")[0] == (182,)


def test_how_long_a_process_was_down_is_known_by_its_health() -> None:
    plan = Plan(scenario(TEXT))
    followed = PipelineComparable(plan.scenario, plan.vocabulary)
    history = (
        "0 process.started w0 name=harvest\n0 process.healthy w0 name=harvest\n10 probe.green w0\n"
        "20 process.exited w0 name=harvest\n20 probe.failed w0\n25 process.started w0 name=harvest\n"
        "26 process.exited w0 name=harvest\n28 process.started w0 name=harvest\n29.5 process.healthy w0 name=harvest\n"
        "30 probe.green w0\n33 process.output w0 name=harvest\n40 process.exited w0 name=harvest\n"
    )
    followed.observe(block_of(history, plan.vocabulary))
    found = followed.probed()["health_green"]
    assert (found.every_s, found.probes, dict(found.down_s)) == (
        pipeline_of(plan.scenario).supervisor.health.every_s,
        3,
        {"harvest": (9.5,)},
    )
