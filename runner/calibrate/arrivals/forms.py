"""Forms of a rate fitted to arrivals: constant, by the hour of the day or week, in steps, once or again and again.

The least quasi-BIC decides. Neighbouring parts whose rates do not differ by more than chance are one. What is by chance takes
into account how much counts vary from bin to bin (quasi-likelihood: Burnham and Anderson 2002, 2.5), so that bursty arrivals do
not get a rate per burst.
"""

import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from soak.runner.calibrate.arrivals.bins import Bins, begin_of, hours_of_the_week, noise, phases_of
from soak.runner.calibrate.arrivals.source import Arrivals
from soak.schemas.evidence.arrivals import Form
from soak.schemas.stream.block import TICKS_PER_S, Floats, Ints

CELLS_OF_A_CYCLE = 60
_PERIODS_S = (300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200)
_LEAST_DAYS, _LEAST_WEEKS, _LEAST_CYCLES = 2, 2, 4
_MOST_PARTS = 500
"""A scenario has no more than 1,000 stages."""


class Fit(Struct, frozen=True):
    """A form with its rates. begins: of each part, as an hour of the day or week, a bin, or a cell of the cycle.

    edges_us, expected: times, and how many arrivals are expected between them.
    """

    form: Form
    rates_per_s: Floats
    begins: Ints
    criterion: float
    edges_us: Ints
    expected: Floats
    period_us: int = 0


def fits_of(arrivals: Arrivals, bins: Bins, zone: str) -> list[Fit]:
    """Every form that can be fitted, the best first."""
    varies, length_s = noise(bins), float(bins.length_s.sum())
    cells = [(Form.CONSTANT, np.zeros(len(bins.count), dtype=np.int64)), (Form.STAGES, np.arange(len(bins.count)))]
    if bins.by_clock:
        hours = hours_of_the_week(bins, zone)
        if length_s >= _LEAST_DAYS * 86_400:
            cells.append((Form.DAY, hours % 24))
        if length_s >= _LEAST_WEEKS * 7 * 86_400:
            cells.append((Form.WEEK, hours))
    fits = [_fit(form, cell, bins, varies) for form, cell in cells]
    cycles = list(_cycles(arrivals, bins, varies, length_s))
    if cycles:
        fits.append(min(cycles, key=lambda fit: fit.criterion))
    return sorted(fits, key=lambda fit: fit.criterion)


def _fit(form: Form, cell: Ints, bins: Bins, varies: float) -> Fit:
    cells = {Form.CONSTANT: 1, Form.DAY: 24, Form.WEEK: 168, Form.STAGES: len(bins.count)}[form]
    count, length_s = _sums(cell, bins.count, cells), _sums(cell, bins.length_s, cells)
    begins, group, rates, criterion = _parts(form, count, length_s, len(bins.count), varies)
    return Fit(form, rates, begins, criterion, bins.edges_us, rates[group[cell]] * bins.length_s)


def _cycles(arrivals: Arrivals, bins: Bins, varies: float, length_s: float) -> Iterator[Fit]:
    """A cycle of each period that comes often enough."""
    begin_us, end_us = begin_of(arrivals), int(bins.edges_us[-1])
    periods = [each * TICKS_PER_S for each in _PERIODS_S if each * _LEAST_CYCLES <= length_s]
    for period_us, count in zip(periods, phases_of(arrivals, periods, CELLS_OF_A_CYCLE), strict=True):
        cell_us = period_us // CELLS_OF_A_CYCLE
        edges = np.unique(np.append(np.arange(begin_us, end_us, cell_us), end_us))
        cell = np.arange(len(edges) - 1) % CELLS_OF_A_CYCLE
        spans_s = np.diff(edges) / TICKS_PER_S
        length_in_s = _sums(cell, spans_s, CELLS_OF_A_CYCLE)
        begins, group, rates, criterion = _parts(
            Form.CYCLE, count.astype(np.float64), length_in_s, len(bins.count), varies
        )
        yield Fit(Form.CYCLE, rates, begins, criterion, edges, rates[group[cell]] * spans_s, period_us)


def _parts(form: Form, count: Floats, length_s: Floats, bins: int, varies: float) -> tuple[Ints, Ints, Floats, float]:
    """Where parts begin among cells, the part of each cell, the rate of each part, and the criterion."""
    # Twice that of BIC for a rate, since where it begins is chosen too; of steps among all bins, of cycles their period as well.
    each = (3 if form is Form.STAGES else 2) * math.log(bins)
    begins = _merged(count, length_s, each * varies, around=form in {Form.DAY, Form.WEEK, Form.CYCLE})
    group = np.searchsorted(begins, np.arange(len(count)), side="right") - 1
    group[group < 0] = len(begins) - 1
    count, length_s = (_sums(group, values, len(begins)) for values in (count, length_s))
    rates = count / np.maximum(length_s, 1e-9)
    likelihood = float(_likelihood(count, length_s).sum())
    chosen = len(begins) + (form is Form.CYCLE)
    return begins, group, rates, -2 * likelihood / varies + each * chosen


def _sums(group: Ints, values: Floats | Ints, groups: int) -> Floats:
    return np.bincount(group, values, groups).astype(np.float64)


def _likelihood(count: Floats, length_s: Floats) -> Floats:
    """The logarithm of the likelihood of a Poisson count at its own rate, without what does not depend on the rate."""
    rate = np.divide(count, length_s, out=np.zeros_like(count, dtype=np.float64), where=length_s > 0)
    result: Floats = count * np.log(np.where(rate > 0, rate, 1.0)) - count
    return result


def _merged(count: Floats, length_s: Floats, penalty: float, *, around: bool) -> Ints:
    """Where the parts begin once neighbours have been joined, the most alike first, while what is lost is below the penalty.

    around: the last is a neighbour of the first.
    """
    begins, count, length_s = np.arange(len(count)), count.copy(), length_s.copy()
    while len(begins) > 1:
        own = _likelihood(count, length_s)
        joined = _likelihood(count[:-1] + count[1:], length_s[:-1] + length_s[1:])
        lost = 2 * (own[:-1] + own[1:] - joined)
        place = int(np.argmin(lost))
        if lost[place] > penalty and len(begins) <= _MOST_PARTS:
            break
        count[place] += count[place + 1]
        length_s[place] += length_s[place + 1]
        begins = np.delete(begins, place + 1)
        count, length_s = np.delete(count, place + 1), np.delete(length_s, place + 1)
    if around and len(begins) > 1:
        own = _likelihood(count[[0, -1]], length_s[[0, -1]])
        joined = _likelihood(count[:1] + count[-1:], length_s[:1] + length_s[-1:])
        if 2 * float(own.sum() - joined.sum()) <= penalty:
            begins = begins[1:]
    return begins
