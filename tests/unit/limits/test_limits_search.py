"""The search on curves that are known: where it ends up, how often it is wrong, and what it costs."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from soak.runner.limits.decision import ERROR, Care, SequentialTest, Tally
from soak.runner.limits.search import Edge, find_edges

TEST = SequentialTest(0.95, 200)
COUNT = 61


class Coins:
    """Points whose probability of PASS is known. Each has the same random numbers: common random numbers."""

    def __init__(self, chances: Sequence[float], seed: int) -> None:
        self._chances = chances
        self._numbers = np.random.default_rng(seed).random(TEST.most)
        self.tallies: dict[int, Tally] = {}

    def look(self, point: int, care: Care) -> None:
        tally = self.tallies.get(point, Tally())
        while not TEST.enough(tally, care):
            tally = tally.plus(bool(self._numbers[tally.total] < self._chances[point]))
        self.tallies[point] = tally

    def passes(self, point: int) -> bool:
        return TEST.passes(self.tallies[point])

    def decided(self, point: int) -> bool:
        return point in self.tallies and TEST.enough(self.tallies[point], Care.DECIDE)

    @property
    def replications(self) -> int:
        return sum(tally.total for tally in self.tallies.values())


def curve(centre: float, slope: float) -> list[float]:
    """A logistic curve that falls."""
    return [1 / (1 + math.exp(slope * (point - centre))) for point in range(COUNT)]


@dataclass(frozen=True)
class Searched:
    """Many searches over curves of one slope.

    `wrong`: the share in which PASS is too unlikely at the limit, or too likely beyond it; `off`: the limit less the true one.
    """

    wrong: float
    off: list[float]
    replications: float


def searched(slope: float, searches: int = 150) -> Searched:
    wrong, off, replications = 0, [], 0
    for seed in range(searches):
        centre = np.random.default_rng([seed, 7]).uniform(25, 45)
        chances, coins = curve(centre, slope), Coins(curve(centre, slope), seed)
        (edge,) = find_edges(COUNT, None, coins)
        assert edge.beyond == edge.good + 1
        wrong += chances[edge.good] <= TEST.low or chances[edge.beyond] >= TEST.high
        off.append(edge.good - (centre - math.log(19) / slope))
        replications += coins.replications
    return Searched(wrong / searches, off, replications / searches)


@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0])
def test_the_limit_is_the_true_one_as_often_as_promised(slope: float) -> None:
    found = searched(slope)
    assert found.wrong <= 2 * ERROR
    # Beside the true limit, as near as the zone of indifference lets a test tell: the odds double over log(2) / slope.
    near = 1 + 2 * math.log(2) / slope
    assert np.mean(np.abs(found.off) <= near) >= 0.95


def test_it_takes_far_fewer_replications_than_bisection_with_a_fixed_number() -> None:
    points = 2 + math.ceil(math.log2(COUNT))
    for slope, share in ((0.5, 0.4), (1.0, 0.3), (3.0, 0.2)):
        assert searched(slope, 60).replications < share * points * TEST.most


def test_a_search_without_a_test_is_wrong_more_often() -> None:
    """Ten replications a point, all of which must pass: what a glance would come to if it were believed."""
    wrong = 0
    for seed in range(100):
        chances = curve(np.random.default_rng([seed, 7]).uniform(25, 45), 0.5)
        numbers = np.random.default_rng(seed).random((COUNT, 10))
        low, high = 0, COUNT - 1
        while high - low > 1:
            middle = (low + high) // 2
            good = bool((numbers[middle] < chances[middle]).all())
            low, high = (middle, high) if good else (low, middle)
        wrong += chances[low] <= TEST.low or chances[high] >= TEST.high
    assert wrong / 100 > 4 * ERROR


def sure(good: Callable[[int], bool]) -> Coins:
    return Coins([1.0 if good(point) else 0.0 for point in range(COUNT)], 1)


@pytest.mark.parametrize("last", [0, 1, 17, 59])
def test_on_both_sides_of_the_edge_are_neighbours(last: int) -> None:
    assert find_edges(COUNT, None, sure(lambda point: point <= last)) == [Edge(last, last + 1)]
    assert find_edges(COUNT, None, sure(lambda point: point > last)) == [Edge(last + 1, last)]


def test_only_what_the_answer_rests_on_is_decided() -> None:
    coins = sure(lambda point: point <= 20)
    find_edges(COUNT, None, coins)
    assert {point: tally.total for point, tally in coins.tallies.items() if tally.passes} == {
        0: 10,
        15: 10,
        18: 10,
        20: 50,
    }


def test_between_two_ends_that_break_both_limits_are_found() -> None:
    coins = sure(lambda point: 12 <= point <= 40)
    assert find_edges(COUNT, 30, coins) == [Edge(12, 11), Edge(40, 41)]
    assert find_edges(COUNT, 50, sure(lambda point: 12 <= point <= 40)) == []
    assert find_edges(COUNT, None, sure(lambda point: 12 <= point <= 40)) == []


@pytest.mark.parametrize("good", [True, False])
def test_without_an_edge_the_ends_and_the_own_value_are_decided(good: bool) -> None:
    coins = sure(lambda _: good)
    assert find_edges(COUNT, 9, coins) == []
    assert set(coins.tallies) == {0, 9, COUNT - 1}
    assert all(map(coins.decided, coins.tallies))


def test_an_own_value_that_breaks_between_two_ends_that_pass_is_an_edge() -> None:
    """Nothing is said of the inside of a range unless it was looked at; the own value is."""
    coins = sure(lambda point: point != 9)
    assert find_edges(COUNT, 9, coins) == [Edge(8, 9), Edge(10, 9)]


def test_what_was_misjudged_on_the_way_is_put_right() -> None:
    """At 30 the first ten replications pass and the rest do not: the search went past it, and comes back."""
    coins = sure(lambda point: point < 20)
    coins.tallies = {30: Tally(10, 10)}
    assert find_edges(COUNT, None, coins) == [Edge(19, 20)]
    assert coins.tallies[30].passes == 10
    assert coins.tallies[30].total > 10
