"""Change points of runs: windows, times, what happened near, and how they are told."""

import msgspec
import numpy as np
import pytest
from histories import block_of, judge, scenario

from soak.reports.changepoints import sentence
from soak.runner.engine import execute, identify
from soak.runner.judge.changepoints.find import Recorded, change_points, changes_of
from soak.runner.judge.changepoints.marks import MOST_TIMES, Marks
from soak.runner.judge.changepoints.near import Happening, happenings, near
from soak.runner.judge.changepoints.series import Series, level_of, searchable, series_of
from soak.runner.judge.course import Course
from soak.runner.judge.decide import decide
from soak.runner.judge.samples import Samples
from soak.runner.replications.replication import Job, replicate
from soak.runner.targets.simulation import Simulation
from soak.schemas.evidence.changepoints import ChangeKind, ChangePoint, Nearby, SeriesChanges
from soak.schemas.evidence.verdict import End, Resume
from soak.schemas.language.expression import Unit
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Aggregate, Sli
from soak.schemas.stream.block import Floats, make_block, quantise
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.plan import Plan

HOUR_S = 3600.0
BURSTS = """
duration: 72h
drain: 30m
workload:
  arrivals: {rate: 5/min, burst: {every: 1h, for: 5m, rate: 20/min}}
  task: {duration: {distribution: constant, value: 9s}}
slos: [latency_p95 <= 120s, success_rate >= 97%]
"""
STEADY = BURSTS.replace(", burst: {every: 1h, for: 5m, rate: 20/min}", "")


def arrivals(seed: int, *, bursts: bool = True) -> Floats:
    """Of the 72 hours of BURSTS, some 27,000."""
    generator, minutes = np.random.default_rng(seed), np.arange(72 * 60)
    counts = generator.poisson(np.where(bursts & (minutes % 60 < 5), 20.0, 5.0))
    return np.sort((np.repeat(minutes, counts) + generator.random(counts.sum())) * 60.0)


def latencies(seed: int, t: Floats, at_h: float, after_s: float = 140.0) -> Floats:
    """Latencies with a p95 of 80 s, from `at_h` on of `after_s`."""
    spread = np.random.default_rng([seed, 1]).normal(0.0, 0.7, len(t)) - 1.645 * 0.7
    return np.where(t < at_h * HOUR_S, 80.0, after_s) * np.exp(spread)


def course_of(t: Floats, value: Floats) -> Course:
    course = Course(ranked=True)
    course.observe(Samples(quantise(t), quantise(value)))
    return course


def recorded(run: Scenario, number: int, t: Floats, value: Floats) -> Recorded:
    return Recorded(run.objectives[number].comparison, course_of(t, value))


def windows_of(run: Scenario, t: Floats, until_s: float = 100 * HOUR_S, number: int = 0) -> Series:
    return series_of(course_of(t, np.ones(len(t))), run.objectives[number].comparison.sli, run, until_s)


# Windows.


def test_windows_are_whole_periods_of_bursts_and_leave_out_the_drain() -> None:
    t = np.append(arrivals(1), 72.2 * HOUR_S)
    series = windows_of(scenario(BURSTS), t)
    assert series.window_s == HOUR_S
    assert len(series.windows) == 72
    assert series.windows.end_s[-1] == 72 * HOUR_S


def test_windows_begin_after_the_warm_up_and_end_with_the_run() -> None:
    series = windows_of(scenario("warmup: 2h\n" + BURSTS), arrivals(1), until_s=40.5 * HOUR_S)
    assert (series.windows.start_s[0], series.windows.end_s[-1]) == (2 * HOUR_S, 40 * HOUR_S)


def test_windows_are_longer_where_there_are_few_observations() -> None:
    t = arrivals(1, bursts=False)
    dense, thin = windows_of(scenario(STEADY), t), windows_of(scenario(STEADY), t[::8])
    assert dense.window_s < thin.window_s
    assert np.median(thin.windows.samples) >= 40
    few = windows_of(scenario(STEADY), t[::100])
    assert few.short == "fewer than 22 windows of the run have enough observations"


