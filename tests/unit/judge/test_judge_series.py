"""Stalls, samples, gaps, growth, the scenario's own SLIs, and the warm-up that counts for none of them."""

import math

import pytest
from histories import judge, objective, sli

# Stalls.

WAITS = """
0  enqueued 1
5  dispatched 1
30 done 1
"""


def test_a_stall_is_work_that_waits_while_nothing_changes() -> None:
    assert sli("stall_time", WAITS) == 5.0


def test_running_work_is_no_stall() -> None:
    assert sli("stall_time", WAITS, until=500) == 5.0


def test_work_that_still_waits_stalls_up_to_the_end() -> None:
    assert sli("stall_time", WAITS + "40 enqueued 2", until=90) == 50.0


def test_a_state_change_elsewhere_ends_a_stall() -> None:
    busy = "0 enqueued 1\n0 enqueued 2\n1 dispatched 2\n8 done 2\n10 dispatched 1"
    assert sli("stall_time", busy) == 7.0


def test_new_work_does_not_end_a_stall() -> None:
    assert sli("stall_time", "0 enqueued 1\n4 enqueued 2\n9 dispatched 1") == 9.0


def test_work_in_backoff_does_not_stall_before_it_is_due() -> None:
    history = "0 enqueued 1\n1 dispatched 1\n2 retry 1 due=62\n65 dispatched 1"
    assert sli("stall_time", history) == 3.0


def test_deferred_work_stalls() -> None:
    assert sli("stall_time", "0 enqueued 1\n0 dispatched 1\n1 done 1\n2 deferred 2", until=60) == 58.0


def test_a_stall_that_nothing_ever_ends_is_one() -> None:
    assert sli("stall_time", "0 enqueued 1", until=600) == 600.0
    assert objective("stall_time <= 5m", "0 enqueued 1", until=600).status == "FAIL"


def test_stall_time_without_work_is_unknown() -> None:
    assert math.isnan(sli("stall_time", "", until=600))


# Samples.

SAMPLES = """
60  queue_depth 3
60  oldest_pending 1.5
60  rss 100
60  open_files 7
60  db_size 4096
120 queue_depth 9
120 oldest_pending 30
120 rss 400
120 open_files 8
120 db_size 4096
180 queue_depth 2
180 oldest_pending 0
180 rss 200
180 open_files 7
180 db_size 4096
"""


@pytest.mark.parametrize(
    ("name", "value"), [("queue_depth", 9), ("oldest_pending", 30), ("rss", 400), ("open_files", 8), ("db_size", 4096)]
)
def test_a_sampled_level_is_judged_by_its_largest_sample(name: str, value: float) -> None:
    assert sli(name, SAMPLES) == value
    assert math.isnan(sli(name, WAITS))


def line(name: str, *values: float, every: int = 600) -> str:
    """Samples of a level, evenly spaced."""
    return "\n".join(f"{index * every} {name} {value}" for index, value in enumerate(values))


@pytest.mark.parametrize("name", ["rss", "open_files", "db_size"])
def test_growth_is_per_hour(name: str) -> None:
    assert sli(f"{name}_growth", line(name, 100, 110, 120, 130)) == pytest.approx(60)
    assert sli(f"{name}_growth", line(name, 100, 100, 100)) == 0
    assert sli(f"{name}_growth", line(name, 130, 120, 110)) == pytest.approx(-60)


def test_growth_is_robust() -> None:
    assert sli("rss_growth", line("rss", 100, 110, 9000, 130, 140, 150, 160)) == pytest.approx(60)


def test_growth_needs_three_samples() -> None:
    assert math.isnan(sli("rss_growth", line("rss", 100, 110)))


def test_growth_leaves_fault_windows_out() -> None:
    text = "duration: 2h\nfaults: [{name: down, type: db_outage, at: 25m, for: 40m}]"
    history = line("rss", 100, 110, 120, 5000, 6000, 7000, 8000, 170)
    assert sli("rss_growth", history, text) == pytest.approx(60)
    assert sli("rss_growth", history) > 100


def test_growth_of_very_many_samples() -> None:
    history = line("rss", *range(5000), every=1)
    assert sli("rss_growth", history, "duration: 2h") == pytest.approx(3600)


# Gaps.


def test_telemetry_gap_is_the_longest_time_without_a_sign_of_life() -> None:
    assert sli("telemetry_gap", SAMPLES) == 60.0
    assert sli("telemetry_gap", SAMPLES, until=300) == 120.0


def test_what_the_runner_says_of_itself_is_no_sign_of_life() -> None:
    history = SAMPLES + "200 injected fault=down\n250 alert.fired name=x\n260 lost 0\n270 run.ended 1"
    assert sli("telemetry_gap", history, until=300) == 120.0


def test_telemetry_gap_has_no_rounding_noise() -> None:
    assert 64.1 - 4.1 < 60.0 < 64.4 - 4.4
    assert sli("telemetry_gap", "4.1 rss 1\n64.1 rss 1") == 60.0
    assert sli("telemetry_gap", "4.4 rss 1\n64.4 rss 1") == 60.0


# The scenario's own.

