"""What is warned of before a run, because it cannot come about; and what is not, because it can."""

from pathlib import Path

import pytest

from soak.runner.cautions import cautions
from soak.runner.judge.judge import Judge
from soak.schemas.language.load import load
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

SCENARIO = """\
version: 1
name: doubts
system: queue
duration: 1h
drain: 10m
workload: {{arrivals: {arrivals}, task: {{duration: {{distribution: constant, value: 1s}}}}{more}}}
queue: {{poll_interval: 0s}}
slos: [success_rate >= 10%]
"""
REGULAR = "{process: constant, rate: 30/min}"
RANDOM = "{rate: 30/min}"


def warnings(tmp_path: Path, text: str = "", *, arrivals: str = REGULAR, more: str = "") -> list[str]:
    path = tmp_path / "doubts.yaml"
    path.write_text(SCENARIO.format(arrivals=arrivals, more=more) + text)
    found = [f"{each.where}: {each.what} ({each.remedy})" for each in cautions(load(path))]
    # How often a condition holds by chance is tried in test_false_alarms.py.
    return [each for each in found if " would end at least " not in each]


def test_a_warning_says_where_the_scenario_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "doubts.yaml"
    text = SCENARIO.format(arrivals=REGULAR, more="") + "abort:\n  - {name: a, when: success_rate < 5%, for: 20h}\n"
    path.write_text(text)
    (found,) = cautions(load(path))
    assert (found.source, found.line, text.splitlines()[found.line - 1][found.column - 1 :]) == (str(path), 10, "20h}")


# Tasks.


@pytest.mark.parametrize(
    ("arrivals", "tasks", "says"),
    [
        (REGULAR, 1800, ""),
        (REGULAR, 1801, "only 1,800 of 1,801 tasks arrive in 1h: the verdict will be INCONCLUSIVE (raise duration to 1h1m"),
        ("{process: constant, rate: 0/s}", 1, "only 0 of 1 tasks arrive in 1h: the verdict will be INCONCLUSIVE (raise the"),
        ("{process: constant, rate: 0/s, burst: {every: 20m, for: 1m, rate: 1/s}}", 180, ""),
        ("{process: constant, rate: 0/s, burst: {every: 20m, for: 1m, rate: 1/s}}", 181, "only 180 of 181"),
        (RANDOM, 1800, "1,800 tasks arrive in 1h in 50% of runs"),
        (RANDOM, 1650, ""),
    ],
)  # fmt: skip
def test_tasks_that_do_not_all_arrive(arrivals: str, tasks: int, says: str, tmp_path: Path) -> None:
    found = [each for each in warnings(tmp_path, arrivals=arrivals, more=f", tasks: {tasks}") if each[0] == "w"]
    assert [each[: len(f"workload.tasks: {says}")] for each in found] == ([f"workload.tasks: {says}"] if says else [])


def test_the_share_of_runs_in_which_they_arrive_is_what_plans_come_to(tmp_path: Path) -> None:
    (found,) = warnings(tmp_path, arrivals="{rate: 50/h}", more=", tasks: 47")
    scenario = load(tmp_path / "doubts.yaml").scenario
    full = sum(sum(map(len, Plan(scenario, seed).submissions())) == 47 for seed in range(400))
    assert "in 69% of runs" in found
    # 99.9 % of 400 choices with 69 % each lie within 0.076 of it.
    assert abs(full / 400 - 0.69) < 0.076


# Conditions.

