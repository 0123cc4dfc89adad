"""Tails of distributions against sums of their terms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.power import tails
from soak.runner.power.tails import binomial_at_least, poisson_at_least


def terms_at_least(k: int, n: int, p: float) -> float:
    """The binomial tail, term by term."""
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(max(k, 0), n + 1))


@given(n=st.integers(1, 60), p=st.floats(0.001, 0.999), k=st.integers(-2, 62))
def test_binomial_tail(n: int, p: float, k: int) -> None:
    assert binomial_at_least(k, n, p) == pytest.approx(terms_at_least(k, n, p), rel=1e-11, abs=1e-300)


@pytest.mark.parametrize(("k", "n", "p"), [(35, 1000, 0.03), (951, 1000, 0.95), (1, 30_000, 0.0001), (0, 5, 0.3)])
def test_binomial_tail_of_many(k: int, n: int, p: float) -> None:
    logs = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) + i * math.log(p) + (n - i) * math.log1p(-p)
        for i in range(k, n + 1)
    ]
    assert binomial_at_least(k, n, p) == pytest.approx(math.fsum(map(math.exp, logs)), rel=1e-8)


def test_certain_and_impossible() -> None:
    assert binomial_at_least(3, 3, 1.0) == 1.0
    assert binomial_at_least(1, 3, 0.0) == 0.0
    assert binomial_at_least(4, 3, 1.0) == 0.0
    assert poisson_at_least(1, 0.0) == 0.0
    assert poisson_at_least(0, 0.0) == 1.0


@given(mean=st.floats(0.001, 300), k=st.integers(0, 330))
def test_poisson_tail(mean: float, k: int) -> None:
    below = math.fsum(math.exp(-mean + i * math.log(mean) - math.lgamma(i + 1)) for i in range(k))
    assert poisson_at_least(k, mean) == pytest.approx(1 - below, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("deviations", [-3, -1.6, 0, 1.6, 3])
def test_large_numbers_are_as_exact_as_promised(deviations: float, monkeypatch: pytest.MonkeyPatch) -> None:
    n, p, mean = 4_000_000, 0.03, 200_000.0
    of_n, of_mean = round(n * p + deviations * math.sqrt(n * p * (1 - p))), round(mean + deviations * math.sqrt(mean))
    quick = binomial_at_least(of_n, n, p), poisson_at_least(of_mean, mean)
    monkeypatch.setattr(tails, "_LARGE", math.inf)
    assert quick == pytest.approx((binomial_at_least(of_n, n, p), poisson_at_least(of_mean, mean)), abs=1e-6)
