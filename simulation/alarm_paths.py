"""Paths of observations that are drawn given that a condition holds at the end of one cell of a block."""

import math

import numpy as np
from msgspec import Struct

from soak.schemas.stream.block import Bools, Floats, Ints
from soak.simulation.alarm_cells import Blocks, Table, binomial_weights, poisson_rows
from soak.simulation.false_alarms import Scan
from soak.simulation.streams import Stream

_SEED = 1
_NOTHING = 1e-100
_FREQUENT = 0.03
"""From this share of the time on, in which a condition holds, paths are drawn as they come."""
_MOST_CELLS = 4_000_000
"""Cells of all paths through a block together: beyond that, fewer paths are drawn."""


class FirstHold(Struct, frozen=True):
    """The probability that a condition holds in a block and not in those that are looked back to, with its standard error."""

    probability: float
    standard_error: float

    @classmethod
    def of(cls, found: Floats, weight: float) -> "FirstHold":
        """The mean of what each path found, times `weight`."""
        # That none was found says no more than that there are fewer than one in as many.
        error = max(float(found.std()) / math.sqrt(len(found)), 0.0 if found.any() else 1 / len(found))
        return cls(weight * float(found.mean()), weight * error)


class Paths:
    """Draws paths of a run in blocks."""

    def __init__(self, scan: Scan, blocks: Blocks) -> None:
        self._scan, self._blocks = scan, blocks
        self._means = blocks.in_windows()
        most = float(self._means.max())
        self._table = Table.of(scan, math.ceil(most + 10 * math.sqrt(most)) + 30)
        distinct, self._row = np.unique(np.round(self._means, 9), return_inverse=True)
        self._numbers, self._weights = self._rows(distinct)
        self._holds: Floats = self._weights.sum(axis=1)[self._row]

    def _rows(self, means: Floats) -> tuple[Ints, Floats]:
        """For each mean: numbers of observations in the window, and how likely each is while the condition holds."""
        tail = self._table.tail
        if self._scan.load.regular:
            numbers = np.rint(means).astype(np.int64)[:, None]
            return numbers, tail[numbers]
        numbers, weights = poisson_rows(means)
        weights[means <= 0] = 0.0
        return numbers, weights * np.where(numbers < len(tail), tail[np.minimum(numbers, len(tail) - 1)], 0.0)

    def weight(self, block: int) -> float:
        """Over the cells of a block, the sum of how likely the condition holds at the end of each."""
        size = self._blocks.size
        return float(self._holds[block * size : (block + 1) * size].sum())

    def first_hold(self, block: int, number: int) -> FirstHold:
        """By at most `number` paths: given that the condition holds at the end of a cell, or any where that is frequent."""
        weight, size, first = self.weight(block), self._blocks.size, block * self._blocks.size
        if weight < _NOTHING:
            return FirstHold(0.0, 0.0)
        look = max(0, first - self._blocks.before * size)
        number = min(number, max(50, _MOST_CELLS // (first + size - look + self._blocks.window)))
        rng = Stream(_SEED, "false alarms").at(block)
        frequent = weight > _FREQUENT * size
        cells = None if frequent else self._cells(first, number, rng)
        holds = self._held(*self._drawn(cells, number, range(look, first + size), rng))
        before, during = holds[:, : first - look], holds[:, first - look :]
        fresh = ~before.any(axis=1)
        if cells is None:
            return FirstHold.of(np.where(fresh & during.any(axis=1), 1.0, 0.0), 1.0)
        counts = np.maximum(during.sum(axis=1), 1)
        chosen: Bools = holds[np.arange(number), cells - look]
        found: Floats = np.divide(chosen & fresh, counts, dtype=np.float64)
        return FirstHold.of(found, weight)

    def _cells(self, first: int, number: int, rng: np.random.Generator) -> Ints:
        """Cells of the block that begins with cell `first`, drawn by how likely the condition holds at the end of each."""
        holds = self._holds[first : first + self._blocks.size]
        shares = np.cumsum(holds) / holds.sum()
        # One for each equal part of the probability, so that no cell is left out by chance.
        places = (np.arange(number) + rng.random(number)) / number
        cells: Ints = first + np.minimum(np.searchsorted(shares, places, side="right"), np.flatnonzero(holds)[-1])
        return cells

    def _drawn(self, cells: Ints | None, number: int, span: range, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Bad observations and all of them in each cell, a row for each path; the cells of `span`, and a window before."""
        blocks, scan = self._blocks, self._scan
        first = span.start - blocks.window + 1 - blocks.held
        load = np.concatenate([np.zeros(max(0, -first)), blocks.per_cell[max(0, first) : span.stop]])
        shape = (number, len(load))
        if scan.load.regular:
            total: Ints = np.broadcast_to(load.astype(np.int64), shape)
            bad = rng.binomial(total, scan.bad)
        else:
            bad = rng.poisson(load * scan.bad, shape)
            total = bad + rng.poisson(load * (1 - scan.bad), shape)
        if cells is not None:
            inside = (cells - first)[:, None] - np.arange(blocks.window - 1, -1, -1)
            self._draw_windows(cells, inside, load[inside], (bad, total), rng)
        return bad, total

    def _draw_windows(
        self, cells: Ints, inside: Ints, load: Floats, drawn: tuple[Ints, Ints], rng: np.random.Generator
    ) -> None:
        """Draw anew what is `inside` the window that ends with each cell, given that the condition holds at its end."""
        bad, total = drawn
        number, bad_number = self._window(cells, rng)
        if self._scan.load.regular:
            rows = zip(load.astype(np.int64), bad_number.tolist(), strict=True)
            chosen = [rng.multivariate_hypergeometric(row, count) for row, count in rows]
            np.put_along_axis(bad, inside, np.array(chosen), axis=1)
            return
        shares = load / load.sum(axis=1, keepdims=True)
        bad_parts, good_parts = rng.multinomial(bad_number, shares), rng.multinomial(number - bad_number, shares)
        np.put_along_axis(bad, inside, bad_parts, axis=1)
        np.put_along_axis(total, inside, bad_parts + good_parts, axis=1)

    def _window(self, cells: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Observations and bad ones in the window that ends with each cell, given that the condition holds."""
        rows = self._row[cells]
        column = _picked(self._weights[rows], rng)
        number = self._numbers[rows, column]
        least = np.maximum(self._table.least[number], 0)
        return number, least + _picked(binomial_weights(least, number, self._scan.bad), rng)

    def _held(self, bad: Ints, total: Ints) -> Bools:
        """Whether the condition holds, and has held for as long as it must, at the end of each cell."""
        number, among = self._in_windows(total), self._in_windows(bad)
        least = self._table.least[np.minimum(number, len(self._table.least) - 1)]
        holds: Bools = (number >= self._scan.min_samples) & (among >= least) & (number > 0)
        held = self._blocks.held
        if not held:
            return holds
        count = np.cumsum(holds, axis=1)
        count = np.concatenate([np.zeros((len(count), 1), dtype=count.dtype), count], axis=1)
        whole: Bools = count[:, held + 1 :] - count[:, : -held - 1] == held + 1
        return whole

    def _in_windows(self, per_cell: Ints) -> Ints:
        """Sums over the window that ends with each cell, from the first for which it is whole."""
        count = np.cumsum(per_cell, axis=1)
        count = np.concatenate([np.zeros((len(count), 1), dtype=count.dtype), count], axis=1)
        sums: Ints = count[:, self._blocks.window :] - count[:, : -self._blocks.window]
        return sums


def _picked(weights: Floats, rng: np.random.Generator) -> Ints:
    """A column of each row, drawn with these weights."""
    sums = np.cumsum(weights, axis=1)
    places = rng.random(len(weights))[:, None] * sums[:, -1:]
    picked: Ints = np.minimum((sums <= places).sum(axis=1), weights.shape[1] - 1)
    return picked
