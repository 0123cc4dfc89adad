"""SLIs of the queue, each by a history short enough to work its value out by hand."""

import math

import pytest
from histories import sli

CLEAN = """
0 enqueued 1
2 dispatched 1 w0
2 started 1
9 ended 1 ran=7
9 done 1
"""
ONE_FAILS = """
0 enqueued 1
0 enqueued 2
1 dispatched 1
5 done 1
5 dispatched 2
9 failed 2 error=bad
"""
NET = "faults: [{name: net, type: transient_error, rate: 1%}]"
RETRIED = """
0  enqueued 1
1  dispatched 1
1  started 1
3  ended 1 fault=net error=timeout
3  retry 1 fault=net error=timeout due=63
70 dispatched 1
70 started 1
80 ended 1
80 done 1
"""
EXPIRED = """
0   enqueued 1
1   dispatched 1 w0
1   started 1 w0
150 expired 1
150 retry 1 due=150 error=lease_expired
151 dispatched 1 w1
151 started 1 w1
160 ended 1
160 done 1
"""


def shifted(history: str, task: str, seconds: float) -> str:
    """The same history of another task, later."""
    lines = [line.split() for line in history.strip().splitlines()]
    moved = [(float(t) + seconds, " ".join([word, task, *rest])) for t, word, _, *rest in lines]
    return "\n".join(f"{t} {text}" for t, text in moved) + "\n"


def test_success_rate_counts_done_and_failed_only() -> None:
    others = "0 enqueued 3\n1 dispatched 3\n2 blocked 3\n0 enqueued 4\n1 cancelled 4\n0 enqueued 5\n"
    ordered = "\n".join(
        sorted((ONE_FAILS + others).split("\n"), key=lambda line: float(line.split()[0]) if line else 0)
    )
    assert sli("success_rate", ordered) == 0.5
    assert math.isnan(sli("success_rate", "0 enqueued 1\n1 dispatched 1\n2 blocked 1"))


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


def test_recovery_rate_is_of_tasks_that_met_a_transient_failure() -> None:
    gave_up = "200 enqueued 2\n201 dispatched 2\n205 failed 2 fault=net error=timeout\n"
    assert sli("recovery_rate", RETRIED, NET) == 1.0
    assert sli("recovery_rate", RETRIED + shifted(CLEAN, "3", 100) + gave_up, NET) == 0.5
    assert math.isnan(sli("recovery_rate", CLEAN, NET))


def test_recovery_rate_leaves_permanent_errors_and_expired_leases_out() -> None:
    text = "faults: [{name: bug, type: permanent_error, rate: 1%}]"
    broken = "200 enqueued 2\n201 dispatched 2\n205 failed 2 fault=bug error=bug\n"
    assert math.isnan(sli("recovery_rate", EXPIRED + broken, text))


def test_recovery_rate_sees_errors_of_the_system_itself() -> None:
    assert sli("recovery_rate", RETRIED.replace("fault=net ", "")) == 1.0


def test_lease_recovery_rate_is_of_expired_leases() -> None:
    assert sli("lease_recovery_rate", EXPIRED) == 1.0
    assert math.isnan(sli("lease_recovery_rate", CLEAN))


def test_lease_recovery_rate_counts_each_lease() -> None:
    lost_twice = """
        200 enqueued 2
        201 dispatched 2
        330 expired 2
        330 retry 2 error=lease_expired
        331 dispatched 2
        460 expired 2
        460 failed 2 error=lease_expired
    """
    assert sli("lease_recovery_rate", EXPIRED + lost_twice) == pytest.approx(1 / 3)
    recovered = lost_twice.replace("failed 2 error=lease_expired", "retry 2\n461 dispatched 2\n462 done 2")
    assert sli("lease_recovery_rate", EXPIRED + recovered) == 1.0


def test_duplicate_executions_is_zero_for_one_attempt_after_another() -> None:
    assert sli("duplicate_executions", CLEAN) == 0
    assert sli("duplicate_executions", RETRIED, NET) == 0


def test_duplicate_executions_counts_a_zombie_that_still_runs() -> None:
    assert sli("duplicate_executions", EXPIRED) == 1
    ended_first = EXPIRED.replace("150 expired", "149 ended 1\n150 expired")
    assert sli("duplicate_executions", ended_first) == 0


def test_duplicate_executions_counts_every_overlap() -> None:
    assert sli("duplicate_executions", "0 started 1 @1\n1 started 1 @2\n2 started 1 @3\n3 ended 1 @1") == 2


def test_duplicate_executions_counts_an_execution_after_done() -> None:
    assert sli("duplicate_executions", CLEAN + "20 started 1 @2\n21 ended 1 @2") == 1


@pytest.mark.parametrize("at", [3, 20])
def test_duplicate_executions_go_by_key(at: int) -> None:
    copy = f"{at} started 1.2\n{at} ended 1.2\n"
    history = CLEAN + copy if at > 9 else CLEAN.replace("9 ended", f"{copy}9 ended")
    assert sli("duplicate_executions", history) == 1