CONDITIONS = [
    # The run with its drain lasts 1h10m.
    ("when: success_rate < 5%, for: 70m", ""),
    ("when: success_rate < 5%, for: 71m", "for: cannot hold: it takes 1h11m, but the run with its drain lasts only 1h10m"),
    ("when: stall_time > 50m, for: 20m", ""),
    ("when: stall_time > 50m, for: 21m", "for: cannot hold: it takes 1h11m"),
    ("when: stall_time > 71m", "when: cannot hold: it takes 1h11m"),
    ("when: throughput < 1/min, window: 71m", "window: cannot hold: it takes 1h11m"),
    ("when: throughput < 1/min, window: 60m, for: 11m", "for: cannot hold"),
    ("when: throughput > 1/min, window: 60m, for: 11m", ""),
    # 1,800 tasks come.
    ("when: success_rate < 5%, min_samples: 1800", ""),
    ("when: success_rate < 5%, min_samples: 1801", "min_samples: cannot hold: needs 1,801 observations, but there are at most"),
    # One every 2 s.
    ("when: success_rate < 5%, window: 1s, for: 10s", "window: can hardly hold: a window of 1s contains 0.5 observations"),
    ("when: success_rate < 5%, window: 1s", ""),
    ("when: success_rate < 5%, window: 2s, for: 10s", ""),
    ("when: success_rate < 5%, window: 10s, min_samples: 5, for: 10m", ""),
    ("when: success_rate < 5%, window: 10s, min_samples: 6, for: 10m", "window: can hardly hold"),
    # A sample every minute: 70 of them.
    ("when: queue_depth > 5, min_samples: 69", ""),
    ("when: queue_depth > 5, min_samples: 70", "min_samples: cannot hold: needs 70 observations, but there are at most 69"),
    ("when: queue_depth > 5, window: 5m, min_samples: 5, for: 10m", ""),
    ("when: queue_depth > 5, window: 5m, min_samples: 6", "window: cannot hold: a window of 300s contains 5 observations"),
    ("when: queue_depth > 5, window: 90s, min_samples: 2", ""),
    ("when: queue_depth > 5, window: 90s, min_samples: 2, for: 30s", ""),
    ("when: queue_depth > 5, window: 90s, min_samples: 2, for: 31s", "window: cannot hold"),
    ("when: queue_depth > 5, window: 30s, for: 1m", "window: cannot hold: a window of 30s contains 0.5 observations"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "says"), CONDITIONS)
def test_conditions_that_cannot_hold(condition: str, says: str, tmp_path: Path) -> None:
    for section, name in (("abort", "abort[0]"), ("alerts", "alerts[0]")):
        found = warnings(tmp_path, f"{section}: [{{name: a, {condition}}}]\n")
        words = f"{name}.{says}" if says else ""
        assert [each[: len(words)] for each in found] == ([words] if says else [])


@pytest.mark.parametrize(
    ("condition", "can"),
    [
        ("min_samples: 1800", True),
        ("min_samples: 1801", False),
        ("window: 1s", True),
        ("window: 1s, for: 10s", False),
        ("window: 3s, for: 10s", True),
        ("window: 11s, min_samples: 5, for: 10m", True),
        ("window: 10s, min_samples: 6, for: 10m", False),
        ("for: 59m", True),
        ("for: 71m", False),
    ],
)
def test_arrivals_at_constant_intervals(condition: str, *, can: bool, tmp_path: Path) -> None:
    found = warnings(tmp_path, f"abort: [{{name: a, when: success_rate < 5%, {condition}}}]\n")
    assert bool(found) != can
    assert holds(tmp_path, f"when: success_rate >= 0%, {condition}", REGULAR) == can


@pytest.mark.parametrize(
    ("condition", "can"),
    [
        ("window: 1m, min_samples: 10, for: 5m", True),
        ("window: 10s, min_samples: 5", True),
        ("window: 10s, min_samples: 5, for: 10s", True),
        ("window: 10s, min_samples: 5, for: 5m", False),
        ("window: 4s, for: 40s", True),
        ("window: 2s, for: 3m", False),
        ("window: 10s, min_samples: 30", False),
    ],
)
def test_random_arrivals(condition: str, *, can: bool, tmp_path: Path) -> None:
    found = warnings(tmp_path, f"abort: [{{name: a, when: success_rate < 5%, {condition}}}]\n", arrivals=RANDOM)
    assert bool(found) != can
    assert holds(tmp_path, f"when: success_rate >= 0%, {condition}", RANDOM) == can


def holds(tmp_path: Path, condition: str, arrivals: str) -> bool:
    """Whether an abort condition that is true of whatever is observed holds at some time."""
    warnings(tmp_path, f"abort: [{{name: a, {condition}}}]\n", arrivals=arrivals)
    plan = Plan(load(tmp_path / "doubts.yaml").scenario)
    judge = Judge(plan.scenario, plan.vocabulary)
    for block in simulate(plan):
        list(judge.observe(block))
    return judge.aborted_by is not None


