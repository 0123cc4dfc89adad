"""From what was seen to the verdict: every road to PASS, FAIL and INCONCLUSIVE."""

import pytest
from histories import objective, verdict

from soak.schemas.evidence.verdict import End, Verdict

SLO = "slos: [success_rate >= 50%]\n"
GOOD = """
0 enqueued 1
1 dispatched 1
9 done 1
"""
NET = "faults: [{name: net, type: transient_error, rate: 1%}]\n"
DOWN = "faults: [{name: down, type: db_outage, at: 10s, for: 10s}]\n"


def told(result: Verdict) -> tuple[str, list[str]]:
    """The verdict and its reasons."""
    return result.verdict, result.reasons


def test_pass_needs_every_objective() -> None:
    assert told(verdict(GOOD, "slos: [success_rate == 100%, latency_max <= 9s]")) == ("PASS", [])
    broken = "objective latency_max < 9s is broken: 9s observed"
    assert told(verdict(GOOD, "slos: [success_rate == 100%, latency_max < 9s]")) == ("FAIL", [broken])


@pytest.mark.parametrize(
    ("wanted", "status", "margin"),
    [
        ("latency_max <= 9s", "PASS", 0.0),
        ("latency_max < 9s", "FAIL", 0.0),
        ("latency_max <= 10s", "PASS", 1.0),
        ("latency_max >= 10s", "FAIL", -1.0),
        ("latency_max > 8s", "PASS", 1.0),
        ("success_rate == 100%", "PASS", 0.0),
        ("success_rate == 75%", "FAIL", -0.25),
        ("success_rate != 75%", "PASS", 0.25),
    ],
)
def test_operators_and_margins(wanted: str, status: str, margin: float) -> None:
    result = objective(f"'{wanted}'", GOOD)
    assert (result.status, result.margin) == (status, pytest.approx(margin))


# INCONCLUSIVE.


def test_a_scenario_without_objectives() -> None:
    assert told(verdict(GOOD)) == ("INCONCLUSIVE", ["the scenario has no objectives"])


def test_too_few_samples() -> None:
    few = "slos: [{objective: success_rate >= 50%, min_samples: 2}]"
    reason = "objective success_rate >= 50%: 1 of at least 2 observations"
    assert told(verdict(GOOD, few)) == ("INCONCLUSIVE", [reason])
    assert verdict(GOOD, few.replace("2", "1")).verdict == "PASS"


def test_too_few_samples_do_not_fail_either() -> None:
    assert objective("{objective: success_rate < 50%, min_samples: 2}", GOOD).status == "INCONCLUSIVE"


@pytest.mark.parametrize("name", ["recovery_rate", "lease_recovery_rate", "duplicate_block_rate", "success_rate"])
def test_nothing_observed(name: str) -> None:
    result = objective(f"'{name} >= 0%'", "0 rss 1")
    assert (result.status, result.value, result.samples) == ("INCONCLUSIVE", None, 0)


@pytest.mark.parametrize("name", ["guardrail_unblocked", "backoff_violations", "duplicate_executions", "lost_tasks"])
def test_none_of_what_could_not_have_happened_proves_nothing(name: str) -> None:
    assert objective(f"'{name} == 0'", "0 rss 1").status == "INCONCLUSIVE"


def test_lost_tasks_can_be_an_objective() -> None:
    assert objective("lost_tasks == 0", GOOD).status == "PASS"
    assert objective("lost_tasks == 0", GOOD + "9 census pending=0").status == "FAIL"


@pytest.mark.parametrize(("end", "word"), [(End.INTERRUPTED, "was interrupted"), (End.CUT, "is incomplete")])
def test_a_run_that_did_not_come_to_its_end(end: End, word: str) -> None:
    result = verdict(GOOD, SLO, end=end)
    assert result.verdict == "INCONCLUSIVE"
    assert any(word in reason and reason.endswith("at 9s") for reason in result.reasons)
    assert result.objectives[0].status == "PASS"


@pytest.mark.parametrize("end", [End.INTERRUPTED, End.CUT])
def test_a_run_cut_short_has_not_failed_but_says_what_was_broken(end: End) -> None:
    result = verdict(GOOD.replace("done", "failed"), SLO, end=end)
    assert result.verdict == "INCONCLUSIVE"
    assert "objective success_rate >= 50% is broken: 0% observed" in result.reasons