EVENTS = """
0  enqueued 1
0  enqueued 2
1  dispatched 1 w0
1  dispatched 2 w1
5  ended 1 ran=4 fault=net error=timeout
5  retry 1 due=9 fault=net error=timeout
7  ended 2 ran=6
7  done 2
9  dispatched 1 w1
11 ended 1 ran=2 fault=net error=refused
11 failed 1 fault=net error=refused
"""
NET = "faults: [{name: net, type: transient_error, rate: 1%, errors: [timeout, refused]}]\n"


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        ("ratio: {good: task.done, total: [task.done, task.failed]}", 0.5),
        ("ratio: {good: task.retry, total: task.dispatched}", 1 / 3),
        ("ratio: {good: task.dispatched, total: task.enqueued}", 1.5),
        ("count: task.dispatched", 3),
        ("count: [task.retry, task.failed]", 2),
        ("count: 'execution.ended{fault=net}'", 2),
        ("count: 'execution.ended{fault=net, error=timeout}'", 1),
        ("count: 'task.dispatched{worker=1}'", 2),
        ("count: task.blocked", 0),
        ("quantile: {of: execution.ended, q: 50%}, unit: duration", 4.0),
        ("quantile: {of: execution.ended, q: 100%}, unit: duration", 6.0),
        ("quantile: {of: execution.ended, q: 0%}, unit: duration", 2.0),
        ("gauge: {of: task.retry}", 9.0),
    ],
)
def test_own_sli(definition: str, value: float) -> None:
    assert sli("mine", EVENTS, f"{NET}slis: {{mine: {{{definition}}}}}") == pytest.approx(value, rel=0.005)


def test_own_sli_by_tenant() -> None:
    text = """
        workload: {arrivals: {rate: 1/s}, task: {duration: {distribution: constant, value: 1s}}, tenants: [
          {name: A, share: 50%}, {name: B, share: 50%}]}
        slis: {mine: {count: "task.enqueued{tenant=B}"}}
    """
    assert sli("mine", "0 enqueued 1 tenant=A\n0 enqueued 2 tenant=B\n0 enqueued 3 tenant=B", text) == 2


def test_observations_of_an_own_ratio_are_its_total() -> None:
    text = "slis: {mine: {ratio: {good: task.skipped, total: task.duplicate}}}"
    history = "0 enqueued 1\n1 duplicate 1.2\n1 skipped 1.2\n2 duplicate 1.2\n2 skipped 1.2"
    assert objective("mine == 100%", history, text).samples == 2
    assert objective("{objective: mine == 100%, min_samples: 3}", history, text).status == "INCONCLUSIVE"


def test_an_own_ratio_above_one_has_no_interval() -> None:
    text = "slis: {mine: {ratio: {good: task.dispatched, total: task.enqueued}}}"
    plain = objective("mine >= 100%", EVENTS, text + "\n" + NET)
    assert (plain.value, plain.interval, plain.status) == (1.5, None, "PASS")
    sure = objective("{objective: mine >= 100%, confidence: 95%}", EVENTS, text + "\n" + NET)
    assert sure.status == "INCONCLUSIVE"


# Warm-up.


def test_the_warm_up_counts_for_nothing() -> None:
    made = judge(EVENTS, f"{NET}warmup: 6s\nslis: {{mine: {{count: task.dispatched}}}}")
    values = made.slis()
    assert values["success_rate"] == 0.5
    assert values["mine"] == 1
    assert values["latency_max"] == 11.0
    assert values["state_transitions"] == 3


def test_an_observation_at_the_end_of_the_warm_up_counts() -> None:
    assert sli("success_rate", EVENTS, f"{NET}warmup: 7s") == 0.5


@pytest.mark.parametrize("history", ["0 rss 1\n100 rss 1\n140 rss 1\n160 rss 1", "100 rss 1\n140 rss 1\n160 rss 1"])
def test_a_gap_in_the_warm_up_does_not_hide_a_later_one(history: str) -> None:
    assert sli("telemetry_gap", history, "warmup: 110s") == 40.0


def test_a_stall_in_the_warm_up_does_not_hide_a_later_one() -> None:
    history = "0 enqueued 1\n100 dispatched 1\n101 done 1\n120 enqueued 2\n150 dispatched 2\n151 done 2"
    assert sli("stall_time", history, "warmup: 110s") == 30.0
    assert sli("stall_time", history) == 100.0


def test_what_was_observed_in_the_warm_up_is_no_evidence() -> None:
    history = "0 enqueued 1\n1 dispatched 1\n1 started 1\n2 ended 1\n2 done 1"
    assert objective("duplicate_executions == 0", history, "warmup: 10s", until=20).status == "INCONCLUSIVE"


def test_own_sli_by_kind_of_events_that_do_not_tell_it() -> None:
    text = """
        workload: {arrivals: {rate: 1/s}, task: {duration: {distribution: constant, value: 1s}}, kinds: [
          {name: small, share: 50%}, {name: big, share: 50%}]}
        slis: {mine: {count: "task.done{kind=big}"}}
        """
    steps = "0 enqueued 1 kind=small\n0 enqueued 2 kind=big\n1 dispatched 1\n1 dispatched 2\n2 done 1\n3 done 2"
    assert sli("mine", steps, text) == 1
