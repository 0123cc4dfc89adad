"""Alerts: what they tell the stream, and whether they do what is expected of them."""

import pytest
from histories import block_of, judge, make_judge, observed, verdict

from soak.schemas.evidence.verdict import AlertResult
from soak.schemas.stream.events import Kind

DOWN = "faults: [{name: down, type: db_outage, at: 100s, for: 60s}]\n"
TWICE = "faults: [{name: down, type: db_outage, at: 100s, every: 10m, for: 60s}]\n"
SEEN = "0 queue_depth 0\n100 injected fault=down\n100 seen fault=down\n"


def alert(expect: str, samples: str, *, faults: str = DOWN, until: float = 900.0) -> AlertResult:
    """How an alert on a deep queue comes out."""
    text = f"slos: [queue_depth <= 99]\nalerts: [{{name: deep, when: queue_depth > 5, expect: {{{expect}}}}}]\n{faults}"
    [result] = verdict(SEEN + samples, text, until=until).alerts
    return result


RISE_AND_FALL = "130 queue_depth 9\n200 queue_depth 0\n"


@pytest.mark.parametrize(
    ("expect", "status", "detail"),
    [
        ("of: down, fires_within: 30s", "PASS", ""),
        ("of: down, fires_within: 29s", "FAIL", "did not fire within 29s of down at 100s"),
        ("of: down, resolves_within: 40s", "PASS", ""),
        ("of: down, resolves_within: 39s", "FAIL", "did not resolve within 39s of down at 100s"),
        ("fires_within: 130s", "PASS", ""),
        ("fires_within: 129s", "FAIL", "did not fire within 129s"),
        ("resolves_within: 70s", "PASS", ""),
        ("resolves_within: 69s", "FAIL", "did not resolve within 69s of firing at 130s"),
        ("max_flaps: 0", "PASS", ""),
    ],
)
def test_expectations(expect: str, status: str, detail: str) -> None:
    result = alert(expect, RISE_AND_FALL)
    assert (result.status, result.detail) == (status, detail)


def test_firings_are_told_with_times_and_value() -> None:
    [firing] = alert("max_flaps: 9", RISE_AND_FALL).firings
    assert (firing.fired_s, firing.resolved_s, firing.value) == (130.0, 200.0, 9.0)


def test_an_alert_that_never_fires() -> None:
    assert alert("of: down, fires_within: 1m", "").status == "FAIL"
    assert alert("of: down, resolves_within: 1m", "").status == "PASS"
    assert alert("max_flaps: 0", "").firings == []


def test_an_alert_that_never_resolves() -> None:
    result = alert("of: down, resolves_within: 1m", "130 queue_depth 9\n")
    assert (result.status, result.firings[0].resolved_s) == ("FAIL", None)


def test_an_alert_that_fired_before_the_fault_did_not_fire_for_it() -> None:
    early = "0 queue_depth 0\n90 queue_depth 9\n100 injected fault=down\n100 seen fault=down\n200 queue_depth 0"
    text = "alerts: [{name: deep, when: queue_depth > 5, expect: {of: down, fires_within: 1m}}]\n" + DOWN
    assert verdict(early, text, until=900).alerts[0].status == "FAIL"


@pytest.mark.parametrize(("most", "status"), [(1, "PASS"), (0, "FAIL")])
def test_flaps_are_firings_after_the_first(most: int, status: str) -> None:
    twice = RISE_AND_FALL + "300 queue_depth 9\n400 queue_depth 0\n"
    assert alert(f"max_flaps: {most}", twice).status == status


def test_a_firing_long_after_the_fault_has_another_cause() -> None:
    """The fault lasts from 100 s to 160 s."""
    later = RISE_AND_FALL + "500 queue_depth 9\n550 queue_depth 0\n"
    expect = "of: down, fires_within: 30s, resolves_within: 40s, max_flaps: 0"
    assert alert(expect, later).status == "PASS"
    again = "130 queue_depth 9\n199 queue_depth 0\n200 queue_depth 9\n210 queue_depth 0\n"
    result = alert(expect, again)
    assert (result.status, result.detail.split("; ")[-1]) == ("FAIL", "fired 2 times around down at 100s, 1 allowed")


