"""A run in cells of time and blocks of cells, and in how many ways a condition holds over a window of cells."""

import math

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Floats, Ints
from soak.simulation.false_alarms import Rule, Scan

_WIDE = 7.0
"""Standard deviations of a number that are summed over."""
_HELD_CELLS = 10
"""Cells of the time that a condition has to hold, at least, of a window of no more than `_MOST_CELLS`."""
_MOST_CELLS = 1000
_ROUNDING = 1e-6
_NEGLIGIBLE = 1e-14
_MANY, _PARTS, _NEARLY = 200, 2, 0.1
"""From more than that many phases on, loads whose two halves differ by less than a tenth are taken to be the same."""


class Blocks(Struct, frozen=True):
    """A run in cells and blocks.

    cell_s: length of a cell. window, size, held: cells of a window, of a block, and over which the condition has to hold.
    before: blocks that are looked back to. per_cell: expected observations in each cell (if regular: their number) of the
    blocks to simulate, which are the first `before` and one for each phase of the period. number: blocks of the run.
    """

    cell_s: float
    window: int
    size: int
    held: int
    before: int
    phases: int
    number: float
    per_cell: Floats

    @classmethod
    def of(cls, scan: Scan, cells: int) -> "Blocks":
        """Blocks of at most a window with about `cells` cells in it, in step with the period of the load."""
        load, period_s = scan.load, scan.load.period_s
        cell_s = scan.window_s / cells
        if scan.for_s:
            cell_s = min(cell_s, max(scan.for_s / _HELD_CELLS, scan.window_s / _MOST_CELLS))
        phases, span_s = 1, scan.window_s
        if period_s > scan.window_s:
            phases = math.ceil(period_s / scan.window_s)
            span_s = period_s / phases
        elif period_s:
            span_s = period_s * math.floor(scan.window_s / period_s)
        window, held = round(scan.window_s / cell_s), round(scan.for_s / cell_s)
        size = max(1, round(min(span_s, load.length_s) / cell_s))
        before = math.ceil((2 * window + held) / size)
        number = load.length_s / (size * cell_s)
        simulated = min(math.ceil(number - _ROUNDING), before + phases)
        edges_s: Floats = np.linspace(0.0, simulated * size * cell_s, simulated * size + 1)
        integral = load.expected(edges_s)
        if load.regular:
            # The first comes at once, and none at the end.
            counted = np.minimum(np.floor(integral + _ROUNDING) + 1, load.counted(load.length_s))
            integral = np.concatenate([np.zeros(1), counted[1:]])
        per_cell = np.diff(integral)
        # Where the rate is 0, rounding leaves something that may be negative.
        per_cell = np.where(per_cell > _NEGLIGIBLE * integral[-1], per_cell, 0.0)
        return cls(cell_s, window, size, held, before, phases, number, per_cell)

    @property
    def times(self) -> list[float]:
        """How often each simulated block comes in the run; the last one in part."""
        simulated, whole = len(self.per_cell) // self.size, math.floor(self.number + _ROUNDING)
        rest = max(0.0, self.number - whole)
        first = [min(1.0, self.number - block) for block in range(min(self.before, simulated))]
        later = [
            math.ceil((whole - self.before - phase) / self.phases)
            + (rest if (whole - self.before) % self.phases == phase else 0.0)
            for phase in range(simulated - len(first))
        ]
        return [*first, *later]

    def pattern(self, block: int) -> bytes:
        """Equal for blocks to which, and to what is looked back to, the same load comes; of very many blocks nearly the same."""
        first = (block - self.before) * self.size - self.window - self.held
        part = self.per_cell[max(0, first) : (block + 1) * self.size]
        if self.phases > _MANY:
            means = [each.mean() for each in np.array_split(part, _PARTS) if len(each)]
            part = np.rint(np.log(np.maximum(means, 1e-9)) / _NEARLY)
        return np.round(part, 9).tobytes() + str(min(0, first)).encode()

    def in_windows(self) -> Floats:
        """Expected observations in the window that ends with each cell."""
        total = np.concatenate([np.zeros(self.window), np.cumsum(self.per_cell)])
        windows: Floats = total[self.window :] - total[: len(self.per_cell)]
        # What rounding leaves of nothing is nothing.
        return np.where(windows > _ROUNDING, windows, 0.0)


class Table(Struct, frozen=True):
    """Of each number of observations n: the least number of bad ones with which a condition holds, and how likely it is."""

    least: Ints
    tail: Floats

    @classmethod
    def of(cls, scan: Scan, top: int) -> "Table":
        """For n from 0 to `top`."""
        least = least_bad(scan.rule, top)
        n = np.arange(top + 1)
        tail = np.where(n >= scan.min_samples, binomial_from(least, n, scan.bad), 0.0)
        tail[0] = 0.0
        return cls(least, tail)


