"""What each fault did and what it cost, by histories whose figures are known, and whatever the blocks."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from histories import (
    CLEAN,
    EXPIRED,
    IDENTITY,
    block_of,
    closing,
    make_judge,
    observed,
    pieces,
    scenario,
    shifted,
    verdict,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from soak.runner.evidence.record import to_json
from soak.runner.judge.attribution_breach import Breaches
from soak.runner.judge.attribution_recovery import LOOK_BACK_S
from soak.runner.judge.decide import decide
from soak.runner.judge.faults import hardly
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.evidence.attribution import Cost, FaultAttribution, Occasion
from soak.schemas.evidence.verdict import End
from soak.schemas.language.expression import Op
from soak.schemas.language.slis import Better
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import Kind

OUTAGE = "faults: [{name: out, type: db_outage, at: 10m, for: 2m}]\n"
STORM = "faults: [{name: storm, type: transient_error, rate: 100%, at: 10m, for: 2m}]\n"

BEFORE = shifted(CLEAN, "1", 500) + shifted(CLEAN, "2", 501)
"""Two tasks in the five minutes before a window, both open at 502."""

DURING = """
600 injected fault=out
600 enqueued 3
610 enqueued 4
620 enqueued 5
625 seen fault=out
720 cleared fault=out
722 dispatched 3
723 dispatched 4
724 dispatched 5
730 done 3
735 done 4
740 done 5
"""


def in_order(history: str) -> str:
    """The lines of a history by their times."""
    lines = [line for line in history.splitlines() if line.strip()]
    return "\n".join(sorted(lines, key=lambda line: float(line.split()[0])))


def attributed(history: str, text: str, *, end: End | None = None) -> list[FaultAttribution]:
    return verdict(in_order(history), text, end=end).attribution


def occasion(history: str, text: str, *, end: End | None = None) -> Occasion:
    """The only window of the first fault."""
    [found] = attributed(history, text, end=end)[0].occasions
    return found


# Times.


def test_the_times_of_an_outage() -> None:
    found = occasion(BEFORE + DURING, OUTAGE)
    assert (found.start_s, found.injected_s, found.cleared_s) == (600, 600, 720)
    assert (found.detected_s, found.detected_by) == (625, "fault.seen")
    # At most two were open at once before; of the three of the outage two are at 730.
    assert (found.open_before, found.recovered_s, found.not_recovered) == (2, 730, "")


def test_delays_over_all_windows() -> None:
    twice = "faults: [{name: out, type: db_outage, at: 10m, every: 10m, for: 2m}]\n"
    again = """
        1200 injected fault=out
        1210 enqueued 6
        1235 seen fault=out
        1325 cleared fault=out
        1330 dispatched 6
        1345 done 6
        1790 enqueued 7
    """
    [found] = attributed(BEFORE + DURING + again, twice)
    assert found.windows == 2
    assert found.detected is not None
    assert (found.detected.windows, found.detected.median_s, found.detected.longest_s) == (2, 30, 35)
    assert found.recovered is not None
    assert (found.recovered.windows, found.recovered.median_s, found.recovered.longest_s) == (2, 15, 20)


def test_what_comes_before_the_injection_does_not_detect_it() -> None:
    early = BEFORE + "601 seen fault=out\n602 injected fault=out\n603 seen fault=out\n720 cleared fault=out\n"
    assert occasion(early, OUTAGE).detected_s == 603


def test_a_window_that_begins_as_the_one_before_ends() -> None:
    text = "faults: [{name: out, type: telemetry_loss, at: 10m, every: 2m, for: 119s}]\n"
    history = BEFORE + "600 injected fault=out\n720 cleared fault=out\n720 injected fault=out\n839 cleared fault=out\n"
    [found] = attributed(history, text, end=End.CUT)
    assert [each.cleared_s for each in found.occasions] == [720, 839]


def test_a_rolled_back_release_ends_before_its_window() -> None:
    text = """
        system: calls
        workload: {arrivals: {rate: 1/s}}
        calls: {dependencies: [{name: a, latency: {distribution: constant, value: 1s}}]}
        faults: [{name: bad, type: bad_release, at: 10m, for: 10m, rate: 50%}]
    """
    history = (
        """
        500 enqueued 1
        501 dispatched 1
        502 done 1
        600 deployed fault=bad to=a
        605 enqueued 2
        606 dispatched 2
        606 injected 2 fault=bad
        607 call.failed 2 fault=bad error=server_error to=a
        608 retry 2 fault=bad due=620
        610 rolled_back fault=bad to=a
        621 dispatched 2
        622 done 2
    """.replace("deployed", "release.deployed")
        .replace("rolled_back", "release.rolled_back")
        .replace(" fault=bad to=a", " fault=bad")
    )
    found = occasion(history, "\n".join(line.removeprefix("        ") for line in text.splitlines()))
    assert (found.injected_s, found.detected_s, found.detected_by) == (606, 607, "call.failed")
    assert (found.cleared_s, found.recovered_s) == (610, 622)


def test_a_fault_by_rate_ends_with_its_window() -> None:
    struck = """
        605 enqueued 3
        606 dispatched 3
        610 injected 3 fault=storm error=error
        610 retry 3 fault=storm error=error due=800
        800 dispatched 3
        809 done 3
    """
    found = occasion(BEFORE + struck, STORM)
    assert (found.injected_s, found.detected_s, found.detected_by, found.cleared_s) == (610, 610, "task.retry", 720)
    assert found.recovered_s == 809
    assert found.cost == Cost(retried=1)


# Recovery.


UNDER_WAY = """
600 injected fault=out
601 enqueued 3
602 dispatched 3
720 cleared fault=out
721 enqueued 4
722 dispatched 4
723 done 4
"""


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (UNDER_WAY, "1 attempts had been in progress since its end"),
        (UNDER_WAY + "724 retry 3 error=x due=900", ""),
        (DURING.replace("720 cleared fault=out\n", ""), "the fault had not ended"),
        (DURING.replace("done", "failed"), "no task was DONE since"),
        ("600 injected fault=out\n720 cleared fault=out\n", "no task was DONE since"),
        ("900 enqueued 3\n", "not injected"),
        ("600 injected fault=out\n650 lost 3\n720 cleared fault=out\n" + shifted(CLEAN, "9", 800), "events were lost"),
        (DURING + "741 lost 3\n", ""),
    ],
)
def test_why_there_is_no_recovery(history: str, why: str) -> None:
    found = occasion(BEFORE + history, OUTAGE)
    assert found.not_recovered == why
    assert (found.recovered_s is None) == bool(why)


def test_a_run_that_ends_at_the_very_instant_of_recovery() -> None:
    history = (BEFORE + DURING).replace("735 done 4\n740 done 5\n", "")
    assert occasion(history, OUTAGE).recovered_s == 730


def test_more_open_tasks_than_before_are_no_recovery() -> None:
    one = shifted(CLEAN, "1", 500)
    assert occasion(one + DURING, OUTAGE).recovered_s == 735
    assert occasion(one + DURING.replace("735 done 4\n740 done 5\n", ""), OUTAGE).not_recovered == (
        "2 tasks were open, before it at most 1"
    )


def test_without_anything_before_there_is_nothing_to_compare_with() -> None:
    found = occasion(DURING, OUTAGE)
    assert (found.open_before, found.recovered_s) == (None, None)
    assert found.not_recovered == "there was no task before it, to compare with"


def test_only_five_minutes_before_count() -> None:
    long_ago = "".join(shifted(CLEAN, str(n), 200) for n in range(10, 20))
    assert occasion(long_ago + BEFORE + DURING, OUTAGE).open_before == 2
    assert LOOK_BACK_S == 300


def test_the_aftermath_of_one_fault_is_no_level_for_the_next() -> None:
    """The second window begins two minutes after the first was recovered from: its level is that of the first."""
    text = "faults: [{name: out, type: db_outage, at: 10m, every: 4m, for: 2m}]\n"
    again = "840 injected fault=out\n845 seen fault=out\n960 cleared fault=out\n961 enqueued 8\n962 dispatched 8\n963 done 8\n"
    [found] = attributed(BEFORE + DURING + again, text)
    assert [each.open_before for each in found.occasions[:2]] == [2, 2]
    assert found.occasions[1].recovered_s == 963


def test_a_task_that_met_the_fault_is_waited_for() -> None:
    history = (
        BEFORE
        + "600 injected fault=out\n601 enqueued 3\n602 dispatched 3\n603 expired 3 fault=out\n603 retry 3 fault=out due=603\n"
    )
    history += "720 cleared fault=out\n721 enqueued 4\n722 dispatched 4\n723 done 4\n730 dispatched 3\n900 done 3\n"
    assert occasion(history, OUTAGE).recovered_s == 900
    assert occasion(history.replace("900 done 3\n", ""), OUTAGE).not_recovered == "1 tasks that met it were open"


def test_the_level_before_an_earlier_fault_counts_while_that_lasts() -> None:
    text = "faults: [{name: out, type: db_outage, at: 10m, every: 4m, for: 2m}]\n"
    first = DURING.replace("735 done 4\n", "").replace("730 done 3\n", "").replace("740 done 5\n", "")
    again = "840 injected fault=out\n960 cleared fault=out\n961 done 3\n962 done 4\n963 done 5\n970 enqueued 6\n"
    [found] = attributed(BEFORE + first + again, text)
    # Three are open from the first outage on.
    assert [each.open_before for each in found.occasions[:2]] == [2, 2]
    assert [each.recovered_s for each in found.occasions[:2]] == [961, 963]


@pytest.mark.parametrize("lost_s", [100, 350])
@pytest.mark.parametrize("cuts", [(), (3, 4)])
def test_what_was_open_before_a_loss_is_not_known(lost_s: int, cuts: tuple[int, ...]) -> None:
    """Far from the window, and in the time that is looked back to."""
    history = f"90 enqueued 30\n91 enqueued 31\n92 enqueued 32\n320 enqueued 33\n330 cancelled 33\n{lost_s} lost 5\n"
    text = "faults: [{name: out, type: db_outage, at: 10m, every: 20m, for: 2m}]\n"
    again = "1790 enqueued 8\n1791 dispatched 8\n1795 done 8\n1800 injected fault=out\n1920 cleared fault=out\n1930 enqueued 9\n"
    made = make_judge(text)
    block = block_of(in_order(history + BEFORE + DURING + again), made.vocabulary)
    observed(made, pieces(block, cuts))
    first, second = decide(made, IDENTITY, End.CUT).attribution[0].occasions[:2]
    assert (first.open_before, first.not_recovered) == ((2, "") if lost_s == 100 else (None, "events were lost"))
    assert second.open_before == 1


# Alerts.


ALERTS = """
alerts:
  - {name: other, when: queue_depth >= 1, severity: info}
  - {name: meant, when: queue_depth >= 2, severity: info, expect: {of: out, fires_within: 10m}}