def test_duplicate_block_rate_is_of_duplicates_of_active_keys() -> None:
    skipped = CLEAN + "10 duplicate 1.2\n10 skipped 1.2\n"
    accepted = shifted(CLEAN, "2", 20) + "30 duplicate 2.2\n30 enqueued 2.2\n"
    assert sli("duplicate_block_rate", skipped) == 1.0
    assert sli("duplicate_block_rate", skipped + accepted) == 0.5
    assert math.isnan(sli("duplicate_block_rate", CLEAN))


@pytest.mark.parametrize("state", ["failed", "blocked", "cancelled"])
def test_a_key_that_came_to_nothing_may_come_again(state: str) -> None:
    again = f"0 enqueued 1\n1 dispatched 1\n2 {state} 1\n3 duplicate 1.2\n3 enqueued 1.2\n4 dispatched 1.2\n9 done 1.2"
    assert math.isnan(sli("duplicate_block_rate", again))
    assert sli("illegal_transitions", again) == 0


@pytest.mark.parametrize(("end", "value"), [("blocked", 0), ("done", 1), ("failed", 1), ("cancelled", 1)])
def test_guardrail_unblocked_is_tasks_over_budget_that_did_not_end_blocked(end: str, value: int) -> None:
    text = "faults: [{name: budget, type: guardrail_exceed, rate: 1%}]"
    history = f"0 enqueued 1\n1 dispatched 1\n1 started 1\n5 ended 1 fault=budget\n5 {end} 1"
    assert sli("guardrail_unblocked", history, text) == value


@pytest.mark.parametrize(("started", "value"), [(62.9, 1), (63, 0), (70, 0)])
def test_backoff_violations(started: float, value: int) -> None:
    history = RETRIED.replace("70 dispatched", f"{started} dispatched").replace("70 started", f"{started} started")
    assert sli("backoff_violations", history, NET + "\nqueue: {retry: {backoff: [1m, 3m]}}") == value


@pytest.mark.parametrize(("attempt", "wait", "value"), [(2, 179, 1), (2, 180, 0), (3, 179, 1), (3, 180, 0)])
def test_backoff_grows_and_its_last_value_repeats(attempt: int, wait: float, value: int) -> None:
    text = NET + "\nqueue: {retry: {backoff: [1m, 3m]}}"
    history = f"""
        0 enqueued 1
        1 dispatched 1
        2 retry 1 @{attempt} fault=net error=timeout due=2
        {2 + wait} dispatched 1
        {2 + wait} started 1
    """
    assert sli("backoff_violations", history, text) == value


def test_a_lease_that_expired_needs_no_backoff() -> None:
    assert sli("backoff_violations", EXPIRED) == 0


def test_lost_tasks_are_accepted_and_in_no_state() -> None:
    three = "0 enqueued 1\n0 enqueued 2\n0 enqueued 3\n1 dispatched 1\n2 done 1\n"
    assert sli("lost_tasks", three + "9 census done=1 pending=2") == 0
    assert sli("lost_tasks", three + "9 census done=1 pending=1") == 1
    assert math.isnan(sli("lost_tasks", three))


ILLEGAL = [
    "0 dispatched 1",
    "0 enqueued 1\n1 done 1",
    "0 enqueued 1\n1 enqueued 1",
    "0 enqueued 1\n1 retry 1",
    "0 enqueued 1\n1 dispatched 1\n2 dispatched 1",
    "0 enqueued 1\n1 dispatched 1\n2 done 1\n3 retry 1",
    "0 enqueued 1\n1 dispatched 1\n2 done 1\n3 failed 1",
    "0 enqueued 1\n1 deferred 1",
]


@pytest.mark.parametrize("history", ILLEGAL)
def test_illegal_transitions(history: str) -> None:
    assert sli("illegal_transitions", history) == 1


LEGAL = [
    CLEAN,
    RETRIED,
    EXPIRED,
    "0 deferred 1\n5 enqueued 1 due=0",
    "0 enqueued 1\n1 cancelled 1",
    "0 enqueued 1\n1 dispatched 1\n2 cancelled 1\n3 retry 1",
    "0 enqueued 1\n1 dispatched 1\n2 blocked 1\n3 cancelled 1",
]


@pytest.mark.parametrize("history", LEGAL)
def test_legal_transitions(history: str) -> None:
    assert sli("illegal_transitions", history) == 0


def test_lease_contentions_adds_up_losers() -> None:
    assert sli("lease_contentions", "0 enqueued 1\n1 contended 1 value=2\n1 dispatched 1\n5 contended 1 value=1") == 3
    assert sli("lease_contentions", CLEAN) == 0


def test_state_transitions_leave_arrivals_out() -> None:
    assert sli("state_transitions", RETRIED) == 4
    assert sli("state_transitions", "0 deferred 1\n5 enqueued 1") == 0


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
