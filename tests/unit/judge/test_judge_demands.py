"""Percentiles, shares, windows, warning levels, combined conditions and expectations: from YAML and a history to the verdict."""

from collections.abc import Iterable

import pytest
from histories import CLEAN, judge, objective, scenario, shifted, sli, verdict

from soak.schemas.evidence.verdict import End, Outcome, ReasonKind, Status, Verdict

COUNT = 200
STAIRS = "".join(f"{n} enqueued {n}\n{n} dispatched {n}\n" for n in range(COUNT)) + "".join(
    f"{1000 + 2 * n} done {n}\n" for n in range(COUNT)
)
"""Tasks with latencies of 1000 s, 1001 s and so on."""


def outcomes(results: Iterable[str], every_s: float = 1.0) -> str:
    """Tasks that end at once, done or failed, one after the other."""
    lines = []
    for number, result in enumerate(results):
        at = number * every_s
        lines += [f"{at} enqueued {number}", f"{at} dispatched {number}", f"{at} {result} {number}"]
    return "\n".join(lines)


@pytest.mark.parametrize(("name", "rank"), [("p90", 180), ("p99.9", 200), ("p0.5", 1), ("p75", 150), ("p12.5", 25)])
def test_any_percentile(name: str, rank: int) -> None:
    found = sli(f"latency_{name}", STAIRS, f"slos: [latency_{name} <= 1s]")
    assert found == pytest.approx(999 + rank, rel=0.006)


def test_a_percentile_is_exact_at_its_target() -> None:
    assert objective("latency_p90 <= 1179s", STAIRS).status is Status.PASS
    assert objective("latency_p90 < 1179s", STAIRS).status is Status.FAIL


def test_a_share_counts_what_is_at_its_limit() -> None:
    assert sli("latency_share_below(1099s)", STAIRS, "slos: [latency_share_below(1099s) >= 1%]") == 0.5
    assert sli("fast", STAIRS, "slis: {fast: {share: {of: latency, below: 1049s}}}") == 0.25
    own = "slis: {waited: {quantile: {of: latency, q: 90%}}}"
    assert sli("waited", STAIRS, own) == pytest.approx(1179, rel=0.006)


def test_only_what_is_named_stands_in_the_verdict() -> None:
    plain, more = verdict(CLEAN, "slos: [success_rate >= 1%]"), verdict(CLEAN, "slos: [latency_p99.9 <= 9s]")
    assert more.slis.keys() - plain.slis.keys() == {"latency_p99.9"}
    watched = verdict(CLEAN, "alerts: [{name: a, all: [{when: wait_p75 > 9s}, {when: latency_share_below(1s) < 5%}]}]")
    assert watched.slis.keys() - plain.slis.keys() == {"wait_p75", "latency_share_below(1s)"}


def test_unfinished_tasks_could_break_a_share() -> None:
    found = objective("latency_share_below(9s) >= 60%", CLEAN + shifted(CLEAN, "2", 1) + "5 enqueued 3\n5 enqueued 4\n")
    assert (found.status, found.detail) == (Status.INCONCLUSIVE, "2 unfinished tasks could still break it")


CALLS = """
system: calls
calls:
  dependencies:
    - {name: a, latency: {distribution: constant, value: 1s}}
    - {name: b, latency: {distribution: constant, value: 1s}}
workload: {arrivals: {rate: 1/s}}
slis:
  fast: {share: {of: call.succeeded, below: 2s}}
  to_b: {share: {of: "call.succeeded{to=b}", below: 2s}}
  p95: {quantile: {of: [call.succeeded, call.failed], q: 95%}}
"""
TALK = """
0 enqueued 1
0 dispatched 1
0 call.started 1 to=a
2 call.succeeded 1 to=a
2 call.started 1 @1 to=b
7 call.succeeded 1 @1 to=b
7 call.started 1 @2 to=b
10 call.failed 1 @2 to=b error=timeout
10 call.succeeded 1 @3 to=b
11 failed 1
"""


def test_shares_and_quantiles_of_the_time_of_calls() -> None:
    """A call whose start was not seen has no duration."""
    made = judge(TALK, CALLS)
    found = {name: made.sli_value(made.scenario.slis[name]) for name in ("fast", "to_b", "p95")}
    assert found == {"fast": 0.5, "to_b": 0.0, "p95": pytest.approx(5.0, rel=0.006)}
    cut = judge(TALK, CALLS, cuts=[3, 5, 8])
    assert {name: cut.sli_value(cut.scenario.slis[name]) for name in found} == found


# Windows.

STEADY = outcomes(["done"] * 60 + ["failed"] * 5 + ["done"] * 55)


