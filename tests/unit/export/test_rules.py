"""Alert rules: promtool takes them and their tests, and the tests find rules that are wrong."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import need, promtool

from soak.runner.cli import run_command
from soak.runner.export.grafana import dashboard
from soak.runner.export.rules import NOT_PASSED, SILENT, duration
from soak.schemas.language.load import load

ALERTS = """
    - {name: stalled, when: stall_time >= 5m, severity: critical, for: 1m, keep_firing_for: 10m}
    - {name: failing, when: success_rate < 99%, window: 30m, min_samples: 20, severity: warning}
    - {name: idle, when: state_transitions == 0, window: 10m, severity: info, for: 90s}
    - {name: busy, when: queue_depth > 3, severity: info, keep_firing_for: 7s}
    - {name: moved, when: "state_transitions{tenant=a} != 0", severity: info}
    - {name: big, when: rss > 1GiB, severity: warning, for: 4m}
    - {name: slow, when: throughput <= 0.1/s, window: 10m, for: 17s, severity: warning}
    - {name: burn, all: [{when: success_rate < 98%, window: 1h}, {when: success_rate < 98%, window: 5m}], for: 1m}
    - {name: either, any: [{when: latency_p99.9 > 2m, window: 5m}, {all: [{when: queue_depth > 9}, {when: latency_p90 > 1m}]}]}
"""
SCENARIO = """
version: 1
name: watched
system: queue
duration: 2h
workload:
  arrivals: {rate: 12/min}
  task: {duration: {distribution: constant, value: 4s}}
  tenants: [{name: a, share: 50%}, {name: b, share: 50%}]
slos: [success_rate >= 90%, duplicate_executions == 0, latency_p95 <= 100s]
alerts:
"""


SPEEDS = [1, 7, 240]
NAMES = ["stalled", "failing", "idle", "busy", "moved", "big", "slow", "burn", "either", SILENT, NOT_PASSED]


def monitoring(folder: Path, speed: float = 1) -> Path:
    """A folder with rules and their tests, for runs at a speed."""
    (folder / "watched.yaml").write_text(SCENARIO + ALERTS)
    words = ["monitoring", str(folder / "watched.yaml"), "--speed", str(speed), "--out", str(folder / "m")]
    assert run_command(words) == 0
    return folder / "m"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return monitoring(tmp_path)


def numbers(said: str) -> list[str]:
    """The words of what promtool says that are numbers: of the rules it found, for one."""
    return re.findall(r"(?<!\S)\d+(?!\S)", said)


@pytest.mark.parametrize("speed", SPEEDS)
def test_promtool_takes_rules_and_tests(tmp_path: Path, speed: float) -> None:
    rules = monitoring(tmp_path, speed)
    assert str(len(NAMES)) in numbers(promtool("check", "rules", str(rules / "alert_rules.yaml")))
    promtool("test", "rules", str(rules / "alert_rules_test.yaml"))


def seconds(rule: dict[str, Any]) -> int:
    return {"1m": 60, "1m30s": 90, "4m": 240, "17s": 17}.get(rule.get("for", ""), 0)


def damaged(rule: dict[str, Any], damage: str) -> dict[str, Any]:
    """A rule that is wrong in one way."""
    comparison = rule["expr"].removesuffix(" and on (scenario, run) (soak_running == 1)")
    changes: dict[str, dict[str, Any]] = {
        "never": {"expr": f"{rule['expr']} and on () vector(0) > 1"},
        "always": {"expr": f"{rule['expr']} or on (scenario, run) soak_running == 1"},
        "other metric": {"expr": rule["expr"].replace("soak_", "other_", 1)},
        "after the run": {"expr": comparison},
        "later": {"for": "1h"},
        "kept": {"keep_firing_for": "1h"},
        "half the for": {"for": f"{seconds(rule) // 2}s"},
        "twice the for": {"for": f"{2 * seconds(rule)}s"},
        "severity": {"labels": {"severity": "other"}},
    }
    return rule | changes[damage]


@pytest.mark.parametrize(
    "damage",
    ["never", "always", "other metric", "after the run", "later", "kept", "half the for", "twice the for", "severity"],
)
def test_the_tests_find_a_rule_that_is_wrong(rules: Path, damage: str) -> None:
    need("promtool")
    path = rules / "alert_rules.yaml"
    sound: dict[str, Any] = yaml.safe_load(path.read_text())
    own = sound["groups"][0]["rules"]
    assert [rule["alert"] for rule in own] == NAMES
    path.write_text(yaml.safe_dump({"groups": [{"name": "damaged", "rules": [damaged(rule, damage) for rule in own]}]}))
    words = ["promtool", "test", "rules", str(rules / "alert_rules_test.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    not_looked_at = {SILENT} if damage in {"after the run", "kept"} else set()
    # It is about runs that are over, and has no end.
    not_looked_at |= {NOT_PASSED} if damage in {"after the run", "kept", "always"} else set()
    if "the for" in damage:
        not_looked_at = {rule["alert"] for rule in own if not seconds(rule)}
    for name in set(NAMES) - not_looked_at:
        assert re.search(rf"\b{name}\b", done.stdout + done.stderr), f"{name}: nothing found"


def test_every_panel_asks_what_promtool_can_parse(rules: Path, tmp_path: Path) -> None:
    dashboard = json.loads((rules / "dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked = [each.replace("$__rate_interval", "5m").replace("$run", ".*") for each in expressions]
    recorded = [{"record": f"soak:panel{number}", "expr": expression} for number, expression in enumerate(asked)]
    (tmp_path / "panels.yaml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    assert str(len(asked)) in numbers(promtool("check", "rules", str(tmp_path / "panels.yaml")))


def test_panels_do_not_overlap(rules: Path) -> None:
    panels = json.loads((rules / "dashboard.json").read_text())["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_limits_are_drawn_with_the_bad_side_red(rules: Path) -> None:
    panels = {panel["title"]: panel for panel in json.loads((rules / "dashboard.json").read_text())["panels"]}

    def colours(title: str) -> list[tuple[str, float | None]]:
        steps = panels[title]["fieldConfig"]["defaults"]["thresholds"]["steps"]
        return [(step["color"], step["value"]) for step in steps]

    assert colours("Objective: success_rate >= 90%") == [("red", None), ("green", 0.9)]
    assert colours("Alert failing: success_rate < 99%") == [("red", None), ("green", 0.99)]
    assert colours("Alert stalled: stall_time >= 5m") == [("green", None), ("red", 300)]
    assert colours("Objective: duplicate_executions == 0") == [("red", None), ("green", 0), ("red", 1e-6)]
    assert colours("Objective: latency_p95 <= 100s") == [("green", None), ("red", 100.0001)]
    assert colours("Alert idle: state_transitions == 0") == [("green", None), ("red", 0), ("green", 1e-6)]


def test_a_limit_is_inside_its_plot(rules: Path) -> None:
    panels = {panel["title"]: panel for panel in json.loads((rules / "dashboard.json").read_text())["panels"]}
    shown = panels["Objective: latency_p95 <= 100s"]["fieldConfig"]["defaults"]["custom"]
    assert (shown["axisSoftMin"], shown["axisSoftMax"]) == (95.0, 105.0)


WARNED = """
version: 1
name: warned
system: queue
duration: 1h
workload: {arrivals: {rate: 10/min}, task: {duration: {distribution: constant, value: 4s}}}
slos:
  - {objective: success_rate >= 90%, warn: '>= 95%'}
  - {objective: latency_p95 <= 1m, warn: '<= 30s'}
