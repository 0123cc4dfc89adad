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
    assert (unsure.status, unsure.detail) == ("INCONCLUSIVE", "the 95% interval includes values that break the target")
    assert objective("success_rate >= 87%", many(48, 2)).status == "PASS"


def test_an_observed_value_beyond_the_target_is_a_fail_whatever_the_interval() -> None:
    assert objective("{objective: success_rate >= 97%, confidence: 95%}", many(48, 2)).status == "FAIL"


def test_the_interval_of_a_quantile_may_be_open() -> None:
    few = objective("{objective: latency_p99 <= 1h, confidence: 95%}", many(10, 0))
    assert (few.status, few.interval[1]) == ("INCONCLUSIVE", None)
    assert objective("{objective: latency_p50 <= 1h, confidence: 95%}", many(50, 0)).status == "PASS"


# At the target.


def latencies(*each_s: float) -> str:
    """A task for each latency, all enqueued at the start."""
    numbers = range(1, len(each_s) + 1)
    starts = "\n".join(f"0 enqueued {n}\n0 dispatched {n}" for n in numbers)
    return starts + "\n" + "\n".join(f"{t} done {n}" for t, n in sorted(zip(each_s, numbers, strict=True)))


TENS = latencies(1.0, *[10.0] * 8, 60.0)


@pytest.mark.parametrize(
    ("op", "status"),
    [("<=", "PASS"), ("<", "FAIL"), (">=", "PASS"), (">", "FAIL")],
)
@pytest.mark.parametrize("form", ["latency_p50 {op} 10s", "{{objective: latency_p50 {op} 10s, confidence: 50%}}"])
def test_a_quantile_at_its_target_is_exact(op: str, status: str, form: str) -> None:
    result = objective(form.format(op=op), TENS)
    assert (result.value, result.margin) == (10.0, 0.0)
    assert result.status == status


def test_objective_and_condition_agree_at_the_target() -> None:
    text = "slos: [latency_p50 <= 10s, latency_p95 < 600ms]\nalerts: [{name: a, when: latency_p50 > 10s}]\n"
    result = verdict(TENS, text)
    assert ([each.status for each in result.objectives], result.alerts[0].firings) == (["PASS", "FAIL"], [])
    exact = verdict(latencies(*[0.6] * 20), text + "abort: [{name: b, when: latency_p95 >= 600ms}]\n")
    assert (exact.objectives[1].status, exact.objectives[1].value, exact.aborts[0].value) == ("FAIL", 0.6, 0.6)


def test_a_relative_quantile_is_exact_at_its_target() -> None:
    """1.1 times 3 s is 3.3 s, in whatever way it is reckoned; 3.300001 s is more."""
    text = "phases: [{name: early, at: 0s, for: 50s}, {name: late, at: 50s, for: 60s}]\n"
    early = latencies(3.0, 3.0, 3.0, 40.0)
    for end_s, statuses in ((53.3, ["PASS", "PASS"]), (53.300001, ["FAIL", "PASS"]), (53.299999, ["PASS", "FAIL"])):
        late = "".join(f"\n50 enqueued {n}\n50 dispatched {n}\n{end_s} done {n}" for n in (5, 6, 7))
        slos = ", ".join(f'"latency_p50{{phase=late}} {op} 1.1x phase=early"' for op in ("<=", ">="))
        result = verdict(early + late, f"slos: [{slos}]\n{text}")
        assert [each.status for each in result.objectives] == statuses


@pytest.mark.parametrize(("good", "of"), [(999, 1000), (9999, 10_000), (57, 100), (29, 100), (7, 25)])
def test_a_share_at_its_target_is_exact(good: int, of: int) -> None:
    """In binary, 99.9 divided by 100 is more than 999 divided by 1,000."""
    lines = [f"0 enqueued {n}\n0 dispatched {n}\n1 {'done' if n < good else 'failed'} {n}" for n in range(of)]
    history = "\n".join(sorted("\n".join(lines).splitlines(), key=lambda line: line.split()[0]))
    target = f"{100 * good / of:.10g}%"
    for op in (">=", "<="):
        assert objective(f"success_rate {op} {target}", history).status == "PASS", (op, target)


@pytest.mark.parametrize(
    ("wanted", "history", "reason"),
    [
        (
            "success_rate >= 99.9%",
            "\n".join(f"0 enqueued {n}\n0 dispatched {n}" for n in range(1001))
            + "".join(f"\n1 {'failed' if n < 2 else 'done'} {n}" for n in range(1001)),
            "99.8002% observed",
        ),
        ("latency_max <= 120s", latencies(120.01), "120.01s observed"),
        ("latency_max <= 59m59s", latencies(3599.999), "59m59.999s observed"),
        ("latency_max <= 1h", latencies(3600.25), "1h0.25s observed"),
        ("queue_depth <= 1000000", "0 queue_depth 1000000.5", "1000000.5 observed"),
        ("rss <= 600MB", "0 rss 600000400", "600.0004MB observed"),
    ],
)
def test_a_reason_shows_on_which_side_of_the_target_the_value_lies(wanted: str, history: str, reason: str) -> None:
    [first, *_] = verdict(history, f"slos: [{wanted}]\n").reasons
    assert first == f"objective {wanted} is broken: {reason}"
