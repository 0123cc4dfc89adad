"""How likely a condition over a sliding window holds at some time of a run, in a system that is exactly at its objective.

The run is cut into cells of time, of which a window has some hundred, and into blocks that are no longer than a window. The
chance that the condition holds first in a block is a sum over its cells j, P(A_j) E[1 / N | A_j], in which A_j is the event that
it holds at the end of the cell and N the number of cells of the block at which it does, with 1 / N = 0 where it held before the
block (Naiman and Priebe 2001: importance sampling for scan statistics). P(A_j) is summed exactly, the expectation is a mean over
seeded paths that are drawn given A_j. So a chance of one in a million takes as many paths as one in two. The blocks of a run are
chained by the product-type approximation (Naus 1982; Haiman 2000): that the condition did not hold counts for two windows. The
first window, in which nothing leaves it, is exact: a random walk that is stopped.
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Floats
from soak.simulation.alarm_cells import Blocks, Walk, least_bad, log_poisson
from soak.simulation.alarm_paths import FirstHold, Paths
from soak.simulation.false_alarms import Scan, at_least

PATHS, CELLS = 1500, 300
_LONG_WINDOW, _LONG_RUN = 100_000, 5_000_000
"""Observations of a window, and of a run without one, beyond which nothing is computed."""
_COARSE = 0.03
"""A standard error from which on it is computed again, by four times as many paths."""
_VAGUE = 0.1
_SURE = 1e-9
_WIDE = 7.0
"""Standard deviations of a Poisson number that are summed over."""


class NotComputedError(Exception):
    """The chance cannot be computed: the message says why."""


class Chance(Struct, frozen=True):
    """A probability and its standard error, from the simulation of paths."""

    probability: float
    standard_error: float


def chance(scan: Scan, paths: int = PATHS, cells: int = CELLS) -> Chance:
    """How likely the condition holds at some time. Deterministic. Raises NotComputedError."""
    whole = not scan.for_s and scan.window_s >= scan.load.length_s
    if scan.most > _LONG_RUN if whole else is_too_long(scan):
        raise NotComputedError("a window holds too many observations to compute it")
    if whole:
        return Chance(_early(scan, scan.load.length_s), 0.0)
    blocks = Blocks.of(scan, cells)
    found = _chained(scan, blocks, paths)
    if _COARSE < found.standard_error <= _VAGUE:
        found = _chained(scan, blocks, 4 * paths)
    if found.standard_error > _VAGUE:
        raise NotComputedError("that it holds for as long as it must is too rare to compute it")
    return Chance(max(found.probability, at_least(scan)), found.standard_error)


def is_too_long(scan: Scan) -> bool:
    """Whether its windows hold more observations than can be looked at."""
    return scan.most > _LONG_WINDOW


# The first window.


def _early(scan: Scan, until_s: float) -> float:
    """How likely the condition holds by then, before any observation has left the window.

    The number of bad ones only grows: among observations with which as many bad ones are enough, the condition holds at some
    time if it does after the last of them.
    """
    mean = scan.load.expected(until_s)
    most = scan.load.counted(until_s) if scan.load.regular else math.ceil(mean + _WIDE * math.sqrt(mean))
    trials = _after_which_nothing(scan, most)
    if trials < scan.min_samples:
        return 0.0
    least = least_bad(scan.rule, trials)
    last = np.append(least[1:] != least[:-1], np.True_)
    # There may be fewer observations than that: a run ends within such a stretch at a place that is known well enough.
    last[:: max(1, math.floor(math.sqrt(mean) / 8))] = True
    steps = np.flatnonzero(last)
    reached = np.ones(trials + 1) if scan.load.regular else _poisson_from(trials, mean)
    total, walk, made = 0.0, Walk(scan.bad), 0
    for n in [scan.min_samples, *steps[steps > scan.min_samples].tolist()]:
        total += walk.stopped(n - made, int(least[n])) * float(reached[n])
        made = n
    return min(1.0, total)


def _after_which_nothing(scan: Scan, most: int) -> int:
    """A number of observations from which on the condition hardly begins to hold: Chernoff's bound, summed."""
    n = max(2, scan.min_samples)
    while n < most:
        share = scan.rule.least_bad(n) / n
        if share <= scan.bad:
            return most
        gain = _divergence(min(share, 1.0), scan.bad)
        if gain and n >= math.log(1 / (_SURE * gain)) / gain:
            return n
        n *= 2
    return most


def _divergence(a: float, b: float) -> float:
    """Kullback and Leibler's, of two shares."""
    return (a * math.log(a / b) if a else 0.0) + ((1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0)


def _poisson_from(top: int, mean: float) -> Floats:
    """How likely a Poisson number is n or more, of n from 0 to `top`."""
    last = max(top, math.ceil(mean + _WIDE * math.sqrt(mean))) + 10
    weights = np.exp(log_poisson(np.arange(last), np.array(mean)))
    at_least: Floats = np.cumsum(weights[::-1])[::-1][: top + 1]
    return at_least


# Blocks.


def _chained(scan: Scan, blocks: Blocks, paths: int) -> Chance:
    """From the chance of each block, and the standard error from that of each by the delta method."""
    made, times = Paths(scan, blocks), blocks.times
    share = [made.weight(block) * count for block, count in enumerate(times)]
    keys = [blocks.pattern(block) for block in range(len(times))]
    found: dict[bytes, FirstHold] = {}
    for block, key in enumerate(keys):
        if key not in found:
            # Blocks that matter more get more paths.
            number = max(paths // 10, math.ceil(paths * share[block] / (sum(share) or 1.0)))
            found[key] = made.first_hold(block, number)
    early = None if scan.for_s else _early(scan, blocks.size * blocks.cell_s)
    firsts = [found[key].probability for key in keys]
    survives = _survival(firsts, times, blocks.before, early)
    variance = 0.0
    for key, each in found.items():
        changed = [first + each.standard_error * (own == key) for first, own in zip(firsts, keys, strict=True)]
        variance += (_survival(changed, times, blocks.before, early) - survives) ** 2
    return Chance(1 - survives, math.sqrt(variance))


def _survival(firsts: Sequence[float], times: Sequence[float], before: int, early: float | None) -> float:
    """How likely the condition never holds.

    firsts: of each block, the chance that it holds there and not in the `before` blocks before; divided by the chance that it
    does not hold in these it is a hazard. times: how often the block comes. early: the chance of the first one, where known.
    """
    hazards: list[float] = []
    survives = 1.0
    for block, (first, count) in enumerate(zip(firsts, times, strict=True)):
        still = math.prod(1 - each for each in hazards[max(0, block - before) :])
        hazards.append(min(1.0, first / still) if still > _SURE else 1.0)
        survives *= (1 - (early if early is not None and block == 0 else hazards[-1])) ** count
    return survives
