"""Alerting rules of Prometheus, and those of `soak monitoring`, which give back the alerts that they were made of."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from foreign_files import imported, loaded, refusal
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.export.monitoring import RULES, monitoring_files
from soak.runner.importing.values import duration_text, target_text
from soak.schemas.errors import ScenarioError
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import OURS, language_of

RULE = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: {expr}\n{more}"


def test_a_rule_is_an_alert(tmp_path: Path) -> None:
    text = RULE.format(
        expr='rate(t_total{state="failed"}[5m]) / rate(t_total[5m]) > 0.05',
        more="    for: 10m\n    keep_firing_for: 5m\n    labels: {severity: page}\n",
    )
    found = imported(tmp_path, text)
    assert found.part["alerts"] == [
        {
            "name": "A",
            "when": "success_rate < 95%",
            "window": "5m",
            "for": "10m",
            "keep_firing_for": "5m",
            "severity": "critical",
        }
    ]
    assert loaded(found.part).scenario.alerts[0].condition.for_s == 600
    assert [(note.line, note.what) for note in found.notes] == [
        (4, "A: severity page is taken for critical"),
        (4, "A: t_total: taken for tasks by how they end"),
    ]


def test_rules_of_kubernetes_and_recording_rules(tmp_path: Path) -> None:
    text = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
spec:
  groups:
  - name: g
    rules:
    - {record: depth, expr: max(celery_queue_length)}
    - {alert: Deep one, expr: depth > 100}
    - {alert: Deep one, expr: depth > 200}
    - {alert: Gone, expr: up == 0}
"""
    found = imported(tmp_path, text)
    assert [(each["name"], each["when"]) for each in found.part["alerts"]] == [
        ("Deep-one", "queue_depth > 100"),
        ("Deep-one-2", "queue_depth > 200"),
    ]
    ((line, what),) = [(each.line, each.what) for each in found.untranslated]
    assert line == 10 and what.startswith("Gone: whether a target is scraped")


def test_an_indicator_that_has_to_be_defined(tmp_path: Path) -> None:
    found = imported(tmp_path, RULE.format(expr="increase(jobs_failed_total[10m]) > 5", more=""))
    assert found.part["slis"] == {"failed_tasks": {"count": "task.failed"}}
    assert found.part["alerts"][0]["when"] == "failed_tasks > 5"
    assert loaded(found.part).scenario.alerts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULE.format(expr="a >", more=""), "foreign.yaml:5:11: expr is not PromQL: the expression ends too early at"),
        (RULE.format(expr="threads > 1", more="    for: soon\n"), "foreign.yaml:6:10: for: 'soon' is not a duration"),
        ("groups: [{rules: [{alert: A}]}]", "foreign.yaml:1:19: the rule has no `expr`"),
        ("groups: [{rules: [{expr: a}]}]", "foreign.yaml:1:19: a rule needs `alert` or `record`"),
        ("groups: [", "foreign.yaml:2:1: not YAML"),
        ("groups: [{rules: [{alert: A, alert: B}]}]", "foreign.yaml:1:30: groups[0].rules[0].alert: key 'alert' is already"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, text).startswith(said)


# The inverse.

SECONDS = st.integers(1, 86_400_000).map(lambda milliseconds: milliseconds / 1000) | st.sampled_from(
    [60.0, 300.0, 5400.0]
)
TARGETS = st.floats(0.001, 0.999) | st.sampled_from([0.95, 0.5, 0.99])


@st.composite
def leaves(draw: st.DrawFn, system: str) -> dict[str, Any]:
    """A comparison over a window."""
    names = ["success_rate", "latency_p95", "latency_mean", "queue_depth", "throughput", "rss"]
    slis = language_of(system).slis
    sli = slis[draw(st.sampled_from([name for name in names if name in slis]))]
    op, number = draw(st.sampled_from(["<", "<=", ">", ">="])), draw(TARGETS)
    label = draw(st.sampled_from(["", "", "{tenant=A}", "{phase=late}"])) if sli.per_task else ""
    found: dict[str, Any] = {"when": f"{sli.name}{label} {op} {target_text(sli.unit, number)}"}
    found["window"] = duration_text(draw(SECONDS))
    if draw(st.booleans()):
        found["min_samples"] = draw(st.integers(1, 500))
    return found


@st.composite
def alerts(draw: st.DrawFn, system: str) -> dict[str, Any]:
    """An alert on one comparison, or on several of which all or any must hold."""
    found: dict[str, Any] = {"name": draw(st.sampled_from(["a", "b.c", "D-1"]))}
    mode = draw(st.sampled_from(["", "", "all", "any"]))
    found |= {mode: [draw(leaves(system)) for _ in range(draw(st.integers(2, 3)))]} if mode else draw(leaves(system))
    for key in ("for", "keep_firing_for"):
        if draw(st.booleans()):
            found[key] = duration_text(draw(SECONDS))
    times = {"of": "quiet", "fires_within": duration_text(draw(SECONDS)), "max_flaps": draw(st.integers(0, 3))}
    if expect := draw(st.sampled_from([None, "never", times])):
        found["expect"] = expect
    return {**found, "severity": draw(st.sampled_from(["info", "warning", "critical"]))}


