"""What is exported says what the verdict says, and does not depend on how the stream was cut into blocks."""

from pathlib import Path

import pytest

from soak.runner.api import simulate_scenario
from soak.runner.export.metrics import HELP, Levels, MetricSnapshot, snapshot_of
from soak.runner.judge.judge import Judge
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.verdict import Verdict
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