def test_what_an_alert_is_expected_to_do_must_be_possible(tmp_path: Path) -> None:
    alert = "name: a, when: success_rate < 5%, for: 2m, keep_firing_for: 5m"
    found = warnings(tmp_path, f"alerts: [{{{alert}, expect: {{fires_within: 1m, resolves_within: 4m}}}}]\n")
    assert [each.partition(":")[0] for each in found] == [
        "alerts[0].expect.fires_within",
        "alerts[0].expect.resolves_within",
    ]
    assert warnings(tmp_path, f"alerts: [{{{alert}, expect: {{fires_within: 2m, resolves_within: 5m}}}}]\n") == []


def test_an_objective_on_more_than_comes(tmp_path: Path) -> None:
    path = tmp_path / "doubts.yaml"
    text = SCENARIO.format(arrivals=REGULAR, more="")
    path.write_text(text.replace("[success_rate >= 10%]", "[{objective: latency_p95 <= 9s, min_samples: 1801}]"))
    (found,) = cautions(load(path))
    assert found.what == (
        "latency_p95 <= 9s: needs 1,801 observations, but there are at most 1,800: it will be INCONCLUSIVE"
    )


@pytest.mark.parametrize(
    ("objective", "most"),
    [('"success_rate{phase=b} >= 9%"', 600), ('"success_rate{phase=a} >= 9%"', 30), ("queue_depth <= 9", 60)],
)
def test_phases_and_the_warm_up_are_counted(objective: str, most: int, tmp_path: Path) -> None:
    """A task every two seconds, and a sample every minute for 70 minutes, of which the first ten are the warm-up."""
    path = tmp_path / "doubts.yaml"
    text = SCENARIO.format(arrivals=REGULAR, more="") + (
        "warmup: 10m\nphases: [{name: a, at: 20m, for: 1m}, {name: b, at: 0s, for: 20m}]\n"
    )
    for least, says in ((most, []), (most + 1, [f"but there are at most {most:,}"])):
        path.write_text(text.replace("[success_rate >= 10%]", f"[{{objective: {objective}, min_samples: {least}}}]"))
        found = [each.what for each in cautions(load(path))]
        assert [says[0] in each for each in found] == [True] * len(says)


def test_a_burst_that_is_shorter_than_the_window_fills_it(tmp_path: Path) -> None:
    bursts = "{process: constant, rate: 2/min, burst: {every: 30m, for: 5m, rate: 60/min}}"
    alert = "alerts: [{{name: a, when: latency_p50 >= 1s, window: 10m, min_samples: {0}}}]\n"
    assert warnings(tmp_path, alert.format(300), arrivals=bursts) == []
    assert len(warnings(tmp_path, alert.format(320), arrivals=bursts)) == 1


def test_after_an_outage_a_window_may_hold_more_than_arrives(tmp_path: Path) -> None:
    alert = "alerts: [{name: a, when: latency_p50 >= 1s, window: 1m, min_samples: 60}]\n"
    assert len(warnings(tmp_path, alert)) == 1
    assert warnings(tmp_path, alert + "faults: [{name: out, type: dispatcher_crash, at: 10m, for: 5m}]\n") == []


def test_two_crashes_of_a_dependency_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "crashes.yaml"
    text = """
version: 1
name: crashes
system: calls
duration: 10m
workload: {{arrivals: {{rate: 1/s}}}}
calls: {{dependencies: [{{name: a, latency: {{distribution: constant, value: 1s}}}}]}}
faults:
  - {{name: one, type: dependency_crash, dependency: a, at: 1m, for: 1m}}
  - {{name: two, type: dependency_crash, dependency: a, at: {at}, for: 1m}}
slos: [success_rate >= 10%]
"""
    path.write_text(text.format(at="2m"))
    assert cautions(load(path)) == ()
    path.write_text(text.format(at="90s"))
    (found,) = cautions(load(path))
    assert found.what == "two and one take a down at the same time: one of them has no effect"


ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted([*(ROOT / "scenarios").rglob("*.yaml"), *(ROOT / "docs" / "examples").glob("*.yaml")])
OVERLOADED = {
    "burst": "do not fit into the buffer of harvest",
    "pipeline-source": "do not fit into the buffer of harvest",
    "given-up": "signal is abandoned: ",
}
"""Scenarios in which that is meant to happen."""

