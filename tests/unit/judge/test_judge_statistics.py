"""Quantiles within their stated error, intervals that contain what they should, slopes that are slopes."""

import math
from itertools import combinations
from statistics import median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.judge.growth import Growth
from soak.runner.judge.histogram import BUCKETS, RELATIVE_ERROR, Histogram, bucket_of, rank, value_of
from soak.runner.judge.interval import quantile_ranks, wilson, z_of
from soak.runner.judge.samples import Samples
from soak.schemas.language.registry import catalogues
from soak.schemas.language.windows import Window

ticks = st.one_of(st.integers(0, 10**3), st.integers(0, 10**10), st.integers(0, 10**19))
values = st.lists(ticks.map(lambda tick: tick / 1e6), min_size=1, max_size=60)
shares = st.floats(0, 1)


def histogram_of(*parts: list[float]) -> Histogram:
    """A histogram of values, added part by part."""
    histogram = Histogram()
    for part in parts:
        histogram.add(np.array(part))
    return histogram


def nearest_rank(values: list[float], q: float) -> float:
    """The exact quantile."""
    return sorted(values)[max(1, math.ceil(q * len(values) - 1e-9)) - 1]


# Histograms.


@given(values, shares)
def test_a_quantile_is_within_its_relative_error(values: list[float], q: float) -> None:
    assert histogram_of(values).quantile(q) == pytest.approx(nearest_rank(values, q), rel=RELATIVE_ERROR * 1.0001)


@given(values, shares)
def test_a_quantile_is_never_beyond_what_was_seen(values: list[float], q: float) -> None:
    assert min(values) <= histogram_of(values).quantile(q) <= max(values)


@given(values, st.lists(shares, min_size=2, max_size=2).map(sorted))
def test_a_higher_quantile_is_not_smaller(values: list[float], qs: list[float]) -> None:
    histogram = histogram_of(values)
    assert histogram.quantile(qs[0]) <= histogram.quantile(qs[1])


@given(values, values)
def test_merging_is_adding(one: list[float], other: list[float]) -> None:
    merged, added = histogram_of(one), histogram_of(one, other)
    merged.merge(histogram_of(other))
    assert (merged.counts == added.counts).all()
    assert (merged.count, merged.smallest, merged.largest) == (added.count, added.smallest, added.largest)


@given(values, shares, st.integers(1, 20))
def test_work_that_never_ended_is_larger_than_any(values: list[float], q: float, extra: int) -> None:
    found = histogram_of(values).quantile(q, extra)
    exact = nearest_rank([*values, *[math.inf] * extra], q)
    assert found == pytest.approx(exact, rel=RELATIVE_ERROR * 1.0001)


close = st.lists(st.integers(990, 1010).map(lambda tick: tick / 100), min_size=1, max_size=40)


@given(close, close, st.integers(980, 1020).map(lambda tick: tick / 100), st.integers(1, 80))
def test_beside_a_pin_every_rank_is_on_its_side(one: list[float], other: list[float], pin: float, wanted: int) -> None:
    """All values share a bucket or two."""
    added, merged, second = Histogram(), Histogram(), Histogram()
    for histogram in (added, merged, second):
        histogram.pin(pin)
    added.add(np.array(one))
    added.add(np.array(other))
    merged.add(np.array(one))
    second.add(np.array(other))
    merged.merge(second)
    exact = sorted([*one, *other, *[math.inf] * 80])[wanted - 1]
    for histogram in (added, merged):
        found = histogram.value_at_rank(wanted)
        assert ((found > pin) - (found < pin)) == ((exact > pin) - (exact < pin))
        assert found == pytest.approx(exact, rel=RELATIVE_ERROR * 1.0001)


@given(values, values, shares)
def test_what_is_kept_is_exact(one: list[float], other: list[float], q: float) -> None:
    histogram = Histogram()
    histogram.keep()
    for part in (one, other):
        histogram.add(np.array(part))
        histogram.quantile(0.5)
    assert histogram.quantile(q) == nearest_rank([*one, *other], q)


def test_an_empty_histogram_knows_nothing() -> None:
    assert math.isnan(Histogram().quantile(0.5))
    assert math.isnan(Histogram().value_at_rank(1))


def test_buckets_cover_everything() -> None:
    edges = np.array([0.0, 1e-7, 1e-6, 1.0, 1e15, 1e30])
    assert bucket_of(edges).tolist()[:2] == [0, 0]
    assert (np.diff(bucket_of(edges)) >= 0).all()
    assert bucket_of(edges).max() < BUCKETS
    assert value_of(0) == 0.0


@pytest.mark.parametrize(
    ("q", "count", "expected"), [(0, 5, 1), (0.5, 4, 2), (0.5, 5, 3), (0.95, 20, 19), (1, 7, 7), (0.07, 100, 7)]
)
def test_nearest_rank(q: float, count: int, expected: int) -> None:
    assert rank(q, count) == expected


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_a_rank_has_no_rounding_noise(part: int, count: int) -> None:
    assert rank(part / 1000, count) == -(-part * count // 1000)


# Intervals.


@given(st.integers(0, 500), st.integers(1, 500), st.floats(0.5, 0.999))
def test_wilson_contains_the_share(good: int, total: int, confidence: float) -> None:
    good = min(good, total)
    low, high = wilson(good, total, confidence)
    assert 0 <= low <= good / total <= high <= 1


@given(st.integers(0, 500), st.integers(1, 500), st.lists(st.floats(0.5, 0.999), min_size=2, max_size=2).map(sorted))
def test_wilson_is_wider_for_more_confidence(good: int, total: int, levels: list[float]) -> None:
    good = min(good, total)
    (low, high), (lower, higher) = (wilson(good, total, level) for level in levels)
    assert lower <= low + 1e-12
    assert higher >= high - 1e-12


@pytest.mark.parametrize(
    ("good", "total", "expected"),
    # Newcombe 1998, table I: the score method without continuity correction.
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_wilson_as_published(good: int, total: int, expected: tuple[float, float]) -> None:
    assert wilson(good, total, 0.95) == pytest.approx(expected, abs=5e-5)


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson(0, 0, 0.95) == (0.0, 1.0)


def test_full_confidence_is_not_infinite() -> None:
    assert math.isfinite(z_of(1.0))
    assert z_of(0.95) == pytest.approx(1.959964)


@given(st.floats(0.01, 0.99), st.integers(1, 2000), st.floats(0.5, 0.999))
def test_the_ranks_around_a_quantile_enclose_it(q: float, count: int, confidence: float) -> None:
    low, high = quantile_ranks(q, count, confidence)
    assert low <= rank(q, count) <= high


# Growth.


def growth_of(points: list[tuple[float, float]], *windows: Window) -> float:
    """The growth per hour of these (time, value) points."""
    growth = Growth(windows)
    t, value = np.array(points).reshape(-1, 2).T
    growth.observe(Samples(t, value))
    return growth.value(catalogues()["queue"]["rss_growth"], 0.0)


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(0, 1000)), min_size=3, max_size=25, unique_by=lambda p: p[0])
)
def test_growth_is_the_median_of_all_slopes(points: list[tuple[float, float]]) -> None:
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(sorted(points), 2)]
    assert growth_of(sorted(points)) == pytest.approx(median(slopes) * 3600, abs=1e-9)


def test_samples_at_the_same_time_have_no_slope() -> None:
    assert growth_of([(0, 1), (0, 5), (10, 11)]) == pytest.approx(median([1.0, 0.6]) * 3600)
