"""Latency, wait, throughput and lag, each by a history short enough to work the value out by hand."""

import math

import pytest
from histories import CLEAN, EXPIRED, RETRIED, shifted, sli

ONE_FAILS = """
0 enqueued 1
0 enqueued 2
1 dispatched 1
5 done 1
5 dispatched 2
9 failed 2 error=bad
"""
NET = "faults: [{name: net, type: transient_error, rate: 1%}]"


@pytest.mark.parametrize(
    ("name", "value"),
    [("latency_mean", 7.0), ("latency_p50", 5.0), ("latency_p95", 9.0), ("latency_p99", 9.0), ("latency_max", 9.0)],
)
def test_latency_is_from_enqueue_to_done_or_failed(name: str, value: float) -> None:
    assert sli(name, ONE_FAILS) == pytest.approx(value, rel=0.005)


def test_latency_is_from_the_intended_enqueue() -> None:
    assert sli("latency_max", "4 enqueued 1 due=1\n5 dispatched 1\n6 done 1") == 5.0


def test_latency_has_no_rounding_noise() -> None:
    # 17.1 - 7.1 is 10.000000000000002 in binary: just over a target of 10 s.
    assert sli("latency_max", "7.1 enqueued 1\n8 dispatched 1\n17.1 done 1") == 10.0


def test_a_mean_loses_nothing_to_rounding() -> None:
    assert 4.1 * 1_000_000 < 4_100_000
    assert sli("latency_mean", "0 enqueued 1\n1 dispatched 1\n4.1 done 1") == 4.1


def test_latency_spans_all_attempts() -> None:
    assert sli("latency_max", RETRIED, NET) == 80.0


@pytest.mark.parametrize(
    ("name", "value"),
    [("wait_mean", 3.0), ("wait_p50", 1.0), ("wait_p95", 5.0), ("wait_p99", 5.0), ("wait_max", 5.0)],
)
def test_wait_is_from_due_to_dispatched(name: str, value: float) -> None:
    assert sli(name, ONE_FAILS) == pytest.approx(value, rel=0.005)


def test_wait_adds_up_attempts_and_leaves_backoff_out() -> None:
    assert sli("wait_max", RETRIED, NET) == 1.0 + (70.0 - 63.0)


def test_wait_of_work_dispatched_before_it_is_due_is_zero() -> None:
    assert sli("wait_max", "0 enqueued 1 due=5\n1 dispatched 1\n2 done 1") == 0.0


def test_wait_of_a_dispatch_whose_retry_was_lost_is_not_known() -> None:
    assert sli("wait_max", "0 enqueued 1\n1 dispatched 1\n60 dispatched 1\n61 done 1") == 1.0


LOST = """
1000 lost 9
1001 ended 1
1001 done 1
1002 retry 2 due=1002
1003 dispatched 2
1009 done 2
1010 failed 3
"""


@pytest.mark.parametrize("name", ["latency_max", "wait_max"])
def test_times_of_tasks_whose_enqueue_was_lost_are_not_known(name: str) -> None:
    assert math.isnan(sli(name, LOST))
    assert sli("success_rate", LOST) == pytest.approx(2 / 3)


def test_times_of_a_task_count_once() -> None:
    twice = CLEAN + "500 done 1\n600 failed 1\n"
    assert (sli("latency_max", twice), sli("wait_max", twice)) == (7.0 + 2.0, 2.0)
    assert sli("illegal_transitions", twice) == 2


def test_a_task_that_comes_again_starts_afresh() -> None:
    again = EXPIRED.replace("160 done", "160 blocked") + shifted(CLEAN, "1", 200)
    assert sli("latency_max", again) == sli("wait_max", again) + 7.0 == 9.0
    assert sli("lease_recovery_rate", again) == 0.0
    assert math.isnan(sli("recovery_rate", RETRIED.replace("80 done", "80 blocked") + shifted(CLEAN, "1", 200), NET))


def test_throughput_is_done_and_failed_per_time() -> None:
    assert sli("throughput", ONE_FAILS, until=20) == pytest.approx(2 / 20)
    assert sli("throughput", ONE_FAILS, "warmup: 8s", until=20) == pytest.approx(1 / 12)


def test_submission_lag_is_how_late_work_was_offered() -> None:
    assert sli("submission_lag_p99", "3 enqueued 1 due=1") == 2.0


def test_submission_lag_is_not_the_time_a_system_could_not_take_work_in() -> None:
    assert sli("submission_lag_p99", "1 deferred 1 due=1\n60 enqueued 1 due=1") == 0.0


def test_submission_lag_is_not_the_time_to_a_duplicate() -> None:
    assert sli("submission_lag_p99", "0 enqueued 1\n1 dispatched 1\n2 failed 1\n9 enqueued 1.2 due=0") == 0.0
