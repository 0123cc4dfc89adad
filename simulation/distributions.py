"""Drawing from the distributions of a scenario, and their quantiles."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import assert_never

import numpy as np

from soak.schemas.language.distributions import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    LogNormal,
    Mixture,
    ServiceTime,
    Uniform,
)
from soak.schemas.stream.block import Floats


def draw(distribution: ServiceTime, generator: np.random.Generator, count: int) -> Floats:
    """`count` independent durations in seconds."""
    match distribution:
        case Constant(value_s):
            return np.full(count, value_s)
        case Exponential(mean_s):
            return generator.exponential(mean_s, count)
        case Uniform(low_s, high_s):
            return generator.uniform(low_s, high_s, count)
        case LogNormal(median_s, _):
            return median_s * np.exp(distribution.sigma * generator.standard_normal(count))
        case Empirical(_, values_s):
            return np.asarray(values_s)[generator.integers(0, len(values_s), count)]
        case Mixture(parts):
            drawn = np.stack([draw(part, generator, count) for _, part in parts])
            which = np.searchsorted(_edges(parts), generator.random(count), side="right")
            return drawn[which, np.arange(count)]
        case _:
            assert_never(distribution)


def spread(distribution: ServiceTime, count: int) -> Floats:
    """`count` durations in seconds, ascending, that stand for the distribution: the quantiles in the middle of equal parts."""
    shares = (np.arange(count) + 0.5) / count
    match distribution:
        case Constant(value_s):
            return np.full(count, value_s)
        case Exponential(mean_s):
            exponential: Floats = -mean_s * np.log1p(-shares)
            return exponential
        case Uniform(low_s, high_s):
            return low_s + (high_s - low_s) * shares
        case LogNormal(median_s, _):
            normal = np.array([NormalDist().inv_cdf(share) for share in shares.tolist()])
            return median_s * np.exp(distribution.sigma * normal)
        case Empirical(_, values_s):
            return np.sort(values_s)[(shares * len(values_s)).astype(np.int64)]
        case Mixture(parts):
            counts = np.diff(np.rint(np.array([0.0, *_edges(parts), 1.0]) * count).astype(np.int64)).tolist()
            return np.sort(np.concatenate([spread(part, n) for (_, part), n in zip(parts, counts, strict=True)]))
        case _:
            assert_never(distribution)


def _edges(parts: Sequence[tuple[float, Distribution]]) -> Floats:
    """Where the shares of the parts meet, without 0 and 1."""
    edges: Floats = np.cumsum([share for share, _ in parts])[:-1]
    return edges
