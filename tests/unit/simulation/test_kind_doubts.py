"""Objectives that service times alone break, and faults of kinds that never arrive."""

from pathlib import Path

import pytest

from soak.runner.cautions import cautions
from soak.schemas.language.load import load

SCENARIO = """\
version: 1
name: doubts
system: queue
duration: 1h
drain: 10m
workload:
  arrivals: {{rate: 30/min{arrivals}}}
  task: {{duration: {{distribution: {service}}}}}
  kinds:
    - {{name: email, share: 100%}}
    - {{name: report, share: 0%, task: {{duration: {{distribution: constant, value: 9s}}}}}}
queue: {{workers: 200, poll_interval: 0s{queue}}}
faults: [{faults}]
slos: ["{slo}"]
"""
CONSTANT, NIGHTLY = "constant, value: 5s", ", scheduled: [{name: nightly, count: 9, at: 30m, kind: report}]"


def warnings(
    tmp_path: Path,
    slo: str = "success_rate >= 10%",
    *,
    arrivals: str = "",
    service: str = CONSTANT,
    queue: str = "",
    faults: str = "",
) -> list[str]:
    path = tmp_path / "doubts.yaml"
    path.write_text(SCENARIO.format(arrivals=arrivals, service=service, queue=queue, faults=faults, slo=slo))
    return [f"{each.line}: {each.where}: {each.what} ({each.remedy})" for each in cautions(load(path))]


@pytest.mark.parametrize(
    "slo",
    [
        "latency_p95{kind=email} <= 4s",
        "latency_p50 < 4s",
        "latency_max <= 4.9s",
        "latency_mean{kind=email} <= 4s",
        "latency_share_below(4s) >= 95%",
    ],
)
def test_a_limit_below_the_service_time(slo: str, tmp_path: Path) -> None:
    said = f"14: slos[0]: {slo}: service alone takes 5s at least, so that it cannot hold (write a limit above 5s)"
    assert warnings(tmp_path, slo) == [said]


@pytest.mark.parametrize(
    ("slo", "more"),
    [
        ("latency_p95 <= 5s", {}),
        ("latency_p95 >= 4s", {}),
        ("wait_p95 <= 4s", {}),
        ("latency_share_below(4s) <= 95%", {}),
        ("latency_p95 <= 4s", {"service": "exponential, mean: 50s"}),
        ("latency_p95 <= 4s", {"queue": ", time_limit: 3s"}),
        ("latency_p95 <= 4s", {"queue": ", lease: {duration: 3s, heartbeat: none}"}),
        ("latency_p95 <= 4s", {"faults": "{name: f, type: permanent_error, rate: 90%}"}),
        ("latency_mean <= 4s", {"faults": "{name: f, type: permanent_error, rate: 1%}"}),
    ],
)
def test_what_can_hold_is_not_warned_of(slo: str, more: dict[str, str], tmp_path: Path) -> None:
    assert [each for each in warnings(tmp_path, slo, **more) if "service alone" in each] == []


@pytest.mark.parametrize(
    ("slo", "more"),
    [
        ("latency_p95 <= 4s", {"service": "uniform, low: 5s, high: 8s"}),
        ("latency_p95 <= 4s", {"faults": "{name: f, type: transient_error, rate: 10%}"}),
        ("latency_p95 <= 4s", {"faults": "{name: f, type: worker_crash, at: 10m, workers: 9}"}),
        ("latency_mean <= 4s", {"faults": "{name: f, type: slow_task, rate: 10%, factor: 3}"}),
        ("latency_p95{kind=report} <= 8s", {"arrivals": NIGHTLY}),
    ],
)
def test_few_faults_do_not_help(slo: str, more: dict[str, str], tmp_path: Path) -> None:
    assert len([each for each in warnings(tmp_path, slo, **more) if "service alone" in each]) == 1


def test_a_fault_of_a_kind_that_never_arrives(tmp_path: Path) -> None:
    fault = "{name: f, type: transient_error, rate: 5%, kind: KIND}"
    said = (
        "13: faults[0].kind: strikes nothing: no work of the kind report ever arrives: with a share of 0% it comes at set "
        "times only, and there are none (write a kind that arrives, or give it a share)"
    )
    assert warnings(tmp_path, faults=fault.replace("KIND", "report")) == [said]
    assert warnings(tmp_path, faults=fault.replace("KIND", "[report, email]")) == []
    assert warnings(tmp_path, faults=fault.replace("KIND", "report"), arrivals=NIGHTLY) == []


def test_shares_may_be_missing_beside_a_trace_of_kinds(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("at,what\n0,email\n60,video\n120,email\n600,email\n")
    path = tmp_path / "doubts.yaml"
    path.write_text("""\
version: 1
name: doubts
system: queue
duration: 10m
workload:
  arrivals: {trace: {file: t.csv, time: at, kind: what}}
  task: {duration: {distribution: constant, value: 5s}}
  kinds: [{name: email}, {name: video}, {name: report}]
faults: [{name: f, type: transient_error, rate: 5%, kind: report}]
slos: [success_rate >= 10%]
""")
    loaded = load(path)
    assert [kind.share for kind in loaded.scenario.workload.kinds] == [0.75, 0.25, 0]
    (found,) = cautions(loaded)
    assert found.what == "strikes nothing: no work of the kind report ever arrives: the trace has none"