@pytest.mark.parametrize(("gap", "outcome"), [("50s", "PASS"), ("49s", "INCONCLUSIVE")])
def test_a_gap_in_the_telemetry(gap: str, outcome: str) -> None:
    result = verdict(GOOD + "59 rss 1", f"{SLO}telemetry: {{max_gap: {gap}}}")
    assert result.verdict == outcome
    assert result.reasons == ([] if outcome == "PASS" else ["no event or sample for 50s (allowed: 49s)"])


def test_a_gap_has_no_rounding_noise() -> None:
    assert 64.4 - 4.4 > 60.0
    assert verdict("4.4 enqueued 1\n64.4 dispatched 1\n64.4 done 1", SLO + "telemetry: {max_gap: 1m}").verdict == "PASS"


def test_lost_events() -> None:
    assert told(verdict(GOOD + "10 lost 3", SLO)) == ("INCONCLUSIVE", ["3 events and samples were lost"])
    assert verdict(GOOD + "10 lost 0", SLO).verdict == "PASS"


@pytest.mark.parametrize(
    ("text", "history", "detail"),
    [
        (NET, GOOD, "fault net: never injected and never seen to take effect (0.01 expected)"),
        (NET, GOOD + "10 injected fault=net", "fault net: injected 1 times and never seen to take effect"),
        (DOWN, GOOD + "20 rss 1", "fault down: never injected and never seen to take effect (1 expected)"),
        (DOWN, GOOD + "10 injected fault=down\n20 rss 1", "fault down: injected 1 times and never seen"),
    ],
)
def test_a_fault_that_was_never_seen(text: str, history: str, detail: str) -> None:
    result = verdict(history, SLO + text)
    assert result.verdict == "INCONCLUSIVE"
    assert result.reasons[0].startswith(detail)


def test_a_fault_that_was_seen() -> None:
    retried = "0 enqueued 1\n1 dispatched 1\n2 injected 1 fault=net\n2 retry 1 fault=net\n3 dispatched 1\n9 done 1"
    result = verdict(retried, SLO + NET)
    assert result.verdict == "PASS"
    assert [(fault.injected, fault.seen, fault.expected) for fault in result.faults] == [(1, 1, 0.02)]
    assert verdict(GOOD + "10 injected fault=down\n12 seen fault=down", SLO + DOWN).verdict == "PASS"


SHOWN = [
    ("transient_error, rate: 1%", "9 retry 1 fault=f"),
    ("transient_error, rate: 1%", "9 failed 1 fault=f"),
    ("permanent_error, rate: 1%", "9 failed 1 fault=f"),
    ("db_lock, rate: 1%", "9 retry 1 fault=f"),
    ("duplicate_enqueue, rate: 1%", "9 skipped 1.2 fault=f"),
    ("duplicate_enqueue, rate: 1%", "9 enqueued 1.2 fault=f"),
    ("guardrail_exceed, rate: 1%", "9 ended 1 fault=f"),
    ("worker_crash, rate: 1%", "9 expired 1 fault=f"),
    ("worker_hang, rate: 1%, hang_for: 1m", "9 seen fault=f"),
    ("db_outage, at: 1s, for: 1s", "9 seen fault=f"),
    ("telemetry_loss, at: 1s, for: 1s", "9 lost 3 fault=f"),
]


@pytest.mark.parametrize(("fault", "event"), SHOWN)
def test_how_each_fault_shows(fault: str, event: str) -> None:
    text = f"faults: [{{name: f, type: {fault}}}, {{name: g, type: {fault}}}]"
    seen, other = verdict(f"0 enqueued 1\n1 dispatched 1\n{event}", text).faults
    assert (seen.seen, seen.status) == (1, "PASS")
    assert (other.seen, other.status) == (0, "INCONCLUSIVE")


def test_a_fault_with_rate_zero_is_not_asked_for() -> None:
    assert verdict(GOOD, SLO + NET.replace("1%", "0%")).verdict == "PASS"


def test_faults_of_a_run_cut_short_are_no_reason() -> None:
    reasons = verdict(GOOD, SLO + NET, end=End.INTERRUPTED).reasons
    assert not [reason for reason in reasons if reason.startswith("fault")]


def test_a_load_generator_that_fell_behind() -> None:
    late = GOOD.replace("0 enqueued 1", "6.5 enqueued 1 due=0").replace("1 dispatched", "7 dispatched")
    reason = (
        "the load generator fell behind: the slowest 1 % of submissions were at least 6.5s late; allowed: 5s"
        " (run it slower, or raise telemetry.max_lag)"
    )
    assert told(verdict(late, SLO)) == ("INCONCLUSIVE", [reason])
    assert verdict(late, SLO + "telemetry: {max_lag: 6.5s}").verdict == "PASS"


