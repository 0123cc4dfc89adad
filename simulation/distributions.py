"""Drawing from the distributions of a scenario, and their quantiles."""

from statistics import NormalDist
from typing import assert_never

import numpy as np

from soak.schemas.language.distributions import Constant, Distribution, Empirical, Exponential, LogNormal, Uniform
from soak.schemas.stream.block import Floats


def draw(distribution: Distribution, generator: np.random.Generator, count: int) -> Floats:
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
        case _:
            assert_never(distribution)


def spread(distribution: Distribution, count: int) -> Floats:
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
        case _:
            assert_never(distribution)