"""


def test_the_alert_that_is_expected_counts_before_others() -> None:
    history = BEFORE + DURING + "605 queue_depth 1\n660 queue_depth 2\n729 queue_depth 0\n"
    found = occasion(history, OUTAGE + ALERTS)
    assert (found.alert, found.alerted_s, found.resolved_s) == ("meant", 660, 729)
    found = occasion(history.replace("660 queue_depth 2\n", ""), OUTAGE + ALERTS)
    assert (found.alert, found.alerted_s, found.resolved_s) == ("other", 605, 729)


def test_an_expected_alert_may_come_after_the_recovery_and_others_may_not() -> None:
    assert occasion(BEFORE + DURING + "800 queue_depth 2\n", OUTAGE + ALERTS).alert == "meant"
    assert occasion(BEFORE + DURING + "800 queue_depth 1\n", OUTAGE + ALERTS).alert == ""


def test_an_alert_that_fired_already_is_named_only_without_another() -> None:
    history = BEFORE + DURING + "550 queue_depth 1\n"
    found = occasion(history, OUTAGE + ALERTS)
    assert (found.alert, found.alerted_s) == ("other", 550)
    assert occasion(history + "650 queue_depth 2\n", OUTAGE + ALERTS).alert == "meant"
    assert attributed(history, OUTAGE + ALERTS)[0].alerts == 2
    assert occasion(history + "599 queue_depth 0\n", OUTAGE + ALERTS).alert == ""


# Cost.


def test_costs_go_to_the_fault_whose_cause_they_carry() -> None:
    text = "faults: [{name: a, type: permanent_error, rate: 5%}, {name: b, type: transient_error, rate: 5%}]\n"
    history = """
        0 enqueued 1
        1 dispatched 1
        2 injected 1 fault=b error=error
        2 retry 1 fault=b error=error due=3
        3 dispatched 1
        4 injected 1 fault=a error=error
        4 failed 1 fault=a error=error
    """
    a, b = attributed(history, text)
    assert (a.injected, a.seen, a.cost) == (1, 1, Cost(failed=1))
    assert (b.injected, b.seen, b.cost) == (1, 1, Cost(retried=1))
    assert (a.windows, a.occasions) == (0, [])


def test_tasks_never_started_again_are_lost_to_what_killed_their_worker() -> None:
    text = "faults: [{name: crash, type: worker_crash, rate: 3%, at: 0s, every: 25m, for: 20m}]\n"
    history = """
        1600 enqueued 1
        1601 dispatched 1
        1601 started 1
        1609 injected 1 fault=crash
        1609 ended 1 fault=crash error=worker_crash
        3400 enqueued 2
    """
    [found] = attributed(history, text)
    assert found.cost.lost == 1
    assert [each.cost.lost for each in found.occasions] == [0, 1, 0]


def test_an_execution_too_many_is_due_to_the_fault_that_its_task_met_last() -> None:
    text = "faults: [{name: net, type: transient_error, rate: 3%}, {name: hang, type: worker_hang, rate: 3%, hang_for: 5m}]\n"
    hung = EXPIRED.replace(
        "150 expired 1", "20 injected 1 fault=hang error=worker_hang\n150 expired 1 fault=hang error=worker_hang"
    )
    met_before = "0.5 injected 1 fault=net error=error\n"
    met_by_another = "140 injected 7 fault=net error=error\n"
    met_later = "155 injected 1 fault=net error=error\n"
    net, hang = attributed(hung + met_before + met_by_another + met_later, text)
    assert (net.cost.duplicated, hang.cost.duplicated) == (0, 1)


def test_late_are_tasks_due_in_that_time_whenever_they_end() -> None:
    # Of the four due from 600 to 730 three took longer; so did one that was due before, and one that was due later.
    slow_before = "480 enqueued 20\n481 dispatched 20\n700 done 20\n"
    slow_after = "800 enqueued 21\n801 dispatched 21\n990 done 21\n"
    slow_end = "700 enqueued 22\n750 dispatched 22\n990 done 22\n"
    found = occasion(BEFORE + DURING + slow_before + slow_after + slow_end, OUTAGE + "slos: [latency_p95 <= 124s]\n")
    assert (found.ended, found.late) == (4, 3)


@pytest.mark.parametrize(("limit", "late"), [("<= 130s", 0), ("< 130s", 1), ("<= 129s", 1)])
def test_a_task_exactly_at_the_limit(limit: str, late: int) -> None:
    assert occasion(BEFORE + DURING, f"{OUTAGE}slos: [latency_p95 {limit}]\n").late == late


@pytest.mark.parametrize(("due", "late"), [(599, 0), (600, 1), (730, 1), (731, 0)])
def test_the_ends_of_the_time_in_which_late_tasks_are_due(due: int, late: int) -> None:
    slow = f"{due} enqueued 40\n{max(due, 721)} dispatched 40\n{due + 400} done 40\n"
    busy = "500 enqueued 50\n500 enqueued 51\n505 done 50\n505 done 51\n"
    found = occasion(BEFORE + busy + DURING + slow, OUTAGE + "slos: [latency_p95 <= 300s]\n")
    assert (found.open_before, found.recovered_s, found.late) == (4, 730, late)


def test_without_a_latency_objective_nothing_is_late() -> None:
    assert occasion(BEFORE + DURING, OUTAGE + "slos: [success_rate >= 90%]\n").late is None


def test_time_in_breach_is_that_of_the_bins_whose_own_work_broke_an_objective() -> None:
    """A task a second: bins of a minute. Those due from 600 to 659 took longer than allowed, whenever they ended."""
    found = attributed(BEFORE + DURING, OUTAGE + "slos: [latency_p50 <= 100s]\n")[0]
    [one] = found.occasions
    # Tasks 3, 4 and 5 were due at 600, 610 and 620 and took 130, 125 and 120 s.
    assert (found.bin_s, one.recovered_s, one.breach_s, found.breach_otherwise) == (60, 730, 60, 0)
    assert occasion(BEFORE + DURING, OUTAGE + "slos: [latency_p50 <= 125s]\n").breach_s == 0
    assert occasion(BEFORE + DURING, OUTAGE + "slos: [latency_p50 < 125s]\n").breach_s == 60
    assert occasion(BEFORE + DURING, OUTAGE + "slos: [latency_max <= 129s]\n").breach_s == 60


def test_breaches_of_shares_and_of_stretches() -> None:
    failing = DURING.replace("730 done 3\n735 done 4", "730 failed 3 error=x\n735 done 4")
    [found] = attributed(BEFORE + failing + shifted(CLEAN, "30", 745), OUTAGE + "slos: [success_rate >= 50%]\n")
    assert found.occasions[0].recovered_s == 735
    # In the bin from 720 on one of three failed.
    assert found.occasions[0].breach_s == 0
    assert occasion(BEFORE + failing, OUTAGE + "slos: [success_rate >= 70%]\n").breach_s == 15
    # Work waited from 600 to 722: longer than a minute from 660 on.
    assert occasion(BEFORE + DURING, OUTAGE + "slos: [stall_time <= 1m]\n").breach_s == 70


@pytest.mark.parametrize(
    "objective", ["success_rate <= 10%", "success_rate ~ 10%", "state_transitions <= 1", "rss_growth <= 1MB/h"]
)
def test_objectives_that_have_no_value_in_a_bin_or_ask_for_an_effect(objective: str) -> None:
    [found] = attributed(BEFORE + DURING, f"{OUTAGE}slos: ['{objective}']\n")
    assert (found.bin_s, found.occasions[0].breach_s) == (None, None)


def test_an_own_indicator_may_improve_either_way() -> None:
    text = OUTAGE + "slis: {bad: {ratio: {good: task.failed, total: task.dispatched}}}\nslos: [bad <= 10%]\n"
    failing = DURING.replace("730 done 3", "725 failed 3 error=x")
    assert occasion(BEFORE + failing, text).breach_s == 15


def test_a_quantile_that_must_not_be_low() -> None:
    """Of a package's own: the 5th percentile of four observations in a bin is the least of them."""
    made = scenario(OUTAGE + "slos: [latency_p50 <= 1s]\n")
    [given_one] = made.objectives
    sli = replace(given_one.comparison.sli, better=Better.HIGHER, q=0.5, series="speed")
    for target, broken in ((2.0, False), (2.5, True)):
        comparison = replace(given_one.comparison, sli=sli, op=Op.GE, target=target)
        breaches = Breaches(replace(made, objectives=(replace(given_one, comparison=comparison),)), LabelNumbers(made))
        breaches.observe(Facts(60.0, series={"speed": Samples(np.arange(4.0), np.array([3.0, 1.0, 2.0, 4.0]))}))
        assert breaches.broken(60.0).tolist() == [broken]


