"""Does a generalised Pareto distribution fit, and are peaks independent and spread over the run? Each answer is a p-value."""

import math

import numpy as np

from soak.runner.judge.pareto import Pareto
from soak.schemas.stream.block import Floats, Ints

_P = (0.9, 0.75, 0.5, 0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001)
_SHAPES = (-0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
_CRITICAL = np.array(
    [
        [0.238, 0.32, 0.457, 0.67, 0.959, 1.187, 1.424, 1.77, 2.024, 2.66],
        [0.233, 0.312, 0.444, 0.649, 0.928, 1.141, 1.367, 1.683, 1.934, 2.527],
        [0.228, 0.305, 0.432, 0.625, 0.885, 1.099, 1.319, 1.608, 1.835, 2.369],
        [0.223, 0.297, 0.418, 0.604, 0.848, 1.045, 1.253, 1.532, 1.72, 2.227],
        [0.218, 0.289, 0.407, 0.586, 0.823, 1.016, 1.206, 1.487, 1.69, 2.14],
        [0.213, 0.283, 0.395, 0.562, 0.785, 0.959, 1.142, 1.419, 1.581, 2.001],
        [0.21, 0.274, 0.384, 0.549, 0.762, 0.929, 1.099, 1.339, 1.551, 2.02],
        [0.206, 0.27, 0.374, 0.534, 0.741, 0.896, 1.07, 1.295, 1.472, 1.892],
        [0.204, 0.266, 0.368, 0.518, 0.719, 0.873, 1.034, 1.26, 1.423, 1.869],
        [0.2, 0.261, 0.361, 0.508, 0.7, 0.845, 1.003, 1.224, 1.384, 1.74],
        [0.198, 0.259, 0.357, 0.501, 0.689, 0.834, 0.972, 1.182, 1.347, 1.666],
        [0.198, 0.257, 0.351, 0.491, 0.675, 0.818, 0.965, 1.158, 1.315, 1.684],
        [0.194, 0.253, 0.347, 0.485, 0.663, 0.796, 0.931, 1.129, 1.277, 1.604],
        [0.193, 0.25, 0.341, 0.476, 0.646, 0.78, 0.92, 1.117, 1.272, 1.64],
    ]
)
"""Anderson-Darling's statistic that is passed with each probability of _P, for each shape of _SHAPES.

Two parameters are fitted. From 50,000 samples of 400 for each shape: within 4 % of table 2 of Choulakian and Stephens (2001),
which is asymptotic, for shapes from -0.2 on, and some 10 % below it at -0.5.
"""

_LARGEST, _CLOSE = (10, 20, 40), 0.05
_TOP = 10
"""Gaps among that many of the largest values are looked at by themselves."""


def anderson_darling(fit: Pareto) -> float:
    """The p-value of Anderson-Darling's test of a fitted generalised Pareto distribution, from 0.001 to 0.9.

    Choulakian and Stephens (2001). The critical values are good from 50 observations on.
    """
    survival, count = fit.log_survival(), len(fit.excesses)
    below = np.log(np.maximum(-np.expm1(survival), 1e-300))
    odd = 2 * np.arange(1, count + 1) - 1
    statistic = -count - float((odd * (below + survival[::-1])).sum()) / count
    shape = min(max(fit.shape, _SHAPES[0]), _SHAPES[-1])
    row = [float(np.interp(shape, _SHAPES, column)) for column in _CRITICAL.T]
    return math.exp(float(np.interp(statistic, row, np.log(_P))))


def largest_gap(fit: Pareto) -> float:
    """The p-value of the largest gap between neighbouring values: a small one says that values come in groups.

    On the scale on which the fit is exponential, the gap below the i-th largest times i is exponential again (Renyi 1953).
    """
    steps = np.diff(-fit.log_survival(), prepend=0.0) * np.arange(len(fit.excesses), 0, -1)
    return min(1.0, 2 * min(_of_largest(steps[-_TOP:]), _of_largest(steps[:-_TOP])))


def _of_largest(steps: Floats) -> float:
    """Probability that the largest of as many unit exponential variables is at least as large."""
    below = math.log1p(-math.exp(-max(float(steps.max()), 1e-12)))
    return -math.expm1(len(steps) * below)


def clumping(peaks: Floats, places: Ints, samples: int) -> float:
    """The p-value that the largest peaks are as independent of each other as all are, from the distances between them.

    Of the distances between m independent places among `samples`, a share of 1 - exp(-x) is below x * samples / m (exponential
    spacings); it is counted for the 10, 20 and 40 largest, and the smallest of the three p-values is given.
    """
    close, found = -math.expm1(-_CLOSE), 1.0
    for most in _LARGEST:
        top = np.sort(places[np.argsort(-peaks, kind="stable")[:most]])
        count = int((np.diff(top) < _CLOSE * samples / most).sum())
        steps = len(top) - 1
        terms = [math.comb(steps, j) * close**j * (1 - close) ** (steps - j) for j in range(count, steps + 1)]
        found = min(found, math.fsum(terms))
    return found


def evenness(times: Floats, begin: float, end: float) -> float:
    """The p-value of Kolmogorov's test that ascending `times` are uniform from `begin` to `end` (Stephens 1970)."""
    count = len(times)
    share = np.clip((times - begin) / (end - begin), 0.0, 1.0)
    step = np.arange(count) / count
    distance = float(max((share - step).max(), (step + 1 / count - share).max()))
    scaled = (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count)) * distance
    total = sum((1 if j % 2 else -1) * math.exp(-2 * (j * scaled) ** 2) for j in range(1, 101))
    return min(1.0, max(0.0, 2 * total))