def test_broken_in_one_window_is_broken() -> None:
    """The tenth failure-free window ends just before the first failure; with two of ten bad it is below 85 %."""
    found = objective("{objective: success_rate >= 85%, window: 10s}", STEADY)
    assert (found.status, found.value, found.target, found.op) == (Status.FAIL, 0.5, 0.85, ">=")
    windows = found.windows
    assert windows and windows.first_s == 61 and windows.worst
    assert (windows.worst.start_s, windows.worst.end_s, windows.worst.samples) == (54, 64, 10)
    # From the second failure until the window holds one again.
    assert (windows.broken_s, windows.spells) == (73 - 61, 1)
    assert found.detail == "first at 61s, for 12s in all"


def test_the_run_as_a_whole_may_hold_where_a_window_does_not() -> None:
    assert objective("success_rate >= 85%", STEADY).status is Status.PASS
    assert objective("{objective: success_rate >= 50%, window: 10s}", STEADY).status is Status.PASS
    assert objective("{objective: success_rate > 50%, window: 10s}", STEADY).status is Status.FAIL


def test_a_share_of_windows() -> None:
    """Windows (0, 10], (10, 20] … to 110: the one up to 70 holds four failures, the one up to 60 one."""
    found = objective("{objective: success_rate >= 85%, window: 10s, in: 90%}", STEADY)
    assert found.windows and (found.windows.consecutive, found.windows.good) == (11, 10)
    assert (found.status, found.unit, found.target) == (Status.PASS, "ratio", 0.9)
    assert found.value == pytest.approx(10 / 11) and found.detail == "10 of 11 windows were good"
    assert found.windows.worst and found.windows.worst.end_s == 70
    assert objective("{objective: success_rate >= 85%, window: 10s, in: 91%}", STEADY).status is Status.FAIL


def test_windows_that_hold_too_little_say_nothing() -> None:
    early = outcomes(["done"] * 30) + "\n200 sample.queue_depth 0"
    few = objective("{objective: success_rate >= 85%, window: 10s, min_samples: 5}", early)
    assert (few.status, few.detail) == (Status.INCONCLUSIVE, "86.84% of the windows hold fewer than 5 observations")
    share = objective("{objective: success_rate >= 85%, window: 10s, in: 90%, min_samples: 5}", early)
    assert share.status is Status.INCONCLUSIVE
    assert share.detail == "3 of 3 windows were good; 17 of 20 windows hold fewer than 5 observations"
    none = objective("{objective: success_rate >= 85%, window: 5m}", early)
    assert (none.status, none.detail) == (Status.INCONCLUSIVE, "the run has no whole window of 5m")


def test_windows_begin_with_the_warmup() -> None:
    bad = outcomes(["failed"] * 20 + ["done"] * 40)
    assert objective("{objective: success_rate >= 85%, window: 10s}", bad).status is Status.FAIL
    assert objective("{objective: success_rate >= 85%, window: 10s}", bad, "warmup: 20s").status is Status.PASS


def test_unfinished_tasks_could_break_the_last_window() -> None:
    still = outcomes(["done"] * 30) + "\n" + "\n".join(f"29 enqueued {100 + n}" for n in range(3))
    found = objective("{objective: success_rate >= 85%, window: 10s}", still)
    assert (found.status, found.detail) == (Status.INCONCLUSIVE, "3 unfinished tasks could still break it")
    assert objective("{objective: success_rate >= 70%, window: 10s}", still).status is Status.PASS


def test_a_rate_is_looked_at_while_work_arrives() -> None:
    slow = "duration: 40s\ndrain: 5m"
    found = objective(
        "{objective: throughput >= 0.9/s, window: 10s}", outcomes(["done"] * 41) + "\n300 queue_depth 0", slow
    )
    assert found.status is Status.PASS
    assert found.windows and found.windows.looked_s == 30


def test_a_window_is_explained() -> None:
    [why] = verdict(STEADY, "slos: [{objective: success_rate >= 85%, window: 10s}]").explanation
    since = "success_rate was first broken in the window up to 1m1s, for 12s in all."
    assert why.text.startswith(f"{since} Worst from 54s to 1m4s: 50%")
    assert (why.since_s, why.worst and why.worst.end_s) == (None, 64)


def test_since_when_it_was_broken_to_the_end() -> None:
    bad = outcomes(["done"] * 60 + ["failed"] * 40)
    [why] = verdict(bad, "slos: [{objective: success_rate >= 85%, window: 10s}]").explanation
    assert why.since_s == 61


# Warning levels.


def test_a_warning_is_no_failure() -> None:
    found = verdict(STEADY, 'slos: [{objective: success_rate >= 90%, warn: ">= 99%"}]')
    assert (found.verdict, found.verdict.exit_code) == (Outcome.PASS, 0)
    assert found.warned == ["objective success_rate >= 90% holds, but not >= 99%: 95.83% observed"]
    assert found.headline.endswith(" with 1 warning")
    assert found.objectives[0].warn == 0.99