def least_bad(rule: Rule, top: int) -> Ints:
    """`Rule.least_bad` of every n from 0 to `top`; without observations none are enough."""
    n = np.arange(1, top + 1)
    if rule.q is not None:
        least = n - np.maximum(1, np.ceil(rule.q * n - 1e-9)).astype(np.int64) + 1
    else:
        share = 1 - rule.target if rule.good_counts else rule.target
        low = np.maximum(0, np.floor(share * n).astype(np.int64) - 1)
        least = n + 1
        for bad in (low + 3, low + 2, low + 1, low):
            value = (n - bad if rule.good_counts else bad) / n
            least = np.where((bad <= n) & np.asarray(rule.op.holds(value, rule.target)), bad, least)
    return np.concatenate([[1], least])


def binomial_from(least: Ints, n: Ints, bad: float) -> Floats:
    """How likely `least` or more of `n` are bad, for each: the shorter tail is summed, from its largest term on."""
    upper = least > n * bad
    start = np.where(upper, least, least - 1)
    inside = (start >= 0) & (start <= n)
    factorials = log_factorials(int(n[-1]) + 1)
    k = np.where(inside, start, 0)
    term = np.where(inside, np.exp(_log_binomial(k, n, bad, factorials)), 0.0)
    total, odds = term.copy(), bad / (1 - bad)
    while np.any(term > total * 1e-10):
        # Towards more bad ones in the upper tail, towards fewer in the lower.
        ratio = np.where(upper, (n - k) / (k + 1) * odds, k / (n - k + 1) / odds)
        term *= np.maximum(ratio, 0.0)
        total += term
        k = np.clip(np.where(upper, k + 1, k - 1), 0, n)
    return np.clip(np.where(upper, total, 1 - total), 0.0, 1.0)


def _log_binomial(k: Ints, n: Ints, bad: float, factorials: Floats) -> Floats:
    ways: Floats = factorials[n] - factorials[k] - factorials[n - k]
    logarithms: Floats = ways + k * math.log(bad) + (n - k) * math.log1p(-bad)
    return logarithms


def binomial_weights(least: Ints, n: Ints, bad: float) -> Floats:
    """How likely `least`, `least` + 1, … of `n` are bad: a row for each."""
    farthest = np.maximum(n * bad + _WIDE * np.sqrt(n * bad) + 20 - least, 20).max()
    k = least[:, None] + np.arange(math.ceil(farthest))
    inside = k <= n[:, None]
    weights: Floats = np.where(
        inside,
        np.exp(_log_binomial(np.minimum(k, n[:, None]), n[:, None], bad, log_factorials(int(n.max()) + 1))),
        0.0,
    )
    return weights


class Walk:
    """The number of bad observations among all so far: how likely each is, while the walk has not been stopped."""

    def __init__(self, bad: float) -> None:
        self._bad, self._first, self._alive = bad, 0, np.ones(1)
        self._known: dict[int, tuple[int, Floats]] = {}

    def stopped(self, more: int, least: int) -> float:
        """How likely it is stopped after `more` observations: where there are at least `least` bad ones."""
        first, steps = self._steps(more)
        alive = np.convolve(self._alive, steps)
        self._first += first
        keep = max(0, least - self._first)
        stopped, self._alive = float(alive[keep:].sum()), alive[:keep]
        likely = np.flatnonzero(self._alive > _NEGLIGIBLE)
        if len(likely):
            self._first += int(likely[0])
            self._alive = self._alive[likely[0] : likely[-1] + 1]
        else:
            self._alive = np.zeros(1)
        return stopped

    def _steps(self, more: int) -> tuple[int, Floats]:
        """How likely each number of bad ones among `more` is, and the first of these numbers; often asked for the same."""
        if more not in self._known:
            number = np.array([more])
            steps = np.exp(_log_binomial(np.arange(more + 1), number, self._bad, log_factorials(more)))
            likely = np.flatnonzero(steps > _NEGLIGIBLE)
            self._known[more] = int(likely[0]), steps[likely[0] : likely[-1] + 1]
        return self._known[more]


def log_factorials(top: int) -> Floats:
    """ln n! for n from 0 to `top`."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, top + 1)))])


def log_poisson(n: Ints, mean: Floats) -> Floats:
    """Logarithm of how likely a Poisson number of each mean is `n`; means above 0."""
    logarithms: Floats = n * np.log(mean) - mean - log_factorials(int(n.max()))[n]
    return logarithms


def poisson_rows(mean: Floats) -> tuple[Ints, Floats]:
    """For each mean a row of numbers that hold nearly all of a Poisson distribution, and how likely each is."""
    first = np.maximum(0, np.floor(mean - _WIDE * np.sqrt(mean)).astype(np.int64))
    width = math.ceil(2 * _WIDE * math.sqrt(mean.max())) + 12
    n = first[:, None] + np.arange(width)
    return n, np.exp(log_poisson(n, np.maximum(mean, 1e-300)[:, None]))