@pytest.mark.parametrize(
    ("speed", "outcome", "allowed"),
    [(131, "PASS", ""), (129, "INCONCLUSIVE", "6.45s"), (101, "INCONCLUSIVE", "5.05s"), (99, "INCONCLUSIVE", "5s")],
)
def test_what_a_computer_needs_to_submit_counts_times_the_speed(speed: float, outcome: str, allowed: str) -> None:
    """50 ms of real time are on time: 6.55 s at a speed of 131, 6.45 s at 129; below 100 it is the 5 s of `max_lag`."""
    late = GOOD.replace("0 enqueued 1", "6.5 enqueued 1 due=0").replace("1 dispatched", "7 dispatched")
    result = verdict(late, SLO, speed=speed)
    assert result.verdict == outcome
    assert [f"allowed: {allowed}" in reason for reason in result.reasons] == ([True] if allowed else [])


def test_the_remedy_names_half_of_the_speed() -> None:
    late = GOOD.replace("0 enqueued 1", "6.5 enqueued 1 due=0").replace("1 dispatched", "7 dispatched")
    (reason,) = verdict(late, SLO, speed=60).reasons
    assert reason.endswith("(use --speed 30, or raise telemetry.max_lag)")


def test_lateness_is_said_first_and_a_longer_run_is_no_remedy() -> None:
    """The same interval with and without lateness: what would be asked of a longer run is asked on time only."""
    tasks = "\n".join(f"{6.5 + n} enqueued {n} due={n}\n{7 + n} dispatched {n}\n{8 + n} done {n}" for n in range(20))
    slo = "slos: [{objective: success_rate >= 99%, confidence: 95%}]\n"
    late, on_time = verdict(tasks, slo), verdict(tasks, slo + "telemetry: {max_lag: 6.5s}")
    assert [each.kind for each in late.typed_reasons] == ["lateness", "objective"]
    assert "as long a run would tell" in on_time.reasons[0]
    assert late.objectives[0].detail == "the 95% interval includes values that break the target"


def test_times_that_a_late_load_generator_measured_do_not_fail() -> None:
    late = GOOD.replace("0 enqueued 1", "6.5 enqueued 1 due=0").replace("1 dispatched", "7 dispatched")
    slow = verdict(late, "slos: [latency_p95 <= 1s]\n")
    assert (slow.verdict, slow.objectives[0].status) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert "broken, but the load generator fell behind" in slow.objectives[0].detail
    counted = verdict(late, "slos: [success_rate < 50%]\n")
    assert (counted.verdict, counted.objectives[0].status) == ("FAIL", "FAIL")
    on_time = verdict(late, "slos: [latency_p95 <= 1s]\ntelemetry: {max_lag: 6.5s}")
    assert on_time.verdict == "FAIL"


def test_fewer_submissions_than_planned() -> None:
    result = verdict(GOOD + "9 census done=1\n9 run.ended 2", SLO)
    assert told(result) == ("INCONCLUSIVE", ["the load generator offered 1 of 2 planned submissions"])


def test_duplicates_are_submissions() -> None:
    history = GOOD + "9 duplicate 1.2\n9 skipped 1.2\n9 census done=1\n9 run.ended 2"
    assert verdict(history, SLO).verdict == "PASS"


def test_deferred_work_is_offered_once() -> None:
    history = "0 deferred 1\n5 enqueued 1 due=0\n6 dispatched 1\n9 done 1\n9 census done=1\n9 run.ended %d"
    assert verdict(history % 1, SLO).verdict == "PASS"
    assert verdict(history % 2, SLO).verdict == "INCONCLUSIVE"


# What else a verdict tells.


def test_errors_and_retries_are_counted() -> None:
    history = """
        0 enqueued 1
        0 dispatched 1
        1 retry 1 error=net
        2 dispatched 1
        3 retry 1 error=net
        4 dispatched 1
        5 failed 1 error=refused
        6 enqueued 2
        6 dispatched 2
        7 blocked 2
    """
    result = verdict(history, SLO)
    assert result.errors == {"net": 2, "refused": 1, "unknown": 1}
    assert result.retries_by_attempt == {"1": 1, "2": 1}
    assert result.tasks == {"accepted": 2, "PENDING": 0, "IN_PROGRESS": 0, "DONE": 0, "FAILED": 1} | {
        "BLOCKED": 1,
        "CANCELLED": 0,
    }


def test_fail_goes_before_inconclusive() -> None:
    result = verdict(GOOD.replace("done", "failed") + "10 lost 3", SLO)
    assert result.verdict == "FAIL"
    assert len(result.reasons) == 2
