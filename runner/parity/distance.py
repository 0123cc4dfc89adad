"""The distance between two distributions of latency."""

import numpy as np

from soak.schemas.stream.block import Floats


def kolmogorov_smirnov(one: Floats, other: Floats, shift: float = 0.0) -> float:
    """The two-sample Kolmogorov-Smirnov distance of two ascending samples: `sup |F(x) - G(x)|`, F and G their ECDFs.

    With a `shift`, the part of it that is left when every value may be off by as much: the larger of
    `sup F(x) - G(x + shift)` and `sup G(x) - F(x + shift)`, at least 0. NaN for an empty sample.

    Source: N. V. Smirnov 1939; W. J. Conover, Practical Nonparametric Statistics, 3rd ed. 1999, section 6.3; the statistic
    of `scipy.stats.ks_2samp`. The shift is that of the Levy metric.
    """
    if not len(one) or not len(other):
        return float("nan")
    return max(_excess(one, other, shift), _excess(other, one, shift), 0.0)


def _excess(one: Floats, other: Floats, shift: float) -> float:
    """How far the ECDF of `one` is above that of `other` moved back by `shift`, at most: it is largest at a jump of `one`."""
    above = np.searchsorted(one, one, side="right") / len(one)
    return float((above - np.searchsorted(other, one + shift, side="right") / len(other)).max())