def test_what_overlaps_is_shared() -> None:
    text = "faults: [{name: out, type: db_outage, at: 10m, for: 2m}, {name: gone, type: watchdog_crash, at: 11m, for: 10m}]\n"
    history = (
        BEFORE
        + DURING
        + "660 injected fault=gone\n660 process.exited fault=gone name=watchdog\n1260 cleared fault=gone\n"
    )
    out, gone = attributed(history, text)
    assert (out.occasions[0].shared_with, gone.occasions[0].shared_with) == (["gone"], ["out"])
    assert occasion(BEFORE + DURING, OUTAGE).shared_with == []


# Thin evidence of a fault.


@pytest.mark.parametrize(
    ("seen", "expected", "doubt"),
    [
        (1, 300.0, True),
        (149, 300.0, True),
        (150, 300.0, False),
        (1, 20.0, True),
        (5, 20.0, True),
        (6, 20.0, False),
        (1, 13.0, True),
        (1, 11.0, False),
        (3, 0.5, False),
        (0, 0.0, False),
    ],
)
def test_a_fault_that_is_hardly_seen(seen: int, expected: float, doubt: bool) -> None:
    """Poisson: P(X <= 1 | 13) = 3.2e-5, P(X <= 1 | 11) = 2.0e-4; P(X <= 5 | 20) = 7.2e-5, P(X <= 6 | 20) = 2.6e-4."""
    assert hardly(seen, expected) is doubt