def test_what_fails_is_not_warned_of() -> None:
    for text in (
        '{objective: success_rate >= 97%, warn: ">= 99%"}',
        '{objective: success_rate >= 90%, warn: ">= 95%"}',
    ):
        found = verdict(STEADY, f"slos: [{text}]")
        assert found.warned == []
        assert "warning" not in found.headline


def test_the_warning_level_of_windows_is_about_the_worst() -> None:
    found = verdict(STEADY, 'slos: [{objective: success_rate >= 40%, warn: ">= 60%", window: 10s}]')
    assert found.warned == ["objective success_rate >= 40% in every 10s holds, but not >= 60%: 50% observed"]


# Conditions.


def test_an_abort_that_fails_lets_the_run_go_on() -> None:
    text = "slos: [success_rate >= 1%]\nabort: [{name: bad, when: success_rate < 85%, window: 10s, then: fail}]"
    found = verdict(STEADY, text)
    assert (found.verdict, found.end, found.ended_s) == (Outcome.FAIL, End.COMPLETED, 119)
    assert [(each.kind, each.subject) for each in found.typed_reasons] == [(ReasonKind.ABORT, "bad")]
    assert found.reasons == ["abort condition bad held at 61s (the run continued)"]
    assert found.aborts[0].held_at_s == 61


def test_one_that_stops_beside_one_that_fails() -> None:
    text = """
    slos: [success_rate >= 1%]
    abort:
      - {name: bad, when: success_rate < 85%, window: 10s, then: fail}
      - {name: worse, when: success_rate < 70%, window: 10s}
      - {name: later, when: success_rate < 60%, window: 10s, then: fail}
    """
    found = verdict(STEADY, text)
    assert (found.verdict, found.ended_s) == (Outcome.ABORTED, 63)
    assert [(each.name, each.held_at_s, each.stopped) for each in found.aborts] == [
        ("bad", 61, False),
        ("worse", 63, True),
        ("later", None, False),
    ]
    assert [each.subject for each in found.typed_reasons[:2]] == ["worse", "bad"]


def test_what_combined_conditions_were_when_they_held() -> None:
    text = """
    abort: [{name: burn, all: [{when: success_rate < 98%, window: 1m}, {when: success_rate < 85%, window: 10s}], for: 2s}]
    """
    [burn] = verdict(STEADY, text).aborts
    assert (burn.held_at_s, burn.value, burn.target, burn.unit) == (63, None, None, "")
    assert burn.when == "(success_rate < 98% over 1m) and (success_rate < 85% over 10s)"
    assert [(each.since_s, each.value) for each in burn.parts or []] == [(61, 58 / 60), (61, 0.8)]


def expected(expect: str, until: float | None = None, end: End | None = None) -> tuple[Status | None, str]:
    """How an alert on the failures of STEADY meets its expectation."""
    text = f"duration: 100s\nalerts: [{{name: a, when: success_rate < 85%, window: 10s, expect: {expect}}}]"
    found: Verdict = verdict(STEADY, text, until=until, end=end)
    return found.alerts[0].status, found.alerts[0].detail


def test_an_alert_that_must_never_fire() -> None:
    assert expected("never") == (Status.FAIL, "fired at 61s, never expected")
    assert (
        verdict(STEADY, "alerts: [{name: a, when: success_rate < 5%, expect: never}]").alerts[0].status is Status.PASS
    )


def test_an_alert_that_must_fire() -> None:
    assert expected("fires") == (Status.PASS, "")
    assert expected("{at_least: 2}") == (Status.FAIL, "fired once (2 at least)")
    quiet = "duration: 100s\nalerts: [{name: a, when: success_rate < 5%, expect: fires}]"
    assert verdict(STEADY, quiet).alerts[0].detail == "never fired"
    assert verdict(STEADY, quiet).verdict is Outcome.FAIL


def test_an_alert_that_did_not_fire_in_a_run_that_was_cut_short() -> None:
    quiet = "duration: 200s\nalerts: [{name: a, when: success_rate < 5%, expect: fires}]"
    found = verdict(STEADY, quiet, end=End.INTERRUPTED).alerts[0]
    assert (found.status, found.detail) == (Status.INCONCLUSIVE, "never fired: the run ended earlier")


def test_a_combination_reads_as_it_is_written() -> None:
    text = """
    alerts:
      - name: x
        any:
          - all: [{when: success_rate < 98%, window: 1h}, {when: success_rate < 98%, window: 5m, for: 1m}]
          - {when: latency_p90 > 1m}
    """
    condition = scenario(text).alerts[0].condition
    assert condition.text == (
        "((success_rate < 98% over 1h) and (success_rate < 98% over 5m for 1m)) or (latency_p90 > 1m)"
    )
    assert condition.longest_s is None
