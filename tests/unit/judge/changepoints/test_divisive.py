"""E-divisive: the statistic by its definition, steps found where they are, and nothing where there is none."""

import math

import numpy as np
import pytest

from soak.runner.judge.changepoints.divisive import _least_deviations, divide, is_straight
from soak.runner.judge.changepoints.energy import best_splits
from soak.schemas.stream.block import Floats

LEVEL = 0.0025
"""That of each of four series."""


def noise(seed: int, count: int = 72) -> Floats:
    return np.random.default_rng(seed).standard_normal(count)


def dependent(seed: int, lag1: float, count: int = 72) -> Floats:
    """An AR(1) series."""
    values = noise(seed, count + 200)
    for place in range(1, len(values)):
        values[place] += lag1 * values[place - 1]
    return values[200:]


def after(place: int, size: float, count: int = 72) -> Floats:
    """A step of `size` after `place` values."""
    return np.where(np.arange(count) < place, 0.0, size)


def energy(first: Floats, second: Floats) -> float:
    """Matteson and James 2014, equation 7, pair by pair."""

    def distance(one: Floats, other: Floats) -> float:
        return sum(abs(a - b) for a in one for b in other) / (len(one) * len(other))

    scale = len(first) * len(second) / (len(first) + len(second))
    return scale * (2 * distance(first, second) - distance(first, first) - distance(second, second))


@pytest.mark.parametrize("seed", range(4))
def test_the_statistic_is_the_one_of_its_definition(seed: int) -> None:
    ranks = np.random.default_rng(seed).permutation(14) + 1.0
    best = best_splits(ranks[None], 3)
    energies = {
        (first, second): energy(ranks[:first], ranks[first:second])
        for first in range(3, 15)
        for second in range(first + 3, 15)
    }
    mean = sum(abs(a - b) for a in ranks for b in ranks) / 14**2
    assert energies[int(best.first[0]), int(best.second[0])] == pytest.approx(max(energies.values()))
    assert best.statistic[0] * best.inflation[0] == pytest.approx(max(energies.values()) / mean)


def test_dependence_is_seen_beside_a_step() -> None:
    ranks = np.stack([dependent(seed, lag1).argsort().argsort() + 1.0 for seed in range(20) for lag1 in (0.0, 0.7)])
    inflation = best_splits(ranks, 4).inflation
    assert np.median(inflation[0::2]) < 1.6
    assert np.median(inflation[1::2]) > 4
    stepped = (noise(1) + after(36, 8.0)).argsort().argsort() + 1.0
    assert best_splits(stepped[None], 4).inflation[0] < 2


def test_a_step_is_found_where_it_is() -> None:
    division = divide(noise(3) + after(30, 4.0), LEVEL)
    (split,) = division.splits
    assert (split.begin, split.index, split.end) == (0, 30, 72)
    assert split.p <= LEVEL
    assert not division.straight


def test_a_step_near_the_end_is_not_drawn_to_the_longer_side() -> None:
    found = [divide(noise(seed) + after(56, 5.0), LEVEL).splits for seed in range(10)]
    assert [splits[0].index for splits in found if splits] == [56] * len([splits for splits in found if splits])
    assert sum(bool(splits) for splits in found) >= 9


def test_a_change_and_its_end_are_two() -> None:
    division = divide(noise(5) + after(24, 5.0) - after(44, 5.0), LEVEL)
    assert [(split.begin, split.index, split.end) for split in division.splits] == [(0, 24, 44), (24, 44, 72)]


def test_outliers_are_no_step() -> None:
    values = noise(2)
    values[[7, 40, 41]] = 1e6
    assert divide(values, LEVEL).splits == ()


def test_what_never_changes_is_not_searched() -> None:
    division = divide(np.ones(72), LEVEL)
    assert division.stated
    assert division.splits == ()


def test_a_line_is_no_step() -> None:
    division = divide(0.5 * noise(4) + np.arange(72) / 18, LEVEL)
    assert division.splits
    assert division.straight


@pytest.mark.parametrize(("size", "straight"), [(0.0, True), (6.0, False)])
def test_straight_is_what_a_line_describes_best(size: float, straight: bool) -> None:
    values = noise(8, 40) + after(20, size, 40) + (0.0 if size else np.arange(40) / 5)
    assert is_straight(values, [20]) is straight


def test_what_levels_describe_better_by_chance_only_is_straight() -> None:
    """Two levels have a parameter more than a line: on noise the better of both is no level."""
    straight = [is_straight(noise(seed, 40), [place]) for seed in range(10) for place in range(10, 31)]
    assert sum(straight) > 0.9 * len(straight)


def test_a_change_settles_where_the_medians_say() -> None:
    values = np.repeat([0.0, 10.0, 3.0], [10, 4, 20]) + noise(1, 34) / 10
    assert [_least_deviations(values[:14], cut, 3) for cut in (4, 8, 11)] == [10, 10, 10]


def test_long_dependence_withholds_a_statement() -> None:
    walks = [divide(noise(seed).cumsum(), LEVEL) for seed in range(20)]
    assert sum(not each.stated for each in walks) >= 10
    assert not any(each.splits for each in walks if not each.stated)


@pytest.mark.parametrize("lag1", [0.0, 0.3, 0.5, 0.7, 0.9])
def test_stationary_runs_give_no_alarm(lag1: float) -> None:
    """Of 60 runs with four series each, at most 3: 5 %. Without the correction for dependence most do."""
    alarms = [
        any(divide(dependent(4 * run + each, lag1), LEVEL).splits for each in range(4)) for run in range(1000, 1060)
    ]
    assert sum(alarms) <= 3


def test_the_same_series_gives_the_same_answer() -> None:
    values = np.round(noise(11) + after(36, 2.0), 1)
    assert divide(values, LEVEL) == divide(values.copy(), LEVEL)


def test_ties_are_permuted_as_they_are() -> None:
    """Mostly zeros: as independent ranks without ties, 40 % of such series were significant."""
    counts = [np.random.default_rng(seed).poisson(0.3, 72).astype(float) for seed in range(40)]
    assert sum(bool(divide(each, LEVEL).splits) for each in counts) <= 1
    assert divide(counts[0] + after(36, 3.0).round(), LEVEL).splits


def test_a_stricter_level_finds_less() -> None:
    values = [noise(seed) + after(36, 1.2) for seed in range(20)]
    found = [sum(bool(divide(each, level).splits) for each in values) for level in (0.05, 0.0002)]
    assert found[0] > found[1]
    assert not math.isclose(found[0], 0)