def test_how_often_a_fault_is_put_in_doubt() -> None:
    """Struck as planned hardly ever; of a tenth always. `benchmarks/coverage_attribution.py` has more of it."""
    draw = np.random.default_rng(1)
    planned, tenth = draw.binomial(3000, 0.01, 3000), draw.binomial(3000, 0.001, 3000)
    assert sum(hardly(int(count), 30.0) for count in planned) == 0
    assert sum(hardly(int(count), 30.0) for count in tenth) > 2990
    assert hardly(400_000, 1e6)


def test_seen_once_where_a_hundred_were_expected() -> None:
    text = "faults: [{name: net, type: transient_error, rate: 100%}]\n"
    clean = "".join(shifted(CLEAN, str(n), n) for n in range(2, 102))
    struck = "0 enqueued 1\n1 dispatched 1\n2 injected 1 fault=net error=e\n2 retry 1 fault=net error=e due=3\n"
    made = verdict(in_order(clean + struck), text)
    assert (made.faults[0].status, made.faults[0].detail) == ("INCONCLUSIVE", "seen 1 time where 101 were expected")
    assert "fault net: seen 1 time where 101 were expected" in made.reasons


def test_an_injection_that_need_not_show_counts_for_itself() -> None:
    text = "faults: [{name: hang, type: worker_hang, rate: 100%, hang_for: 1m}]\n"
    clean = "".join(shifted(CLEAN, str(n), n) for n in range(2, 32))
    hung = "".join(f"{n + 3} injected {n} fault=hang error=worker_hang\n" for n in range(2, 32))
    [found] = verdict(in_order(clean + hung + "50 seen fault=hang\n"), text).faults
    assert (found.injected, found.seen, found.status) == (30, 1, "PASS")
    [found] = verdict(in_order(clean + "50 seen fault=hang\n"), text).faults
    assert (found.status, found.detail) == ("INCONCLUSIVE", "injected or seen 1 time where 30 were expected")


