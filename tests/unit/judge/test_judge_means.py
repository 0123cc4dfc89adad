"""Means of consecutive samples: which ones, to the last bit, and how few of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.judge.means import MOST_MEANS, Means


def made(value: np.ndarray, *, cuts: list[int] | None = None) -> Means:
    """The means of a sample a second, given in parts that end at `cuts`."""
    means, t_s = Means(), np.arange(len(value), dtype=float)
    for t, v in zip(np.split(t_s, cuts or []), np.split(value, cuts or []), strict=True):
        means.add(t, v)
    return means


@pytest.mark.parametrize(
    ("count", "kept", "covered"), [(127, 127, 127), (128, 64, 128), (129, 64, 128), (1000, 125, 1000)]
)
def test_how_many_are_kept(count: int, kept: int, covered: int) -> None:
    means = made(np.arange(count, dtype=float))
    assert (len(means), means.covered, means.seen) == (kept, covered, count)


def test_they_are_means_of_consecutive_samples() -> None:
    value = np.random.default_rng(1).normal(5, 2, 1000)
    means = made(value)
    assert means.origin + means.value == pytest.approx(value.reshape(125, 8).mean(axis=1))
    assert means.t == pytest.approx(np.arange(1000.0).reshape(125, 8).mean(axis=1))
    assert means.inner_variance() == pytest.approx(value.reshape(125, 8).var(axis=1).mean())


def test_single_samples_vary_around_nothing() -> None:
    assert made(np.arange(100.0)).inner_variance() == 0.0


@given(st.integers(1, 2_000), st.lists(st.integers(0, 2_000), max_size=8))
def test_they_do_not_depend_on_blocks(count: int, cuts: list[int]) -> None:
    value = np.random.default_rng(count).normal(size=count)
    whole, parts = made(value), made(value, cuts=sorted(min(cut, count) for cut in cuts))
    assert np.array_equal(whole.t, parts.t) and np.array_equal(whole.value, parts.value)
    assert (whole.covered, whole.inner_variance()) == (parts.covered, parts.inner_variance())
    assert len(whole) < MOST_MEANS and whole.covered <= count < whole.covered + max(1, whole.covered // len(whole))
