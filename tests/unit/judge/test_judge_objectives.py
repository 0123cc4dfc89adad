"""Objectives: work that is not finished, and intervals that reach beyond the target."""

import pytest
from histories import objective, verdict

SLO = "slos: [success_rate >= 50%]\n"
GOOD = """
0 enqueued 1
1 dispatched 1
9 done 1
"""
OPEN = GOOD + "10 enqueued 2\n"


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("success_rate >= 50%", "PASS"),
        ("success_rate >= 51%", "INCONCLUSIVE"),
        ("latency_p50 <= 10s", "PASS"),
        ("latency_p95 <= 10s", "INCONCLUSIVE"),
        ("latency_max <= 1h", "INCONCLUSIVE"),
        ("latency_mean <= 1h", "INCONCLUSIVE"),
        ("duplicate_executions == 0", "PASS"),
        ("latency_max <= 8s", "FAIL"),
    ],
)
def test_unfinished_tasks_that_could_still_break_it(wanted: str, status: str) -> None:
    started = OPEN.replace("9 done", "1 started 1\n9 done")
    result = objective(f"'{wanted}'", started)
    assert result.status == status
    if status == "INCONCLUSIVE":
        assert result.detail == "1 unfinished tasks could still break it"


@pytest.mark.parametrize("state", ["enqueued 2", "deferred 2", "enqueued 2\n10 dispatched 2"])
def test_what_counts_as_unfinished(state: str) -> None:
    assert objective("latency_max <= 1h", f"{GOOD}10 {state}").status == "INCONCLUSIVE"


@pytest.mark.parametrize("state", ["done", "failed", "blocked", "cancelled"])
def test_what_counts_as_finished(state: str) -> None:
    assert objective("latency_max <= 1h", f"{OPEN}10 dispatched 2\n10 {state} 2").status == "PASS"


def test_unfinished_tasks_are_told() -> None:
    result = verdict(OPEN + "11 enqueued 3\n12 dispatched 3", SLO)
    assert (result.unfinished, result.tasks["PENDING"], result.tasks["IN_PROGRESS"]) == (2, 1, 1)


def test_recovery_waits_for_tasks_that_met_a_transient_failure() -> None:
    recovered = "0 enqueued 1\n1 dispatched 1\n2 retry 1 error=net\n3 dispatched 1\n4 done 1\n"
    wanted = "'recovery_rate >= 90%'"
    assert objective(wanted, recovered + "5 enqueued 2\n6 dispatched 2").status == "PASS"
    assert objective(wanted, recovered + "5 enqueued 2\n6 dispatched 2\n7 retry 2 error=net").status == "INCONCLUSIVE"


def test_lease_recovery_waits_for_expired_leases() -> None:
    recovered = "0 enqueued 1\n1 dispatched 1\n2 expired 1\n2 retry 1\n3 dispatched 1\n4 done 1\n"
    wanted = "'lease_recovery_rate >= 90%'"
    assert objective(wanted, recovered + "5 enqueued 2\n6 dispatched 2").status == "PASS"
    again = recovered + "5 enqueued 2\n6 dispatched 2\n7 expired 2\n7 retry 2"
    assert objective(wanted, again).status == "INCONCLUSIVE"


# Confidence.


def many(good: int, bad: int) -> str:
    """So many tasks DONE, and so many FAILED."""
    tasks = [(n, "done" if n < good else "failed") for n in range(good + bad)]
    steps = [[f"{n}.0 enqueued {n}", f"{n}.1 dispatched {n}", f"{n}.2 {how} {n}"] for n, how in tasks]
    return "\n".join(line for step in steps for line in step)


def test_the_whole_interval_must_hold() -> None:
    # Wilson's 95 % interval of 48 of 50 is 86.5 % to 98.9 %.
    sure = objective("{objective: success_rate >= 86%, confidence: 95%}", many(48, 2))
    assert sure.status == "PASS"
    assert sure.interval == pytest.approx((0.8654, 0.9890), abs=1e-4)
    unsure = objective("{objective: success_rate >= 87%, confidence: 95%}", many(48, 2))
    assert (unsure.status, unsure.detail) == ("INCONCLUSIVE", "the 95% interval reaches beyond the target")
    assert objective("success_rate >= 87%", many(48, 2)).status == "PASS"


def test_an_observed_value_beyond_the_target_is_a_fail_whatever_the_interval() -> None:
    assert objective("{objective: success_rate >= 97%, confidence: 95%}", many(48, 2)).status == "FAIL"


def test_the_interval_of_a_quantile_may_be_open() -> None:
    few = objective("{objective: latency_p99 <= 1h, confidence: 95%}", many(10, 0))
    assert (few.status, few.interval[1]) == ("INCONCLUSIVE", None)
    assert objective("{objective: latency_p50 <= 1h, confidence: 95%}", many(50, 0)).status == "PASS"