def test_windows_are_whole_periods_of_faults_that_come_back_often() -> None:
    fault = "faults: [{name: flaky, type: transient_error, rate: 50%%, at: 1h, every: %s, for: 10m}]"
    often, seldom = scenario(STEADY + fault % "100m"), scenario(STEADY + fault % "6h")
    assert windows_of(often, arrivals(1, bursts=False)).window_s == 6000
    assert windows_of(seldom, arrivals(1, bursts=False)).window_s == HOUR_S


def test_a_run_shorter_than_its_bursts_has_no_windows() -> None:
    series = windows_of(scenario(BURSTS.replace("72h", "2h")), arrivals(1))
    assert series.short
    assert len(series.windows) == 0


def test_of_a_growth_the_level_is_searched() -> None:
    growth = scenario().slis["queue_depth_growth"]
    level = level_of(growth)
    assert (level.name, level.unit, level.aggregate) == ("queue_depth", Unit.COUNT, Aggregate.MEAN)


def test_what_is_known_at_the_end_only_is_not_searched() -> None:
    slis: dict[str, Sli] = scenario().slis
    assert not searchable(slis["lost_tasks"])
    assert not searchable(slis["stall_time"])
    assert searchable(slis["latency_p95"])


# Times.


def test_a_step_is_told_with_its_time_and_levels() -> None:
    run, t = scenario(STEADY), arrivals(2, bursts=False)
    quiet = (np.random.default_rng(5).random(len(t)) < 0.99).astype(float)
    found = changes_of([recorded(run, 0, t, latencies(2, t, 31.2)), recorded(run, 1, t, quiet)], run, [], 72.5 * HOUR_S)
    (point,) = found[0].points
    assert point.kind is ChangeKind.STEP
    assert point.at_s == pytest.approx(31.2 * HOUR_S, abs=HOUR_S / 4)
    assert point.interval[0] <= 31.2 * HOUR_S <= point.interval[1]
    assert point.interval[0] < point.at_s - 300
    assert point.interval[1] > point.at_s + 300
    assert point.interval[1] - point.interval[0] < 3 * HOUR_S
    assert point.before == pytest.approx(80, rel=0.05)
    assert point.after == pytest.approx(140, rel=0.05)
    assert found[1].points == []
    assert found[1].detail == ""


@pytest.mark.parametrize("seed", range(3))
def test_a_fall_is_told_to_parts_of_a_window(seed: int) -> None:
    run, t = scenario(STEADY), arrivals(seed, bursts=False)
    (found,) = changes_of([recorded(run, 0, t, latencies(seed, t, 31.4, 10.0))], run, [], 72.5 * HOUR_S)
    (point,) = found.points
    assert point.at_s == pytest.approx(31.4 * HOUR_S, abs=HOUR_S / 3)


def test_what_happens_within_a_window_of_a_change_is_near() -> None:
    run, t = scenario(STEADY), arrivals(2, bursts=False)
    steps = [recorded(run, 0, t, latencies(2, t, 31.2))]
    low_s, high_s = changes_of(steps, run, [], 72.5 * HOUR_S)[0].points[0].interval
    inside = [low_s - 0.9 * HOUR_S, high_s + 0.9 * HOUR_S]
    outside = [low_s - 1.1 * HOUR_S, high_s + 1.1 * HOUR_S]
    known = [Happening(f"{t_s:.0f}", [(t_s, t_s)]) for t_s in inside + outside]
    (point,) = changes_of(steps, run, known, 72.5 * HOUR_S)[0].points
    assert sorted(each.start_s for each in point.near) == inside


@pytest.mark.parametrize("seed", range(5))
def test_a_step_in_a_run_with_bursts_is_found_within_an_hour(seed: int) -> None:
    run, t = scenario(BURSTS), arrivals(seed)
    latency = latencies(seed, t, 36) * np.where(t % HOUR_S < 300, 1.3, 1.0)
    (found,) = changes_of([recorded(run, 0, t, latency)], run, [], 72.5 * HOUR_S)
    (point,) = found.points
    assert abs(point.at_s - 36 * HOUR_S) <= HOUR_S
    assert point.interval[0] <= 36 * HOUR_S <= point.interval[1]


def test_a_fall_of_a_share_is_found() -> None:
    run, t = scenario(BURSTS), arrivals(3)
    works = np.random.default_rng(3).random(len(t)) < np.where(t < 36 * HOUR_S, 0.99, 0.97)
    (found,) = changes_of([recorded(run, 1, t, works.astype(float))], run, [], 72 * HOUR_S)
    (point,) = found.points
    assert point.before == pytest.approx(0.99, abs=0.002)
    assert point.after == pytest.approx(0.97, abs=0.003)