def scenario_with(alert: dict[str, Any], system: str) -> Scenario | None:
    """A scenario with an alert, and what it refers to; None where it is refused."""
    more = {
        "workload": {"tenants": [{"name": "A", "share": "50%"}, {"name": "B", "share": "50%"}]},
        "phases": [{"name": "late", "at": "2h", "for": "1h"}],
        "faults": [{"name": "quiet", "type": "telemetry_loss", "at": "3h", "for": "1m"}],
    }
    try:
        return loaded({"alerts": [alert]}, system, **more).scenario
    except ScenarioError:
        return None


@pytest.mark.parametrize("system", list(OURS))
@given(data=st.data(), speed=st.sampled_from([1.0, 1.0, 60.0, 7.0]))
def test_import_is_the_inverse_of_monitoring(
    tmp_path_factory: pytest.TempPathFactory, system: str, data: st.DataObject, speed: float
) -> None:
    scenario = scenario_with(data.draw(alerts(system)), system)
    if scenario is None:
        return
    text = monitoring_files(scenario, speed)[RULES].decode()
    found = imported(tmp_path_factory.mktemp("rules"), text)
    assert found.untranslated == () and found.notes == ()
    again = scenario_with(found.part["alerts"][0], system)
    assert again and again.alerts == scenario.alerts


def test_what_was_changed_in_the_rule_is_what_counts(tmp_path: Path) -> None:
    scenario = scenario_with(
        {"name": "slow", "when": "latency_p95{tenant=A} > 2s", "window": "30m", "for": "5m", "min_samples": 7}, "queue"
    )
    assert scenario
    rules = yaml.safe_load(monitoring_files(scenario, 60.0)[RULES])
    rule = rules["groups"][0]["rules"][0]
    assert rule["for"] == "5s"
    rule["expr"], rule["for"], rule["labels"]["severity"] = rule["expr"].replace("> 2", ">= 3.5"), "10s", "critical"
    found = imported(tmp_path, json.dumps(rules))
    (alert,) = found.part["alerts"]
    assert (alert["when"], alert["window"], alert["min_samples"]) == ("latency_p95{tenant=A} >= 3.5s", "30m", 7)
    assert (alert["for"], alert["severity"]) == ("10m", "critical")


def test_what_was_changed_in_a_part_is_what_counts(tmp_path: Path) -> None:
    parts = [{"when": "success_rate < 98%", "window": "1h"}, {"when": "latency_p95 > 2s", "window": "5m"}]
    scenario = scenario_with({"name": "both", "all": parts}, "queue")
    assert scenario
    text = monitoring_files(scenario, 1.0)[RULES].decode()
    assert "< 0.98" in text
    found = imported(tmp_path, text.replace("> 2)", "> 2.5)").replace("< 0.98)", "<= 0.97)"))
    assert [each["when"] for each in found.part["alerts"][0]["all"]] == ["success_rate <= 97%", "latency_p95 > 2.5s"]


def test_a_damaged_annotation_is_refused(tmp_path: Path) -> None:
    scenario = scenario_with({"name": "slow", "when": "latency_p95 > 2s", "window": "30m"}, "queue")
    assert scenario
    rules = yaml.safe_load(monitoring_files(scenario, 1.0)[RULES])
    rules["groups"][0]["rules"][0]["annotations"]["soak"] = "{"
    assert "the annotation soak is damaged (write the rules again: soak monitoring)" in refusal(
        tmp_path, yaml.safe_dump(rules)
    )


def test_alerts_that_combine_conditions_come_back(tmp_path: Path) -> None:
    """With their parts and what is expected of them."""
    alerts = [
        {
            "name": "burn",
            "all": [{"when": "success_rate < 98%", "window": "1h"}, {"when": "success_rate < 98%", "window": "5m"}],
            "for": "1m",
            "severity": "critical",
            "expect": "never",
        },
        {
            "name": "either",
            "any": [
                {"when": "latency_p99.9 > 2m", "window": "5m", "min_samples": 20},
                {"all": [{"when": "queue_depth > 9"}, {"when": "latency_share_below(2s) < 5%", "window": "9m"}]},
            ],
            "severity": "warning",
            "expect": {"at_least": 2},
        },
    ]
    whole = {
        "version": 1,
        "name": "x",
        "system": "queue",
        "duration": "1h",
        "workload": {"arrivals": {"rate": "1/s"}, "task": {"duration": {"distribution": "constant", "value": "1s"}}},
    }
    path = tmp_path / "whole.yaml"
    path.write_text(yaml.safe_dump({**whole, "alerts": alerts}))
    scenario = load(path).scenario
    found = imported(tmp_path, monitoring_files(scenario, 1.0)[RULES].decode())
    assert loaded(found.part).scenario.alerts == scenario.alerts
