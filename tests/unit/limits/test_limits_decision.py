"""The sequential test: its zone, what clear points cost, and how often it is wrong."""

import math

import numpy as np
import pytest

from soak.runner.limits.decision import ERROR, Care, SequentialTest, Tally

TEST = SequentialTest(0.95, 200)


@pytest.mark.parametrize(
    ("probability", "low", "high"), [(0.95, 19 / 21, 38 / 39), (0.5, 1 / 3, 2 / 3), (0.8, 2 / 3, 8 / 9)]
)
def test_the_zone_reaches_from_half_to_twice_the_odds(probability: float, low: float, high: float) -> None:
    test = SequentialTest(probability, 200)
    assert (test.low, test.high) == (pytest.approx(low), pytest.approx(high))


def replications(test: SequentialTest, outcomes: list[bool], care: Care) -> Tally:
    """How many of the outcomes it takes until they are enough."""
    tally = Tally()
    for outcome in outcomes:
        if test.enough(tally, care):
            break
        tally = tally.plus(outcome)
    return tally


def test_a_clear_point_takes_few_replications() -> None:
    assert replications(TEST, [True] * 300, Care.SCREEN) == Tally(10, 10)
    assert replications(TEST, [True] * 300, Care.DECIDE) == Tally(50, 50)
    assert replications(TEST, [False] * 300, Care.SCREEN) == Tally(0, 3)
    assert replications(TEST, [False] * 300, Care.DECIDE) == Tally(0, 3)


def test_the_evidence_is_the_likelihood_ratio() -> None:
    likelihood = {p: p**7 * (1 - p) ** 2 for p in (TEST.low, TEST.high)}
    assert math.exp(TEST.evidence(Tally(7, 9))) == pytest.approx(likelihood[TEST.high] / likelihood[TEST.low])


def test_what_is_not_decided_in_time_is_decided_by_the_share() -> None:
    near = [index % 17 != 0 for index in range(1, 201)]
    tally = replications(TEST, near, Care.DECIDE)
    assert tally == Tally(189, 200)
    assert not TEST.proven(tally)
    assert not TEST.passes(tally)
    assert TEST.passes(Tally(190, 200))


def wrong_decisions(side: str, count: int = 1_000) -> float:
    """The share of tests that decide for the other side, where P(PASS) is at one side of the zone."""
    test = SequentialTest(0.95, 5_000)
    numbers, wrong = np.random.default_rng(5), 0
    for _ in range(count):
        tally = Tally()
        while not test.enough(tally, Care.DECIDE):
            tally = tally.plus(bool(numbers.random() < getattr(test, side)))
        assert test.proven(tally)
        wrong += test.passes(tally) is (side == "low")
    return wrong / count


@pytest.mark.parametrize("side", ["low", "high"])
def test_a_decision_is_wrong_as_rarely_as_promised(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    room = 3 * math.sqrt(ERROR * (1 - ERROR) / 1_000)
    assert 0 < wrong_decisions(side) <= ERROR + room
    # With other bounds the promise is broken, and this test would say so.
    monkeypatch.setattr("soak.runner.limits.decision.ERROR", 4 * ERROR)
    assert wrong_decisions(side) > ERROR + room