def test_a_slow_rise_is_a_drift_not_a_step() -> None:
    run, t = scenario(STEADY), arrivals(4, bursts=False)
    latency = latencies(4, t, 100) * (1 + t / (72 * HOUR_S))
    (found,) = changes_of([recorded(run, 0, t, latency)], run, [], 72 * HOUR_S)
    (point,) = found.points
    assert point.kind is ChangeKind.DRIFT
    assert point.interval == (0, 72 * HOUR_S)
    assert point.before == pytest.approx(90, rel=0.06)
    assert point.after == pytest.approx(150, rel=0.06)


def test_a_system_that_does_not_change_has_no_change_points() -> None:
    run = scenario(BURSTS)
    for seed in range(3):
        t = arrivals(20 + seed)
        works = (np.random.default_rng(seed).random(len(t)) < 0.99).astype(float)
        latency = latencies(seed, t, 100) * np.where(t % HOUR_S < 300, 2.0, 1.0)
        found = changes_of([recorded(run, 0, t, latency), recorded(run, 1, t, works)], run, [], 72.5 * HOUR_S)
        assert [each.points for each in found] == [[], []]


def test_windows_that_depend_on_each_other_allow_no_statement() -> None:
    run, t = scenario(STEADY), arrivals(5, bursts=False)
    hours = np.random.default_rng(3).standard_normal(73).cumsum()
    latency = np.exp(hours[(t / HOUR_S).astype(int)] / 2)
    (found,) = changes_of([recorded(run, 0, t, latency)], run, [], 72 * HOUR_S)
    assert found.points == []
    assert "windows of 1h depend on each other and are worth" in found.detail


# What happened near.


def test_what_begins_or_ends_near_a_change_is_named() -> None:
    known = [
        Happening("fault slow", [(100.0, 200.0), (900.0, 950.0)]),
        Happening("phase late begins", [(500.0, 500.0)]),
        Happening("fault long", [(0.0, 1000.0)]),
    ]
    found, throughout = near(150.0, 520.0, known, (0.0, 10_000.0), 50.0)
    assert found == [Nearby("fault slow", 100.0, 200.0), Nearby("phase late begins", 500.0, 500.0)]
    assert throughout == []


def test_what_happens_all_the_time_explains_nothing() -> None:
    often = Happening("a worker exited", [(t, t) for t in np.arange(0.0, 1000.0, 50).tolist()])
    many = Happening("another exited", [(5.0, 5.0)], lost=True)
    assert near(400.0, 500.0, [often, many], (0.0, 1000.0), 20.0) == ([], ["a worker exited", "another exited"])
    assert near(400.0, 500.0, [often], (0.0, 1000.0), 10.0)[1] == []


def test_faults_phases_restarts_releases_and_resumptions_are_known() -> None:
    run = scenario(
        "phases: [{name: late, at: 30m, for: 20m}]\nfaults: [{name: down, type: db_outage, at: 10m, for: 5m}]"
    )
    vocabulary = Vocabulary()
    marks = Marks(vocabulary)
    history = """
        5   process.exited w1 name=worker-1
        6   process.started w1 name=worker-1
        70  process.exited name=dispatcher
        80  release.deployed fault=v2
        90  release.rolled_back fault=v2
    """
    marks.observe(block_of(history, vocabulary))
    known = {each.what: list(each.spans) for each in happenings(run, marks, [Resume(95.0, 3.0, 60.0)], 3600.0)}
    assert known == {
        "fault down": [(600.0, 900.0)],
        "phase late begins": [(1800.0, 1800.0)],
        "phase late ends": [(3000.0, 3000.0)],
        "the run was resumed": [(95.0, 98.0)],
        "a worker exited": [(5.0, 5.0)],
        "a worker started again": [(6.0, 6.0)],
        "dispatcher exited": [(70.0, 70.0)],
        "release v2 deployed": [(80.0, 80.0)],
        "release v2 rolled back": [(90.0, 90.0)],
    }


