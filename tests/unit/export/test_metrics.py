"""What is exported says what the verdict says, and does not depend on how the stream was cut into blocks."""

import json
from pathlib import Path

import pytest
from histories import CLEAN, judge, scenario_text, shifted

from soak.runner.api import simulate_scenario
from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory
from soak.runner.export.backfill import snapshots_of
from soak.runner.export.metrics import HELP, Levels, MetricSnapshot, snapshot_of
from soak.runner.judge.judge import Judge
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import Status, Verdict
from soak.schemas.language.load import Loaded, load
from soak.simulation.plan import Plan

ROOT = Path(__file__).resolve().parents[3]
WATCHED = ROOT / "tests" / "acceptance" / "watched.yaml"
STALLED = ROOT / "scenarios" / "aborts" / "stalled.yaml"


def read(judge: Judge, levels: Levels, verdict: str = "") -> MetricSnapshot:
    return snapshot_of(judge, levels, (("run", "x"),), time_s=7.0, speed=1.0, verdict=verdict)


def values(snapshot: MetricSnapshot, name: str, label: str) -> dict[str, float]:
    """The readings of a metric, by one of their labels."""
    found = [reading for reading in snapshot.readings if reading.name.startswith(name)]
    return {dict(reading.labels)[label]: reading.value for reading in found}


def ended(path: Path) -> tuple[Verdict, MetricSnapshot]:
    loaded = load(path)
    levels = Levels(loaded.scenario)
    verdict, judge = simulate_scenario(loaded, sinks=[levels])
    return verdict, read(judge, levels, verdict.verdict.value)


@pytest.fixture(scope="module")
def watched() -> tuple[Verdict, MetricSnapshot]:
    return ended(WATCHED)


def test_figures_are_those_of_the_verdict(watched: tuple[Verdict, MetricSnapshot]) -> None:
    verdict, snapshot = watched
    known = {name: value for name, value in verdict.slis.items() if value is not None}
    assert values(snapshot, "soak_sli", "sli") == known
    assert len(known) > 20
    objectives = {each.objective: each for each in verdict.objectives}
    assert values(snapshot, "soak_objective_met", "objective") == dict.fromkeys(objectives, 1.0)
    targets = values(snapshot, "soak_objective_target", "objective")
    assert targets == {name: each.target for name, each in objectives.items()}
    states = values(snapshot, "soak_tasks", "state")
    assert {state: states[state] for state in ("DONE", "FAILED", "BLOCKED")} == {
        state: verdict.tasks[state] for state in ("DONE", "FAILED", "BLOCKED")
    }
    injected = values(snapshot, "soak_faults_injected_total", "fault")
    assert injected == {fault.name: fault.injected for fault in verdict.faults}


def test_alerts_are_counted_though_the_judge_makes_them(watched: tuple[Verdict, MetricSnapshot]) -> None:
    verdict, snapshot = watched
    firings = [firing for alert in verdict.alerts for firing in alert.firings]
    events = values(snapshot, "soak_events_total", "type")
    assert events["alert.fired"] == len(firings) > 0
    assert events["alert.resolved"] == sum(firing.resolved_s is not None for firing in firings)
    still = {alert.name: float(any(each.resolved_s is None for each in alert.firings)) for alert in verdict.alerts}
    assert values(snapshot, "soak_alert_firing", "alert") == still


def test_every_metric_has_its_words_and_no_series_stands_twice(watched: tuple[Verdict, MetricSnapshot]) -> None:
    _, snapshot = watched
    assert {reading.name for reading in snapshot.readings} <= set(HELP)
    series = [(reading.name, reading.labels) for reading in snapshot.readings]
    assert len(series) == len(set(series))
    assert all(dict(reading.labels)["run"] == "x" for reading in snapshot.readings)