"""


def test_between_a_warning_level_and_the_limit_it_is_yellow(tmp_path: Path) -> None:
    (tmp_path / "warned.yaml").write_text(WARNED)
    panels = dashboard(load(tmp_path / "warned.yaml").scenario)["panels"]
    [success, latency] = [
        [(step["color"], step["value"]) for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        for panel in panels
        if panel["title"].startswith("Objective: ")
    ]
    assert success == [("red", None), ("yellow", 0.9), ("green", 0.95)]
    assert latency == [("green", None), ("yellow", 30.0), ("red", pytest.approx(60, rel=1e-5))]


def test_faults_and_alerts_are_marked_in_every_plot(rules: Path, tmp_path: Path) -> None:
    faults, alerts, annotated = json.loads((rules / "dashboard.json").read_text())["annotations"]["list"]
    assert faults["expr"].startswith("soak_fault_active{")
    assert alerts["expr"].startswith("soak_alert_firing{")
    asked = [each["expr"].replace("$run", ".*") for each in (faults, alerts)]
    recorded = [{"record": f"soak:marks{number}", "expr": each} for number, each in enumerate(asked)]
    (tmp_path / "marks.yaml").write_text(yaml.safe_dump({"groups": [{"name": "marks", "rules": recorded}]}))
    assert "2" in numbers(promtool("check", "rules", str(tmp_path / "marks.yaml")))
    assert annotated["target"]["tags"][0] == "soak"
    assert annotated["target"]["tags"][1].startswith("scenario:")


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(0.0001, "1ms"), (0.25, "250ms"), (90, "1m30s"), (90.5, "1m30s500ms"), (3600, "1h"), (90061, "1d1h1m1s")],
)
def test_durations_of_prometheus(seconds: float, written: str) -> None:
    assert duration(seconds) == written
