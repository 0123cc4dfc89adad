"""What verdict, manifest and comparison say of restarts is the same."""

from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from histories import block_of, judge, scenario, sli
from test_pipeline_slis import KILLED, PIPELINE, STARTED

from soak.runner.judge.account import Beside
from soak.runner.judge.pipeline.account import PipelineAccount
from soak.runner.judge.pipeline.comparable import PipelineComparable
from soak.runner.judge.pipeline.tracker import PipelineTracker
from soak.schemas.evidence.processes import ProcessRecord, ShutdownOrder
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.pipeline.restarts import Restarts
from soak.simulation.plan import Plan

BESIDE = Beside(datetime(2026, 1, 1, tzinfo=UTC), 1.0, UTC, (), lambda name: None)


class Told(NamedTuple):
    """What is said of a process: how often it was restarted, and how long it was away each time."""

    restarts: int
    took_s: list[float]


def manifest(history: str) -> tuple[list[ProcessRecord], ShutdownOrder]:
    """What the run manifest says of processes, and of their shutdown."""
    made = scenario(PIPELINE)
    plan = Plan(made)
    account = PipelineAccount(made, plan.vocabulary)
    account.observe(block_of(history, plan.vocabulary))
    told = account.manifest(BESIDE)
    processes, order = told["processes"], told["shutdown_order"]
    assert isinstance(processes, list)
    assert isinstance(order, ShutdownOrder)
    return processes, order


def by_all(history: str, number: int) -> list[Told]:
    """By verdict, manifest and comparison."""
    tracker = judge(history, PIPELINE).lifecycle.tracker
    assert isinstance(tracker, PipelineTracker)
    by_verdict = tracker.processes.of[number]
    by_manifest = manifest(history)[0][number]
    made = scenario(PIPELINE)
    plan = Plan(made)
    comparable = PipelineComparable(made, plan.vocabulary)
    comparable.observe(block_of(history, plan.vocabulary))
    name = f"restart_times{{process={by_manifest.name}}}"
    compared = next(each.values for each in comparable.series() if each.name == name)
    times = [each.restart_time_s for each in by_manifest.restarts if each.restart_time_s is not None]
    return [
        Told(by_verdict.restarts, by_verdict.back),
        Told(by_manifest.restart_count, times),
        Told(by_verdict.restarts, list(compared)),
    ]


REPORT = "100 process.exited w2 name=report\n101 process.started w2 name=report\n102 process.healthy w2 name=report\n"
TWICE = (
    "100 process.exited w1 name=signal\n101 process.started w1 name=signal\n101.5 process.exited w1 name=signal\n"
    "103.5 process.started w1 name=signal\n104 process.healthy w1 name=signal\n104.57 process.output w1 name=signal\n"
)
RESUMED = (
    "100 process.exited w1 name=signal\n110 run.resumed 5\n110 process.started w1 name=signal\n"
    "110 process.healthy w1 name=signal\n153 process.output w1 name=signal\n"
)
STOPPED = "100 shutdown.started\n101 process.exited w2 name=report\n101 process.exited w1 name=signal\n"
ANEW = (
    STOPPED + "110 run.resumed 5\n110 process.started w1 name=signal\n110 process.healthy w1 name=signal\n"
    "150 process.exited w1 name=signal\n151 process.started w1 name=signal\n152 process.healthy w1 name=signal\n"
    "153 process.output w1 name=signal\n"
)


@pytest.mark.parametrize(
    ("history", "number", "expected"),
    [
        (KILLED.removeprefix(STARTED), 1, Told(1, [4.5])),
        (REPORT, 2, Told(1, [2.0])),
        (TWICE, 1, Told(2, [4.57])),
        (RESUMED, 1, Told(0, [])),
        (ANEW, 1, Told(1, [3.0])),
        (STOPPED, 1, Told(0, [])),
    ],
    ids=[
        "killed",
        "without output",
        "killed as it starts",
        "away when the runner was",
        "after the runner was",
        "stopped",
    ],
)
def test_all_say_the_same_of_a_restart(history: str, number: int, expected: Told) -> None:
    assert by_all(STARTED + history + "200 sample.rss 1\n", number) == [expected] * 3


def test_the_manifest_has_the_order_in_which_processes_ended() -> None:
    assert manifest(STARTED + STOPPED)[1].observed == ["report", "signal"]
    assert (manifest(STARTED + ANEW)[1].started_s, manifest(STARTED + ANEW)[1].observed) == (None, [])


LESS = "initial: 8s, factor: 2, max: 30s}, max_restarts: 2, within: 1m, reset_after: 5s"
STRICT = PIPELINE.replace("initial: 1s, factor: 2, max: 30s}, max_restarts: 3, within: 5m, reset_after: 60s", LESS)


def violations(restarts: list[tuple[float, float, float]], text: str, *, error: str = "") -> float:
    """Restarts as times of exit, start and health."""
    lines = [
        f"{exited} process.exited w1 name=signal{error and f' error={error}'}\n{started} process.started w1 name=signal\n"
        f"{healthy} process.healthy w1 name=signal\n"
        for exited, started, healthy in restarts
    ]
    return sli("backoff_violations", STARTED + "0 process.healthy w1 name=signal\n" + "".join(lines), text)


@pytest.mark.parametrize(("last", "expected"), [(160.5, 0), (160.0, 0), (159.0, 1)])
def test_exits_count_for_the_limit_as_they_do_for_the_supervisor(last: float, expected: int) -> None:
    """The first wait was long: its start is less than a minute before the last one, its exit is not."""
    restarts = [(100.0, 112.0, 113.0), (120.0, 136.0, 137.0), (last, last + 8, last + 9)]
    assert violations(restarts, STRICT) == expected
    model = Restarts(pipeline_of(scenario(STRICT)).supervisor.restart)
    waits = [model.ended(exited, 20.0) for exited, _, _ in restarts]
    assert (waits[-1] is None) == bool(expected)


@pytest.mark.parametrize(
    ("error", "when", "expected"),
    [("exit_0", "failure", 1), ("exit_1", "failure", 0), ("died", "failure", 0), ("exit_0", "always", 0)],
)
def test_what_ended_well_is_not_restarted_where_failures_are(error: str, when: str, expected: int) -> None:
    text = PIPELINE.replace("restart: {", f"restart: {{when: {when}, ")
    assert violations([(100.0, 101.0, 102.0)], text, error=error) == expected


def test_the_table_has_the_least_and_the_most_that_a_backoff_may_be() -> None:
    lines = (
        "100 process.exited w1 name=signal\n101 process.started w1 name=signal\n102 process.healthy w1 name=signal\n"
    )
    again = "162 process.exited w1 name=signal\n163 process.started w1 name=signal\n"
    rows = judge(STARTED + lines + again, PIPELINE).lifecycle.tracker.sections()[0].rows
    assert rows[1][4] == "1s (1s), 1s (1s to 2s)"