def test_every_occurrence_of_a_fault_counts_by_itself() -> None:
    both = RISE_AND_FALL + "710 queue_depth 9\n720 queue_depth 0\n"
    expect = "of: down, fires_within: 30s, resolves_within: 1m, max_flaps: 0"
    assert alert(expect, both, faults=TWICE).status == "PASS"
    once = alert(expect, RISE_AND_FALL, faults=TWICE)
    assert (once.status, once.detail) == ("FAIL", "did not fire within 30s of down at 11m40s")


@pytest.mark.parametrize(
    ("expect", "samples"),
    [("of: down, fires_within: 5m", ""), ("of: down, resolves_within: 5m", "130 queue_depth 9\n")],
)
def test_an_alert_whose_time_was_not_up_is_inconclusive(expect: str, samples: str) -> None:
    result = alert(expect, samples, until=300)
    assert (result.status, result.detail.endswith("the run ended earlier")) == ("INCONCLUSIVE", True)
    assert alert(expect, samples, until=460).status == "FAIL"


def test_a_fault_after_the_end_of_the_run_expects_nothing() -> None:
    assert alert("of: down, fires_within: 30s", RISE_AND_FALL, faults=TWICE, until=600).status == "PASS"


def test_the_last_firing_of_a_fault_has_to_resolve() -> None:
    again = "130 queue_depth 9\n150 queue_depth 0\n155 queue_depth 9\n"
    assert alert("of: down, resolves_within: 1m", again).status == "FAIL"
    assert alert("of: down, resolves_within: 1m", again + "220 queue_depth 0\n").status == "PASS"


def test_nothing_expected_has_no_status() -> None:
    text = "alerts: [{name: deep, when: queue_depth > 5, severity: critical}]\n" + DOWN
    [result] = verdict(SEEN + RISE_AND_FALL, text).alerts
    assert (result.status, result.severity, result.expected, result.window_s) == (None, "critical", "", None)


def test_a_broken_expectation_is_a_fail() -> None:
    text = "slos: [queue_depth <= 99]\nalerts: [{name: deep, when: queue_depth > 5, expect: {fires_within: 1s}}]"
    result = verdict(RISE_AND_FALL, text, until=300)
    assert (result.verdict, result.reasons) == ("FAIL", ["alert deep: did not fire within 1s"])


# In the stream.

ALERTS = "alerts: [{name: deep, when: queue_depth > 5, for: 10s}, {name: late, when: telemetry_gap >= 60s}]"


def told(blocks: list) -> list[tuple[float, str, str]]:
    """The alert events in blocks: when, what, which."""
    names = make_judge(ALERTS).scenario.alerts
    kinds = {Kind.ALERT_FIRED: "fired", Kind.ALERT_RESOLVED: "resolved"}
    return [
        (t, kinds[Kind(kind)], names[int(value)].condition.name)
        for block in blocks
        for t, kind, value in zip(block.t.tolist(), block.kind.tolist(), block.value.tolist(), strict=True)
        if kind in kinds
    ]


def test_alerts_stand_in_the_stream_in_time_order() -> None:
    made = make_judge(ALERTS)
    for alert_ in made.scenario.alerts:
        made.vocabulary.name(alert_.condition.name)
    kept = observed(made, [block_of("0 queue_depth 9\n30 queue_depth 9\n70 queue_depth 0\n140 rss 1\n140 run.ended")])
    assert told(kept) == [
        (10.0, "fired", "deep"),
        (70.0, "resolved", "deep"),
        (130.0, "fired", "late"),
        (140.0, "resolved", "late"),
    ]
    assert all((block.t[1:] >= block.t[:-1]).all() for block in kept)


def test_alerts_of_an_earlier_judge_are_not_counted_again() -> None:
    text = f"{ALERTS}\nslis: {{fired: {{count: [alert.fired, sample.queue_depth]}}}}"
    first = make_judge(text)
    kept = observed(first, [block_of("0 queue_depth 9\n70 queue_depth 0\n140 rss 1", first.vocabulary)])
    second = make_judge(text)
    again = observed(second, kept)
    assert first.slis() == second.slis()
    assert [block.t.tolist() for block in again] == [block.t.tolist() for block in kept]
    assert first.slis()["fired"] == 2


def test_firing_alerts_stand_in_the_checkpoints() -> None:
    made = judge("0 queue_depth 9\n70 queue_depth 0\n200 rss 1", f"checkpoints: {{every: 30s}}\n{ALERTS}")
    assert [(row.t_s, row.firing) for row in made.checkpoints[:3]] == [
        (30.0, ["deep"]),
        (60.0, ["deep"]),
        (90.0, []),
    ]