def test_of_abort_conditions_the_one_that_held_is_told() -> None:
    verdict, snapshot = ended(STALLED)
    [held] = [abort for abort in verdict.aborts if abort.held_at_s is not None]
    told = {
        dict(reading.labels)["condition"]: reading.value
        for reading in snapshot.readings
        if reading.name.startswith("soak_condition") and dict(reading.labels)["role"] == "abort"
    }
    assert told == {held.name: held.value}


SLOS = """
slos:
  - success_rate >= 99%
  - latency_p50 <= 1m
  - duplicate_executions == 0
  - {objective: success_rate >= 50%, min_samples: 4}
"""
THREE = "".join(shifted(CLEAN, str(task), 100 * task) for task in (1, 2, 3))


@pytest.mark.parametrize(
    ("evidence", "met"),
    [
        # Three of three: as good as that is, the rate may be below 50 %.
        ("lenient", {"success_rate >= 99%": 1.0, "latency_p50 <= 1m": 1.0, "duplicate_executions == 0": 1.0}),
        ("strict", {"duplicate_executions == 0": 1.0}),
    ],
)
def test_an_objective_is_met_where_its_status_says_so(evidence: str, met: dict[str, float]) -> None:
    """What is open could still break it, which the end of the run will tell."""
    text = f"evidence: {evidence}\n{SLOS}"
    for history in (THREE, THREE + "400 enqueued 9\n"):
        judged = judge(history, text)
        assert values(read(judged, Levels(judged.scenario)), "soak_objective_met", "objective") == met


def test_at_the_end_it_is_met_as_the_verdict_says() -> None:
    judged = judge(THREE, SLOS)
    statuses = [Status.PASS, Status.FAIL, Status.INCONCLUSIVE, Status.PASS]
    snapshot = snapshot_of(judged, Levels(judged.scenario), (), time_s=7.0, speed=1.0, statuses=statuses)
    told = [reading.value for reading in snapshot.readings if reading.name == "soak_objective_met"]
    assert told == [1.0, 0.0, 1.0]


def test_the_time_series_of_a_finished_run_ends_as_its_verdict(tmp_path: Path) -> None:
    scenario = tmp_path / "short.yaml"
    scenario.write_text(scenario_text(f"name: short\nduration: 1m\ndrain: 1m\nevidence: strict\n{SLOS}"))
    run_command(["run", str(scenario), "--out", str(tmp_path / "run")])
    directory = RunDirectory.open(tmp_path / "run")
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    told = {each["objective"]: each["status"] for each in verdict["objectives"]}
    assert set(told.values()) == {"PASS", "INCONCLUSIVE"}
    last = snapshots_of(directory, 60.0, None, lambda share: None)[-1]
    met = values(last, "soak_objective_met", "objective")
    assert met == {name: 1.0 for name, status in told.items() if status == "PASS"}


def at(loaded: Loaded, until_s: float, step_s: float) -> MetricSnapshot:
    """What is exported at a time, the stream before it cut at every `step_s`."""
    plan = Plan(loaded.scenario)
    judge, levels = Judge(loaded.scenario, plan.vocabulary), Levels(loaded.scenario)
    next_s = step_s
    for whole in Simulation().run(plan):
        block = whole
        while next_s <= min(block.until_s, until_s):
            first, block = block.split(next_s)
            next_s += step_s
            for part in judge.observe(first):
                levels.append(part, judge.facts)
        if judge.until_s >= until_s:
            return read(judge, levels)
        for part in judge.observe(block):
            levels.append(part, judge.facts)
    raise AssertionError("the run ended before")


@pytest.mark.parametrize("minutes", [5, 31, 35, 40, 43, 90])
def test_figures_do_not_depend_on_where_blocks_end(minutes: int) -> None:
    loaded = load(WATCHED)
    once, often = (at(loaded, 60.0 * minutes, step_s) for step_s in (60.0 * minutes, 20.0))
    assert once == often
    stalled = values(once, "soak_condition_seconds", "condition")["stalled"]
    assert (stalled > 60) == (minutes in {35, 40})
    if minutes == 43:
        # Work waits for workers, and a longer stall is over: it is the one that lasts that counts.
        assert 0 < stalled < 5