@pytest.mark.parametrize(("shown", "status"), [(1, "INCONCLUSIVE"), (2, "PASS"), (4, "PASS")])
def test_a_fault_by_time_is_in_doubt_when_it_shows_in_less_than_half_of_its_windows(shown: int, status: str) -> None:
    text = "faults: [{name: out, type: db_outage, at: 10m, every: 10m, for: 2m}]\n"
    windows = "".join(f"{600 * n} injected fault=out\n{600 * n + 120} cleared fault=out\n" for n in range(1, 5))
    seen = "".join(f"{600 * n + 60} seen fault=out\n" for n in range(1, shown + 1))
    [found] = verdict(in_order(BEFORE + windows + seen + shifted(CLEAN, "9", 2600)), text).faults
    assert (found.status, found.detail) == (status, "" if status == "PASS" else f"seen in {shown} of 4 windows")


# Whatever the blocks.


FAR = """
duration: 4h
drain: 1h
warmup: 100s
faults:
  - {name: out, type: db_outage, at: 20m, every: 30m, for: 4m}
  - {name: net, type: transient_error, rate: 50%, at: 25m, every: 1h, for: 10m, errors: [timeout]}
  - {name: dark, type: telemetry_loss, at: 2h, for: 5m}
slos: [latency_p95 <= 60s, success_rate >= 95%, stall_time <= 2m]
alerts:
  - {name: stuck, when: stall_time >= 90s, severity: info, expect: {of: out, fires_within: 4m}}
"""


