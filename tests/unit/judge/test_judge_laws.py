"""Integrity laws, each broken on purpose."""

import numpy as np
import pytest
from histories import IDENTITY, judge, make_judge, observed, verdict

from soak.runner.judge.decide import decide
from soak.schemas.evidence.verdict import End, LawResult
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import Kind

GOOD = """
0 enqueued 1
1 dispatched 1
1 started 1
9 ended 1
9 done 1
"""
SLO = "slos: [success_rate >= 0%]\n"


def law(name: str, history: str, text: str = "") -> LawResult:
    """How a law comes out."""
    return next(each for each in verdict(history, SLO + text).laws if each.law == name)


def test_a_good_run_keeps_every_law() -> None:
    result = verdict(GOOD, SLO)
    assert [(each.law, each.status, each.value, each.detail) for each in result.laws] == [
        ("conservation", "PASS", 0.0, ""),
        ("legal_transitions", "PASS", 0.0, ""),
        ("ledger_agreement", "PASS", 0.0, ""),
        ("redelivery", "PASS", 0.0, ""),
        ("littles_law", "PASS", 0.0, ""),
    ]
    assert (result.verdict, result.reasons) == ("PASS", [])


BROKEN = [
    ("conservation", GOOD + "9 census pending=0", 1, "1 accepted, 0 in the census"),
    ("conservation", GOOD + "9 census done=2", 1, "1 accepted, 2 in the census"),
    ("legal_transitions", GOOD + "10 failed 1", 1, "1 illegal transitions"),
    ("ledger_agreement", GOOD.replace("ended 1", "ended 1 error=crash"), 1, "1 tasks DONE contrary to the ledger"),
]


@pytest.mark.parametrize(("name", "history", "value", "detail"), BROKEN)
def test_a_broken_law_is_a_fail(name: str, history: str, value: float, detail: str) -> None:
    result = law(name, history)
    assert (result.status, result.value, result.detail) == ("FAIL", value, detail)
    whole = verdict(history, SLO)
    assert (whole.verdict, whole.reasons) == ("FAIL", [f"law {name} is broken: {detail}"])


@pytest.mark.parametrize(("name", "history", "value", "detail"), BROKEN)
def test_lost_events_may_explain_a_broken_law(name: str, history: str, value: float, detail: str) -> None:
    result = law(name, history.rstrip() + "\n11 lost 3")
    assert (result.status, result.detail) == ("INCONCLUSIVE", f"{detail}; 3 events were lost")
    assert result.value == value


def test_a_system_without_a_census_is_not_known_to_conserve() -> None:
    made = judge(GOOD, SLO)
    result = decide(made, IDENTITY, End.COMPLETED)
    assert (result.laws[0].status, result.laws[0].value) == ("INCONCLUSIVE", None)
    assert result.reasons == ["law conservation: the system reported no census of its tasks"]


def test_the_ledger_is_compared_attempt_by_attempt() -> None:
    retried = """
        0 enqueued 1
        1 dispatched 1
        1 started 1
        2 ended 1 error=timeout
        2 retry 1 due=3
        3 dispatched 1
        3 started 1
        9 ended 1
        9 done 1
    """
    assert law("ledger_agreement", retried).status == "PASS"
    assert law("ledger_agreement", retried.replace("9 ended 1", "9 ended 1 error=timeout")).status == "FAIL"


def test_a_task_that_only_went_over_its_budget_may_be_done() -> None:
    text = "faults: [{name: budget, type: guardrail_exceed, rate: 1%}]"
    assert law("ledger_agreement", GOOD.replace("ended 1", "ended 1 fault=budget"), text).status == "PASS"


def test_laws_hold_in_the_warm_up_too() -> None:
    text = "warmup: 20s\n"
    assert law("conservation", GOOD + "30 census done=2", text).status == "FAIL"
    assert law("ledger_agreement", GOOD.replace("ended 1", "ended 1 error=x") + "30 rss 1", text).status == "FAIL"


def test_littles_law_by_both_sides() -> None:
    history = GOOD + "10 enqueued 2\n15 dispatched 2\n20 failed 2\n25 enqueued 3\n40 rss 1"
    made = judge(history, SLO)
    assert made.lifecycle.littles_law() == pytest.approx((9 + 10 + 15, 9 + 10 + 15))


def test_littles_law_breaks_with_a_task_that_is_counted_and_not_followed() -> None:
    made = make_judge(SLO)
    observed(made, [_enqueued(np.arange(3))])
    made.lifecycle._population._in_system += 1  # a fourth, of which there is no event
    observed(made, [make_block([50.0], [Kind.SAMPLE_RSS], value=[1.0], until_s=50.0)])
    result = decide(made, IDENTITY, End.COMPLETED).laws[-1]
    assert (result.status, result.detail) == (
        "FAIL",
        "200.0 task-seconds as area under the number in the system, 150.0 summed over tasks",
    )


def _enqueued(arrivals: np.ndarray) -> Block:
    zeros = np.zeros(len(arrivals))
    return make_block(zeros, [Kind.TASK_ENQUEUED] * len(arrivals), task=arrivals * 2, value=zeros, until_s=0.0)
