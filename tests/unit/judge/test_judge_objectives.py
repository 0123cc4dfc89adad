"""Objectives: work that is not finished, and intervals that reach beyond the target."""

import pytest
from histories import CLEAN, objective, tenants, verdict

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
    """So many tasks DONE, and so many FAILED, evenly spread."""
    every = (good + bad) // bad if bad else good + 1
    failed = set(range(every // 2, good + bad, every)) if bad else set()
    tasks = [(n, "failed" if n in failed else "done") for n in range(good + bad)]
    steps = [[f"{n}.0 enqueued {n}", f"{n}.1 dispatched {n}", f"{n}.2 {how} {n}"] for n, how in tasks]
    return "\n".join(line for step in steps for line in step)


def test_the_whole_interval_must_hold() -> None:
    # Wilson's 95 % interval of 48 of 50 is 86.5 % to 98.9 %.
    sure = objective("{objective: success_rate >= 86%, confidence: 95%}", many(48, 2))
    assert sure.status == "PASS"
    assert sure.interval == pytest.approx((0.8654, 0.9890), abs=1e-4)
    assert sure.effective_samples == 50
    unsure = objective("{objective: success_rate >= 87%, confidence: 95%}", many(48, 2))
    assert unsure.status == "INCONCLUSIVE"
    assert unsure.detail.startswith("the 95% interval includes values that break the target; about 1.2 times as long")
    assert objective("success_rate >= 87%", many(48, 2)).status == "PASS"


def test_with_confidence_a_fail_takes_the_whole_interval_too() -> None:
    unsure = objective("{objective: success_rate >= 97%, confidence: 95%}", many(48, 2))
    assert unsure.status == "INCONCLUSIVE"
    assert unsure.detail.startswith("the 95% interval includes values that meet the target")
    assert objective("{objective: success_rate >= 99%, confidence: 95%}", many(48, 2)).status == "FAIL"
    assert objective("success_rate >= 97%", many(48, 2)).status == "FAIL"


def test_without_confidence_a_result_that_the_interval_does_not_bear_out_is_thin() -> None:
    # Of three tasks that are all DONE the interval is 43.9 % to 100 %.
    three = objective("success_rate >= 99%", many(3, 0))
    assert (three.status, three.thin) == ("PASS", True)
    assert three.interval == pytest.approx((0.4385, 1.0), abs=1e-4)
    assert not objective("success_rate >= 40%", many(3, 0)).thin
    broken = objective("success_rate >= 97%", many(48, 2))
    assert (broken.status, broken.thin) == ("FAIL", True)
    assert not objective("success_rate >= 99%", many(48, 2)).thin


def test_what_is_inconclusive_is_not_called_thin() -> None:
    """Nine DONE, one FAILED and nine open of which all may fail: the observed 90 % holds, and may not in the end."""
    opened = "\n".join(f"20 enqueued {n}" for n in range(20, 29))
    found = verdict(many(9, 1) + "\n" + opened, "slos: [success_rate >= 80%]\n")
    assert found.objectives[0].status == "INCONCLUSIVE"
    assert not found.objectives[0].thin
    assert found.caveats == []


def test_how_much_longer_where_nothing_failed() -> None:
    """Of 60 of 60 Wilson's lower bound is 94.0 %; it takes 381 for 99 %, 6.4 times as many."""
    few = objective("{objective: success_rate >= 99%, confidence: 95%}", many(60, 0))
    assert "about 6.1 times as long a run would tell" in few.detail
    sure = objective("{objective: success_rate >= 99%, confidence: 99.9999%}", many(60, 0))
    assert sure.detail.startswith("the 99.9999% interval")


def test_strict_evidence_is_a_confidence_of_95_percent_for_all() -> None:
    strict = "evidence: strict\n"
    assert objective("success_rate >= 99%", many(3, 0), strict).status == "INCONCLUSIVE"
    assert objective("success_rate >= 86%", many(48, 2), strict).status == "PASS"
    assert objective("success_rate >= 97%", many(48, 2), strict).status == "INCONCLUSIVE"
    # No interval can lie above 100 %: what was observed decides, and what it excludes is said.
    all_good = objective("success_rate == 100%", many(254, 0), strict)
    assert (all_good.status, all_good.thin) == ("PASS", False)
    assert all_good.excluded == pytest.approx(1 - 0.05 ** (1 / 254))
    none = objective("duplicate_executions == 0", CLEAN, strict)
    assert (none.status, none.excluded) == ("PASS", pytest.approx(1 - 0.05))


def test_an_interval_of_a_mean() -> None:
    # Nine of ten in 10 s and one in 60 s: mean 15 s, standard deviation 15 s, 200 observations, z = 1.96.
    times = [60.0 if n % 10 == 5 else 10.0 for n in range(200)]
    mean = objective("{objective: latency_mean <= 18s, confidence: 95%}", latencies_in_turn(times))
    assert (mean.status, mean.value) == ("PASS", 15.0)
    assert mean.interval == pytest.approx((12.91, 17.09), abs=0.02)


def latencies_in_turn(times: list[float]) -> str:
    """A task for each latency, one after the other."""
    lines = []
    for n, each in enumerate(times):
        lines += [f"{n * 100} enqueued {n}", f"{n * 100} dispatched {n}", f"{n * 100 + each} done {n}"]
    return "\n".join(lines)


def test_failures_that_come_together_count_less() -> None:
    steps = [[f"{n}.0 enqueued {n}", f"{n}.1 dispatched {n}", f"{n}.2 {how} {n}"] for n, how in enumerate(HOURS)]
    together = objective(
        "{objective: success_rate >= 80%, confidence: 95%}", "\n".join(line for step in steps for line in step)
    )
    assert together.samples == 400
    assert together.status == "INCONCLUSIVE"
    assert together.effective_samples < 40
    assert together.detail.startswith(
        "no statement: observations depend on each other for too long (400 count as about"
    )
    spread = objective("{objective: success_rate >= 80%, confidence: 95%}", many(360, 40))
    assert (spread.status, spread.effective_samples) == ("PASS", pytest.approx(400, rel=0.1))


EACH = "{objective: 'success_rate{tenant=*} >= 99%', confidence: 95%}"


def test_one_false_fail_among_twenty_is_as_rare_as_one() -> None:
    # 6 of 200: the interval of a tenant by itself lies below 99 %, and at 1 - 5 % / 20 it does not (Holm).
    found = verdict(of_tenants({"t03": 6}), f"slos: [{EACH}]\n" + tenants(*TENANTS)).objectives
    by_tenant = {each.labels["tenant"]: each for each in found}
    odd = by_tenant["t03"]
    assert odd.interval is not None
    assert (odd.interval[1] or 1) < 0.99
    assert (odd.status, odd.family) == ("INCONCLUSIVE", 20)
    assert odd.detail == "broken by itself, but that may be chance among 20 objectives (Holm)"
    worse = verdict(of_tenants({"t03": 20, "t07": 20, "t09": 6}), f"slos: [{EACH}]\n" + tenants(*TENANTS)).objectives
    assert {each.labels["tenant"] for each in worse if each.status == "FAIL"} == {"t03", "t07"}
    alone = objective(EACH.replace("tenant=*", "tenant=t03"), of_tenants({"t03": 6}), tenants(*TENANTS))
    assert (alone.status, alone.family) == ("FAIL", 1)


def test_what_is_clear_needs_no_exact_interval() -> None:
    """Ten clusters of twenty failures among 2,000: nothing is stated, but more than one in ten is DONE, however they come."""
    steps = [[f"{n}.0 enqueued {n}", f"{n}.1 dispatched {n}", f"{n}.2 {how} {n}"] for n, how in enumerate(HOURS * 5)]
    history = "\n".join(line for step in steps for line in step)
    clear = objective("{objective: success_rate >= 10%, confidence: 95%}", history)
    assert (clear.status, clear.interval) == ("PASS", None)
    assert clear.detail.endswith("one that is far too wide holds")
    below = objective("{objective: success_rate <= 10%, confidence: 95%}", history)
    assert (below.status, below.interval) == ("FAIL", None)


HOURS = ["done"] * 180 + ["failed"] * 20 + ["done"] * 180 + ["failed"] * 20


TENANTS = [f"t{n:02}" for n in range(20)]


def of_tenants(failed: dict[str, int], each: int = 200) -> str:
    """Tasks of twenty tenants in turn, of which so many FAILED."""
    steps = []
    for n in range(each * len(TENANTS)):
        tenant, turn = TENANTS[n % len(TENANTS)], n // len(TENANTS)
        bad = failed.get(tenant, 0)
        how = "failed" if bad and turn % (each // bad) == 1 and turn < bad * (each // bad) else "done"
        steps += [f"{n}.0 enqueued {n} tenant={tenant}", f"{n}.1 dispatched {n}", f"{n}.2 {how} {n}"]
    return "\n".join(steps)


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