@dataclass(frozen=True)
class Stream:
    """How a random stream is made."""

    seed: int
    size: int

    def block(self) -> Block:
        """Random events, with those of faults at any time."""
        made, draw = make_judge(FAR), np.random.default_rng(self.seed)
        kinds = [
            Kind.TASK_ENQUEUED,
            Kind.TASK_DISPATCHED,
            Kind.TASK_RETRY,
            Kind.TASK_DONE,
            Kind.TASK_FAILED,
            Kind.TASK_DONE,
        ]
        kinds += [
            Kind.FAULT_INJECTED,
            Kind.FAULT_SEEN,
            Kind.FAULT_CLEARED,
            Kind.EXECUTION_STARTED,
            Kind.EXECUTION_ENDED,
            Kind.TASK_DEFERRED,
        ]
        kind = draw.choice([int(each) for each in kinds], self.size)
        kind[draw.random(self.size) < 0.01] = int(Kind.SAMPLE_LOST)
        causes = [made.vocabulary.cause(*cause) for cause in (("", ""), ("out", ""), ("net", "timeout"), ("dark", ""))]
        t = np.cumsum(draw.choice([0.0, 0.0, 1.0, 10.0, 60.0, 200.0], self.size))
        return make_block(
            t,
            kind,
            until_s=float(t[-1]),
            task=np.where(kind == int(Kind.SAMPLE_LOST), -1, draw.integers(0, 12, self.size)),
            attempt=draw.integers(1, 3, self.size),
            cause=np.where(
                np.isin(kind, [int(Kind.TASK_ENQUEUED), int(Kind.TASK_DONE)]), 0, draw.choice(causes, self.size)
            ),
            value=np.maximum(0.0, t - draw.choice([0.0, 5.0, 100.0], self.size)),
        )


