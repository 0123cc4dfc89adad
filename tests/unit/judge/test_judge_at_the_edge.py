"""What hangs on one instant, one label or one direction: each was a false verdict once."""

import pytest
from histories import IDENTITY, make_judge, objective, observed, scenario, verdict

from soak.runner.judge.decide import decide
from soak.schemas.evidence.verdict import End, ObjectiveResult, Verdict
from soak.schemas.stream.block import merge
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

CALLS = """
system: calls
workload: {arrivals: {rate: 1/s}}
calls: {dependencies: [{name: a, latency: {distribution: constant, value: 1s}}]}
"""
PHASES = "phases: [{name: a, at: 0s, for: 100s}, {name: b, at: 100s, for: 50s}]\n"


def each_second(count: int, after: int = 0) -> str:
    """A task a second that is done at once."""
    return "\n".join(f"{n} enqueued {n}\n{n} dispatched {n}\n{n} done {n}" for n in range(after, after + count))


def test_unfinished_work_of_other_labels_breaks_nothing() -> None:
    history = each_second(100) + "\n120 enqueued 200\n"
    done = objective('"latency_max{phase=a} <= 3s"', history, PHASES)
    assert (done.status, done.detail) == ("PASS", "")
    assert objective('"latency_max{phase=b} <= 3s"', history, PHASES).status == "INCONCLUSIVE"
    assert objective("latency_max <= 3s", history, PHASES).status == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("success_rate <= 100%", "PASS"),
        ("success_rate < 100%", "PASS"),
        ("success_rate <= 60%", "INCONCLUSIVE"),
        ("success_rate <= 67%", "PASS"),
        ("latency_p50 >= 8s", "PASS"),
        ("latency_mean >= 8s", "INCONCLUSIVE"),
        ("latency_max >= 8s", "PASS"),
    ],
)
def test_unfinished_work_may_turn_out_well_as_well_as_badly(wanted: str, status: str) -> None:
    """One is DONE after 9 s, one FAILED after 9 s, one is open."""
    history = "0 enqueued 1\n0 enqueued 2\n0 enqueued 3\n1 dispatched 1\n1 dispatched 2\n9 done 1\n9 failed 2\n"
    assert objective(f"'{wanted}'", history).status == status


@pytest.mark.parametrize(
    ("begin", "end", "series", "what"),
    [
        ("process.exited name=a error=crash", "process.started name=a", "heal_time", "outages"),
        ("release.deployed error=bad", "release.rolled_back error=bad", "rollback_time", "releases"),
    ],
)
def test_what_has_not_come_to_its_end_may_take_longest(begin: str, end: str, series: str, what: str) -> None:
    history = f"10 {begin}\n20 {end}\n300 {begin}\n600 queue_depth 0"
    result = objective(f"{series}_max <= 30s", history, CALLS)
    assert (result.status, result.detail) == ("INCONCLUSIVE", f"1 unfinished {what} could still break it")
    assert objective(f"{series}_max <= 30s", f"{history}\n601 {end}", CALLS).status == "FAIL"
    assert objective(f"{series}_max <= 30s", history.replace(f"300 {begin}\n", ""), CALLS).status == "PASS"


def test_a_relative_target_is_met_by_its_multiple() -> None:
    """1.1 times 200 is more than 220 in binary, and 0.75 times 0.8 more than 0.6."""
    more = each_second(100) + "\n" + each_second(110, 1000)
    text = "phases: [{name: a, at: 0s, for: 100s}, {name: b, at: 1000s, for: 110s}]\n"
    for op in (">=", "<="):
        assert objective(f'"state_transitions{{phase=b}} {op} 1.1x phase=a"', more, text).status == "PASS"
    assert objective('"state_transitions{phase=b} >= 1.11x phase=a"', more, text).status == "FAIL"


def test_a_rate_is_per_time_of_its_phase() -> None:
    history = each_second(150) + "\n900 queue_depth 0"
    for phase in ("a", "b"):
        found = objective(f'"throughput{{phase={phase}}} >= 60/min"', history, PHASES)
        assert (found.status, found.value) == ("PASS", pytest.approx(1.0))
    assert objective('"throughput{phase=a} >= 1x phase=b"', history, PHASES).status == "PASS"


@pytest.mark.parametrize(("least", "fired"), [(1, 0.0), (2, 1.0), (30, 29.0), (61, None)])
def test_counts_and_rates_need_their_samples(least: int, fired: float | None) -> None:
    text = f"alerts: [{{name: a, when: throughput >= 1/min, window: 1m, min_samples: {least}}}]\n"
    [result] = verdict(each_second(90), text).alerts
    assert [each.fired_s for each in result.firings] == ([] if fired is None else [fired])


def test_what_ends_at_the_instant_at_which_it_would_fire_does_not() -> None:
    samples = (
        "10 queue_depth 9\n20 queue_depth 1\n30 queue_depth 9\n41 queue_depth 1\n51 queue_depth 9\n90 queue_depth 1\n"
    )
    text = (
        "alerts: [{name: a, when: queue_depth > 5, for: 10s}, {name: b, when: queue_depth > 5, keep_firing_for: 10s}]\n"
    )
    waits, keeps = verdict(samples, text).alerts
    assert [each.fired_s for each in waits.firings] == [40.0, 61.0]
    assert [(each.fired_s, each.resolved_s) for each in keeps.firings] == [(10.0, None)]


def simulated(text: str) -> Verdict:
    """The verdict on a simulated run, cut nowhere."""
    made = make_judge(text)
    observed(made, [merge(list(simulate(Plan(scenario(text)))))])
    return decide(made, IDENTITY, End.COMPLETED)


OUTAGES = """
duration: 40m
drain: 10m
workload: {arrivals: {rate: 1/min, process: constant}, task: {duration: {distribution: constant, value: 5s}}}
queue: {workers: 4, poll_interval: 0s}
telemetry: {sample_interval: 1m}
"""


def test_work_that_waited_for_the_end_of_an_outage_comes_before_what_arrives_then() -> None:
    text = OUTAGES + (
        "faults: [{name: db, type: db_outage, at: 10m, for: 5m}, {name: out, type: dispatcher_crash, at: 14m, for: 11m}]\n"
        "slos: [oldest_pending <= 12m]\nalerts: [{name: old, when: oldest_pending > 12m}]\n"
    )
    result = simulated(text)
    found: ObjectiveResult = result.objectives[0]
    assert (found.status, found.value) == ("FAIL", 900.0)
    assert [each.fired_s for each in result.alerts[0].firings] == [1380.0]


def test_an_outage_that_goes_on_where_another_ends_is_seen() -> None:
    text = OUTAGES + (
        "faults: [{name: one, type: db_outage, at: 5m, for: 2m}, {name: two, type: db_outage, at: 6m, for: 9m}]\n"
    )
    assert [(each.name, each.injected, each.seen > 0) for each in simulated(text).faults] == [
        ("one", 1, True),
        ("two", 1, True),
    ]
