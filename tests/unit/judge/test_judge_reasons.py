"""Every reason has a kind, a subject and a status; the texts are what the list of reasons says."""

import pytest
from histories import verdict

from soak.runner.selftest.matrix import fell_behind
from soak.schemas.evidence.verdict import OF_TELEMETRY, End, ReasonKind, Status, Verdict

GOOD = "0 enqueued 1\n1 dispatched 1\n9 done 1\n"
FAILED = GOOD.replace("done", "failed")
LATE = GOOD.replace("0 enqueued 1", "6.5 enqueued 1 due=0").replace("1 dispatched", "7 dispatched")
SLO = "slos: [success_rate >= 50%]\n"
ABORT = "abort: [{name: slow, when: latency_max >= 5s}]\n"
ALERT = "alerts: [{name: quiet, when: rss > 1kB, expect: {fires_within: 1s}}]\n"
NET = "faults: [{name: net, type: transient_error, rate: 1%}]\n"
UNTIL_ENDED = "\n9 census done=1\n9 run.ended %d"

CASES = {
    "broken objective": (FAILED, SLO, ("objective", "success_rate >= 50%", "FAIL")),
    "doubtful objective": (
        GOOD, "slos: [{objective: success_rate >= 50%, min_samples: 2}]", ("objective", "success_rate >= 50%", "INCONCLUSIVE"),
    ),
    "law": (GOOD + "9 census pending=0", SLO, ("law", "conservation", "FAIL")),
    "alert": (GOOD + "20 rss 1", SLO + ALERT, ("alert", "quiet", "FAIL")),
    "abort": (GOOD, SLO + ABORT, ("abort", "slow", "FAIL")),
    "fault": (GOOD, SLO + NET, ("fault", "net", "INCONCLUSIVE")),
    "no objectives": (GOOD, "", ("no_objectives", "", "INCONCLUSIVE")),
    "lost events": (GOOD + "10 lost 3", SLO, ("lost_events", "", "INCONCLUSIVE")),
    "gap": (GOOD, SLO + "telemetry: {max_gap: 3s}", ("gap", "", "INCONCLUSIVE")),
    "lateness": (LATE, SLO, ("lateness", "", "INCONCLUSIVE")),
    "offered": (GOOD + UNTIL_ENDED % 2, SLO, ("offered", "", "INCONCLUSIVE")),
}  # fmt: skip


def reasons_of(result: Verdict) -> list[tuple[str, str, str]]:
    """Kind, subject and status of each reason."""
    assert [reason.text for reason in result.typed_reasons] == result.reasons
    return [(reason.kind, reason.subject, reason.status) for reason in result.typed_reasons]


@pytest.mark.parametrize("case", CASES)
def test_what_a_reason_is_about(case: str) -> None:
    history, text, expected = CASES[case]
    assert expected in reasons_of(verdict(history, text))


@pytest.mark.parametrize("end", [End.INTERRUPTED, End.CUT])
def test_a_run_that_did_not_come_to_its_end(end: End) -> None:
    kind = ReasonKind.INTERRUPTED if end is End.INTERRUPTED else ReasonKind.CUT
    assert reasons_of(verdict(GOOD, SLO, end=end)) == [(kind, "", "INCONCLUSIVE")]


def test_pass_has_no_reasons() -> None:
    assert reasons_of(verdict(GOOD, SLO)) == []


def test_an_abort_condition_that_ended_nothing_is_a_reason_of_its_kind() -> None:
    result = verdict(GOOD, SLO + ABORT, abort=False)
    assert (result.verdict, reasons_of(result)) == ("FAIL", [("abort", "slow", "FAIL")])


def test_a_doubt_beside_something_broken_stays_a_doubt() -> None:
    result = verdict(FAILED + "10 lost 3", SLO)
    assert reasons_of(result) == [("objective", "success_rate >= 50%", "FAIL"), ("lost_events", "", "INCONCLUSIVE")]
    assert [reason.text.startswith("inconclusive: ") for reason in result.typed_reasons] == [False, True]


def test_every_kind_is_given() -> None:
    ends = {ReasonKind.INTERRUPTED, ReasonKind.CUT}
    # `tasks`: see test_calls_judged; it needs a plan of so many. `unseen`: see test_judge_unseen.
    elsewhere = {ReasonKind.TASKS, ReasonKind.UNSEEN}
    assert {expected[0] for _, _, expected in CASES.values()} | ends == set(ReasonKind) - elsewhere
    assert set(ReasonKind) > OF_TELEMETRY
    assert {status for *_, (_, _, status) in CASES.values()} == {Status.FAIL, Status.INCONCLUSIVE}


def test_the_selftest_knows_a_machine_that_was_too_busy_by_the_kind() -> None:
    assert fell_behind(verdict(LATE, SLO))
    # Something else is in doubt, or something is broken as well: then it says something.
    assert not fell_behind(verdict(GOOD, ""))
    assert not fell_behind(verdict(LATE, "slos: [success_rate < 50%]"))


def test_of_a_source_that_sends_what_it_likes_it_is_not_known_what_was_planned() -> None:
    """It is not offered less than planned either, however much it sends."""
    pipeline = """
system: pipeline
duration: 10m
workload: {arrivals: {rate: 1/s}}
pipeline:
  processes: [{name: a, reads: source, writes: results}]
  sinks: [{name: file, of: results}]
"""
    sent = verdict("1 records.sent 50\n600 run.ended 0", pipeline)
    nothing = verdict("600 run.ended 0", pipeline)
    assert (sent.load.planned, sent.load.offered, nothing.load.planned) == (None, 50, 0)
    assert not [reason for reason in sent.reasons if "planned" in reason]