SENSITIVE = {
    "24h",
    "72h",
    "blind",
    "duplicate-execution",
    "guardrail-leak",
    "stalled",
    "success-collapse",
    "stuck-in-progress",
}
"""Their plan has `success_rate < 95%` in 30 minutes beside an objective of 97 or 99 %, and keeps it: it is warned of."""


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_nothing_else_is_wrong_with_the_scenarios_that_are_bundled(path: Path) -> None:
    tiers = load(path).data.get("tiers", {})
    found = {str(each) for tier in (None, *tiers) for each in cautions(load(path, tier=tier))}
    meant = OVERLOADED.get(path.stem, ": success-collapse would end at least ")
    assert found == {each for each in found if meant in each}
    assert bool(found) == (path.stem in {*SENSITIVE, *OVERLOADED})


def test_stages_that_the_run_does_not_reach(tmp_path: Path) -> None:
    said = "workload.arrivals.stages: take 2h, but arrivals end after 1h (raise duration, or shorten the stages)"
    assert warnings(tmp_path, arrivals="{stages: [{to: 30/min, for: 1h}, {for: 1h}]}") == [said]
    assert warnings(tmp_path, arrivals="{stages: [{to: 30/min, for: 30m}, {for: 30m}]}") == []


# Windows and conditions that are combined.


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("slos: [{objective: success_rate >= 9%, window: 2h}]", "there is no whole window of 2h in 1h10m"),
        ("slos: [{objective: success_rate >= 9%, window: 70m}]", ""),
        (
            "slos: [{objective: success_rate >= 9%, window: 5m, min_samples: 300}]",
            "at most about 211 observations",
        ),
        ("slos: [{objective: success_rate >= 9%, window: 5m, min_samples: 200}]", ""),
        (
            "slos: [{objective: queue_depth <= 9, window: 5m, min_samples: 6}]",
            "a window holds at most about 5 observations",
        ),
        ("abort: [{name: a, when: success_rate < 0%}]", "cannot hold: success_rate is never below 0%"),
        ("abort: [{name: a, when: success_rate > 100%}]", "cannot hold: success_rate is never above 100%"),
        ("abort: [{name: a, when: latency_p90 >= 0s}]", "always holds: latency_p90 is always at least 0s"),
        ("alerts: [{name: a, when: success_rate <= 100%}]", "always holds: success_rate is always at most 100%"),
        (
            "abort: [{name: a, all: [{when: latency_p90 > 5s}, {when: latency_p90 < 2s}]}]",
            "cannot hold: latency_p90 > 5s and latency_p90 < 2s exclude each other",
        ),
        ("abort: [{name: a, all: [{when: latency_p90 > 5s}, {when: latency_p90 < 2s, window: 5m}]}]", ""),
        ("abort: [{name: a, all: [{when: latency_p90 > 2s}, {when: latency_p90 < 5s}]}]", ""),
        (
            "abort: [{name: a, any: [{when: latency_p90 >= 2s}, {when: latency_p90 < 2s}]}]",
            "always holds: whatever the value, latency_p90 >= 2s or latency_p90 < 2s",
        ),
        ("abort: [{name: a, any: [{when: latency_p90 > 2s}, {when: latency_p90 < 2s}]}]", ""),
        (
            "abort: [{name: a, all: [{when: latency_p90 > 2s}, {any: [{when: stall_time > 2m, for: 9h}, {when: rss > 9MB}]}]}]",
            "abort[0].all[1].any[0].for: cannot hold: it takes",
        ),
    ],
)
def test_windows_and_combined_conditions(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "doubts.yaml"
    own = SCENARIO.replace("slos: [success_rate >= 10%]\n", "") if text.startswith("slos") else SCENARIO
    path.write_text(own.format(arrivals=REGULAR, more="") + text + "\n")
    said = [str(each) for each in cautions(load(path)) if " would end at least " not in each.what]
    assert len(said) == bool(found), said
    assert found in "".join(said)
