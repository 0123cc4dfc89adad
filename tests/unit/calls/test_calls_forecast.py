"""The calls under way that a plan forecasts, against those in simulations of it."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.events import Kind
from soak.simulation.calls.forecast import forecast_calls
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

SCENARIO = """\
version: 1
name: load
system: calls
duration: 40m
drain: 4h
workload: {{arrivals: {arrivals}}}
calls:
  dependencies:
    - {{name: api, latency: {{distribution: exponential, mean: 2s}}{more}}}
    - {{name: spare, latency: {{distribution: constant, value: 3s}}}}
  policy: [{policy}]
faults: [{faults}]
"""
RETRY = "retry: {max_attempts: 3, backoff: {initial: 100ms}}"
REPLICATIONS, T_999 = 16, 4.073
"""Student's t with 15 degrees of freedom: 99.9 % lie within."""


def scenario(
    tmp_path: Path, *, faults: str = "", policy: str = "", arrivals: str = "{rate: 1/s}", more: str = ""
) -> Scenario:
    path = tmp_path / "load.yaml"
    path.write_text(SCENARIO.format(faults=faults, policy=policy, arrivals=arrivals, more=more))
    return load(path).scenario


def under_way(plan: Plan) -> float:
    """Seconds of calls by the events alone, for each second of the run."""
    total = 0.0
    for block in simulate(plan):
        total -= float(block.t[block.kind == Kind.CALL_STARTED].sum())
        total += float(block.t[np.isin(block.kind, [Kind.CALL_SUCCEEDED, Kind.CALL_FAILED])].sum())
    return total / plan.scenario.duration_s


CASES = {
    "nothing": {},
    "timeout": {"policy": "{timeout: 3s}"},
    "retry of timeouts": {"policy": f"{{timeout: 3s}}, {{{RETRY}}}"},
    "answered at once": {"faults": "{name: f, type: connection_error, rate: 40%}"},
    "answered late": {"faults": "{name: f, type: server_error, rate: 40%}", "policy": f"{{{RETRY}}}"},
    "never answered": {"faults": "{name: f, type: timeout, rate: 20%}", "policy": f"{{timeout: 9s}}, {{{RETRY}}}"},
    "reset": {"faults": "{name: f, type: connection_reset, rate: 50%}"},
    "delay": {
        "faults": "{name: f, type: delay, rate: 50%, delay: {distribution: exponential, mean: 4s}}",
        "policy": "{timeout: 5s}",
    },
    "one after the other": {
        "faults": "{name: a, type: connection_error, rate: 50%}, {name: b, type: timeout, rate: 50%}",
        "policy": "{timeout: 9s}",
    },
    "fallback": {"faults": "{name: f, type: server_error, rate: 40%}", "policy": f"{{{RETRY}}}, {{fallback: {{to: spare}}}}"},
    "for a time": {"faults": "{name: f, type: server_error, rate: 80%, at: 10m, for: 10m}", "policy": f"{{{RETRY}}}"},
    "behind a bulkhead": {
        "faults": "{name: f, type: server_error, rate: 40%}",
        "policy": f"{{{RETRY}}}, {{bulkhead: {{max_concurrent: 500, max_wait: 1s}}}}",
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_calls_under_way_are_what_simulations_come_to(case: str, tmp_path: Path) -> None:
    asked = scenario(tmp_path, **CASES[case])
    assert_mean([under_way(Plan(asked, seed)) for seed in range(REPLICATIONS)], forecast_calls(Plan(asked)).in_flight)


def assert_mean(values: Sequence[float], expected: float) -> None:
    """The mean of replications is as expected, within what its standard error allows in 99.9 % of cases."""
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    assert abs(float(np.mean(values)) - expected) <= T_999 * error, (float(np.mean(values)), expected, error)


def test_in_bursts(tmp_path: Path) -> None:
    asked = scenario(tmp_path, arrivals="{rate: 1/s, burst: {every: 20m, for: 5m, rate: 4/s}}", policy="{timeout: 20s}")
    expected = forecast_calls(Plan(asked))
    # Of 2 s on average, what lies beyond 20 s is cut off.
    mean_s = 2 * (1 - math.exp(-10))
    assert (expected.in_flight, expected.peak_in_flight) == pytest.approx((mean_s, 4 * mean_s), rel=1e-3)


@pytest.mark.parametrize(
    ("words", "warns"),
    [
        ({"more": ", capacity: {workers: 3, waiting: 9}"}, False),
        ({"more": ", capacity: {workers: 1, waiting: 9}"}, True),
        # At exactly its capacity: 1 a second, 2 s each.
        ({"more": ", capacity: {workers: 2, waiting: 9}", "arrivals": "{process: constant, rate: 1/s}"}, False),
        # Half of the calls never reach a worker; a client that gives up leaves its worker at it.
        ({"more": ", capacity: {workers: 1, waiting: 9}", "faults": "{name: f, type: connection_error, rate: 60%}"}, False),
        ({"more": ", capacity: {workers: 1, waiting: 9}", "policy": "{timeout: 500ms}"}, True),
    ],
)  # fmt: skip
def test_a_plan_warns_where_the_dependency_cannot_keep_up(
    words: dict[str, str], *, warns: bool, tmp_path: Path
) -> None:
    assert bool(forecast_calls(Plan(scenario(tmp_path, **words))).warnings) == warns
