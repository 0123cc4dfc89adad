"""What no test noticed when the code was changed at random: one test for each that mattered, by what a user would see."""

import math
from collections.abc import Sequence

import pytest
from histories import CLEAN, block_of, judge, make_judge, objective, observed, sli, verdict

from soak.runner.judge.interval import quantile_ranks
from soak.runner.judge.objectives import standings
from soak.schemas.evidence.verdict import Status

CALLS = """
system: calls
workload: {arrivals: {rate: 1/s}}
calls: {dependencies: [{name: a, latency: {distribution: constant, value: 1s}},
                       {name: b, latency: {distribution: constant, value: 1s}}]}
"""
TO_TWO = """
0 enqueued 1
0 dispatched 1
0 call.started 1 to=a
2 call.failed 1 to=a error=timeout
2 call.started 1 to=b
3 call.failed 1 to=b error=reset
3 circuit.opened error=reset
4 update.lost 1 to=b
5 call.started 1 to=b
6 call.succeeded 1 to=b
6 done 1
"""


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ("call.failed", 2),
        ("call.failed{to=b}", 1),
        ("call.failed{to=b, error=reset}", 1),
        ("call.failed{error=reset, to=b}", 1),
        ("call.failed{error=timeout, to=b}", 0),
        ("call.started{to=b}", 2),
        ("['call.started{to=a}', 'call.succeeded{to=b}']", 2),
    ],
)
def test_every_field_of_a_filter_has_to_match(filters: str, count: int) -> None:
    written = filters if filters.startswith("[") else f"'{filters}'"
    assert sli("mine", TO_TWO, f"{CALLS}slis: {{mine: {{count: {written}}}}}\n") == count


def test_openings_and_lost_updates_are_counted_and_calls_are_not() -> None:
    assert sli("circuit_openings", TO_TWO, CALLS) == 1
    assert sli("lost_updates", TO_TWO, CALLS) == 1


def test_a_verdict_tells_how_fast_memory_grows() -> None:
    history = CLEAN + "\n".join(f"{60 * minute} rss {1_000_000 + 1000 * minute}" for minute in range(1, 60))
    [growth] = [each for each in verdict(history).growths if each.sli == "rss_growth"]
    assert (growth.slope, growth.level) == (pytest.approx(60_000), pytest.approx(1_000_000))
    assert (growth.interval, growth.samples) == ((pytest.approx(60_000), pytest.approx(60_000)), 59)
    assert growth.p < 1e-9
    assert not [each for each in verdict(CLEAN).growths if each.sli == "rss_growth"]


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ("success_rate >= 50%", Status.PASS),
        ("latency_max <= 8s", Status.FAIL),
        ("rss <= 1kB", Status.INCONCLUSIVE),
        ("success_rate ~ 50%", Status.INCONCLUSIVE),
        ("latency_mean <= 1x phase=early", Status.INCONCLUSIVE),
    ],
)
def test_how_an_objective_stands_so_far(wanted: str, status: Status) -> None:
    text = f'slos: ["{wanted}"]\nphases: [{{name: early, at: 30m, for: 1m}}]\n'
    assert standings(judge(CLEAN, text)) == [status]


WAITED = "0 enqueued 1\n10 dispatched 1\n12 done 1"


@pytest.mark.parametrize(("condition", "fired"), [("> 10s", 0), (">= 10s", 1), ("> 9s", 1), (">= 11s", 0)])
def test_a_stretch_that_is_as_long_as_its_limit(condition: str, fired: int) -> None:
    result = verdict(WAITED, f"alerts: [{{name: stuck, when: stall_time {condition}}}]\n")
    assert len(result.alerts[0].firings) == fired


@pytest.mark.parametrize("cut", range(6))
def test_over_budget_once_is_over_budget_whatever_block_it_was_in(cut: int) -> None:
    history = "0 enqueued 1\n1 dispatched 1\n1 started 1\n2 ended 1 fault=big error=budget\n9 done 1\n9 rss 1"
    text = "faults: [{name: big, type: guardrail_exceed, rate: 5%}]\n"
    made = judge(history, text, cuts=[cut] if cut else [])
    assert made.sli_value(made.scenario.slis["guardrail_unblocked"]) == 1


def test_a_relative_target_of_a_longest_time_is_not_missed_by_rounding() -> None:
    """1.1 times 3 is more than 3.3 in binary."""
    history = "0 enqueued 1\n1 dispatched 1\n3 done 1\n100 enqueued 2\n101 dispatched 2\n103.3 done 2"
    text = "phases: [{name: a, at: 0s, for: 50s}, {name: b, at: 100s, for: 50s}]\n"
    for op in (">=", "<="):
        assert objective(f'"latency_max{{phase=b}} {op} 1.1x phase=a"', history, text).status == "PASS"


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("latency_p50 > 1h", 9.0),
        ("latency_p50 > 1h, window: 5s", 2.0),
        ("latency_p50 > 1h, min_samples: 3", 9.0),
        ("latency_p50 > 1h, min_samples: 4", math.nan),
        ("success_rate < 10%, min_samples: 4", math.nan),
        ("success_rate < 10%, window: 5s", 1.0),
    ],
)
def test_what_a_condition_compares_is_what_it_looks_at(condition: str, value: float) -> None:
    """Two tasks took 9 s and one, the only one of the last 5 s, 2 s."""
    history = (
        "0 enqueued 1\n0 enqueued 2\n1 dispatched 1\n1 dispatched 2\n9 done 1\n9 done 2\n"
        "98 enqueued 3\n99 dispatched 3\n100 done 3\n101 rss 1"
    )
    made = make_judge(f"alerts: [{{name: x, when: {condition}}}]\n")
    observed(made, [block_of(history, made.vocabulary)])
    assert made.alerts[0][1].value == pytest.approx(value, rel=0.01, nan_ok=True)


@pytest.mark.parametrize(("q", "count", "ranks"), [(0.5, 100, (40, 61)), (0.95, 1000, (936, 965)), (0.99, 10, (9, 12))])
def test_ranks_that_enclose_a_quantile(q: float, count: int, ranks: tuple[int, int]) -> None:
    """Worked out by hand: count * q -/+ 1.96 * sqrt(count * q * (1 - q))."""
    assert quantile_ranks(q, count, 0.95) == ranks


@pytest.mark.parametrize("cuts", [(), range(1, 11)], ids=["one block", "a block for each event"])
def test_what_comes_after_an_abort_in_its_block_leaves_no_trace(cuts: Sequence[int]) -> None:
    """Nothing of the task that is DONE after it, neither that it ran again before nor how long it took."""
    history = (
        "0 enqueued 1\n0 enqueued 2\n0 enqueued 3\n1 dispatched 1\n1 dispatched 2\n3 done 2\n5 started 1\n6 dispatched 3\n"
        "7 failed 3\n5000 done 1\n5001 rss 1"
    )
    text = "abort: [{name: bad, when: success_rate < 90%}]\nalerts: [{name: slow, when: latency_max > 1h}]\n"
    made = judge(history, text, cuts=cuts)
    assert made.aborted_by and made.until_s == 7
    assert made.sli_value(made.scenario.slis["duplicate_executions"]) == 0
    assert made.sli_value(made.scenario.slis["latency_max"]) == pytest.approx(7, rel=0.01)
    # Of the last instant that is complete, which is before the abort.
    assert made.alerts[0][1].value == pytest.approx(3, rel=0.01)