def said(block: Block, cuts: list[int]) -> bytes:
    """What a judge says of the faults of a stream in blocks that end before these events."""
    made = make_judge(FAR)
    for cause in (("", ""), ("out", ""), ("net", "timeout"), ("dark", "")):
        made.vocabulary.cause(*cause)
    observed(
        made, [*pieces(block, cuts), make_block([block.until_s], [Kind.RUN_ENDED], until_s=block.until_s, value=[8.0])]
    )
    return to_json(decide(made, IDENTITY, End.COMPLETED).attribution)


@settings(max_examples=40, deadline=None)
@given(
    stream=st.builds(Stream, st.integers(0, 2**32), st.integers(2, 300)),
    cuts=st.sets(st.integers(1, 299), min_size=1, max_size=12),
)
def test_attribution_does_not_depend_on_where_blocks_end(stream: Stream, cuts: set[int]) -> None:
    block = stream.block()
    assert said(block, sorted({cut % stream.size for cut in cuts} - {0})) == said(block, [])


def test_a_block_for_each_event() -> None:
    block = Stream(3, 250).block()
    assert said(block, list(range(1, 250))) == said(block, [])


def test_recovery_as_found_by_looking_at_every_instant() -> None:
    """Random work around an outage: the definition, spelled out over intervals of time."""
    draw = np.random.default_rng(8)
    for _ in range(30):
        due = draw.integers(320, 1500, 60).astype(float)
        start = np.where((due >= 600) & (due < 720), 720.0, due) + draw.integers(1, 9, 60)
        end = start + draw.integers(1, 300, 60) + 0.5
        lines = [
            f"{a} enqueued {n}\n{b} dispatched {n}\n{c} done {n}"
            for n, (a, b, c) in enumerate(zip(due, start, end, strict=True))
        ]
        history = "\n".join([*lines, "600 injected fault=out", "650 seen fault=out", "720 cleared fault=out"])
        most = max(int(((due <= t) & (end > t)).sum()) for t in np.concatenate([due, end, [300.0]]) if 300 <= t < 600)
        under_way = (start <= 720) & (end > 720)
        back_s = [
            t
            for t in np.unique(np.concatenate([due, end]))
            if (end[end > 720] <= t).any()
            and ((due <= t) & (end > t)).sum() <= most
            and not (under_way & (end > t)).any()
            and t > 720
        ]
        assert occasion(history, OUTAGE).recovered_s == back_s[0]


def test_nothing_is_followed_without_windows() -> None:
    made = make_judge("faults: [{name: net, type: transient_error, rate: 5%}]\n")
    block = block_of(CLEAN, made.vocabulary)
    observed(made, [block, block_of(closing(block), made.vocabulary)])
    assert made.attribution.courses == []
    assert math.isfinite(made.attribution.breaches.width_s)
