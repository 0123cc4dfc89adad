"""Rates and counts of the queue, each by a history short enough to work its value out by hand."""

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


def test_success_rate_counts_done_and_failed_only() -> None:
    others = "0 enqueued 3\n1 dispatched 3\n2 blocked 3\n0 enqueued 4\n1 cancelled 4\n0 enqueued 5\n"
    ordered = "\n".join(
        sorted((ONE_FAILS + others).split("\n"), key=lambda line: float(line.split()[0]) if line else 0)
    )
    assert sli("success_rate", ordered) == 0.5
    assert math.isnan(sli("success_rate", "0 enqueued 1\n1 dispatched 1\n2 blocked 1"))


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