def test_marks_are_bounded() -> None:
    marks = Marks(Vocabulary())
    t = np.arange(MOST_TIMES + 5.0)
    marks.observe(make_block(t, [Kind.PROCESS_EXITED] * len(t), until_s=t[-1], worker=np.zeros(len(t))))
    ((what, times_s, lost),) = marks.all()
    assert (what, len(times_s), lost) == ("a worker exited", MOST_TIMES, True)


# Of a judge.

FLAKY = """
version: 1
name: flaky
system: queue
duration: 24h
drain: 30m
workload:
  arrivals: {rate: 5/min}
  task: {duration: {distribution: lognormal, median: 8s, p95: 20s}}
queue: {workers: 10, poll_interval: 1s, retry: {max_attempts: 4, backoff: [1m, 3m]}}
faults: [{name: flaky, type: transient_error, rate: 45%, errors: [timeout], at: 12h, for: 12h}]
slos: [latency_p95 <= 10m, latency_p95 <= 20m, success_rate >= 80%, duplicate_executions == 0, lost_tasks == 0]
"""


def test_a_fault_is_held_against_the_step_that_it_makes() -> None:
    run, target = scenario(FLAKY), Simulation()
    verdict, made = execute(Plan(run, 3), target, identify(run, "", 3, target, abort=True))
    found = {each.indicator: each for each in verdict.change_points}
    assert [each.indicator for each in verdict.change_points] == ["latency_p95", "success_rate", "duplicate_executions"]
    (point,) = found["latency_p95"].points
    assert point.at_s == pytest.approx(12 * HOUR_S, abs=HOUR_S)
    assert point.near == [Nearby("fault flaky", 12 * HOUR_S, 24 * HOUR_S)]
    assert found["duplicate_executions"].points == []
    assert change_points(made) == verdict.change_points
    without = decide(made, identify(run, "", 3, target, abort=True), End.COMPLETED, with_findings=False)
    assert without.change_points == []
    assert without.verdict is verdict.verdict


def test_replications_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(judge: object) -> None:
        raise AssertionError("searched for change points")

    monkeypatch.setattr("soak.runner.judge.decide.change_points", refuse)
    assert replicate(Job(0, 3, scenario(FLAKY.replace("24h", "1h").replace("at: 12h, for: 12h", "at: 10m, for: 5m"))))


def test_a_judge_of_nothing_says_why_it_says_nothing() -> None:
    made = judge("0 enqueued 1 due=0\n1 dispatched 1 w0\n9 done 1", "slos: [latency_p95 <= 1m]")
    (found,) = change_points(made)
    assert found.detail == "fewer than 22 windows of the run have enough observations"


# In words.

POINT = ChangePoint(ChangeKind.STEP, 112_335.0, (111_010.0, 113_390.0), 80.0, 140.0, 0.001, [], [])
ENTRY = SeriesChanges("latency_p95 <= 120s", "latency_p95", {}, "duration", HOUR_S, 72, 60.0, "", [POINT])
SLOW = Nearby("fault slow", 112_000.0, 113_000.0)
EXIT = Nearby("a worker exited", 112_000.0, 112_000.0)


def test_a_step_in_words() -> None:
    assert sentence(ENTRY, POINT) == (
        "latency_p95 stepped from 80s to 140s at 31h12m (30h50m to 31h30m); no fault, phase, release or restart near"
    )


def test_a_drift_in_words() -> None:
    drift = msgspec.structs.replace(POINT, kind=ChangeKind.DRIFT)
    assert sentence(ENTRY, drift).startswith(
        "latency_p95 went from 80s to 140s between 30h50m and 31h30m, in no single step"
    )


def test_what_was_near_in_words() -> None:
    near_it = msgspec.structs.replace(POINT, near=[SLOW, EXIT])
    assert sentence(ENTRY, near_it).endswith("; near: fault slow (31h7m to 31h23m), a worker exited at 31h7m")
    often = msgspec.structs.replace(POINT, throughout=["fault other"])
    assert sentence(ENTRY, often).endswith(
        "; no other fault, phase, release or restart near (fault other throughout the run)"
    )


def test_short_windows_are_told_to_the_second() -> None:
    entry = msgspec.structs.replace(ENTRY, window_s=60.0, labels={"tenant": "A"})
    early = msgspec.structs.replace(POINT, at_s=615.0, interval=(605.0, 640.0))
    assert "latency_p95{tenant=A} stepped from 80s to 140s at 10m15s (10m5s to 10m40s)" in sentence(entry, early)
