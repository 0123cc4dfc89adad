"""Forms of a rate fitted to counts: constant, by the hour of the day or week, in steps; the least quasi-BIC decides.

Neighbouring parts whose rates do not differ by more than chance are one. What is by chance takes into account how much counts
vary from bin to bin (quasi-likelihood: Burnham and Anderson 2002, 2.5), so that bursty arrivals do not get a rate per burst.
"""

import math
from dataclasses import dataclass

import numpy as np

from soak.runner.calibrate.arrivals.bins import Bins, hours_of_the_week, noise
from soak.schemas.evidence.arrivals import Form
from soak.schemas.stream.block import Floats, Ints

_LEAST_DAYS, _LEAST_WEEKS = 2, 2


@dataclass(frozen=True, slots=True)
class Fit:
    """A form with its rates. part: that of each bin. begins: of each part, as an hour of the day or week, or as a bin."""

    form: Form
    rates_per_s: Floats
    part: Ints
    begins: Ints
    criterion: float

    def expected(self, bins: Bins) -> Floats:
        """Expected arrivals in each bin."""
        return self.rates_per_s[self.part] * bins.length_s


def fits_of(bins: Bins, zone: str) -> list[Fit]:
    """Every form that can be fitted, the best first."""
    varies = noise(bins)
    cells = [(Form.CONSTANT, np.zeros(len(bins.count), dtype=np.int64)), (Form.STAGES, np.arange(len(bins.count)))]
    if bins.by_clock:
        days = float(bins.length_s.sum()) / 86_400
        hours = hours_of_the_week(bins, zone)
        if days >= _LEAST_DAYS:
            cells.append((Form.DAY, hours % 24))
        if days >= 7 * _LEAST_WEEKS:
            cells.append((Form.WEEK, hours))
    fits = [_fit(form, cell, bins, varies) for form, cell in cells]
    return sorted(fits, key=lambda fit: fit.criterion)


def _fit(form: Form, cell: Ints, bins: Bins, varies: float) -> Fit:
    cells = {Form.CONSTANT: 1, Form.DAY: 24, Form.WEEK: 168, Form.STAGES: len(bins.count)}[form]
    count = _sums(cell, bins.count, cells)
    length_s = _sums(cell, bins.length_s, cells)
    # Twice that of BIC for a rate, since where it begins is chosen too; of steps among all bins.
    each = (3 if form is Form.STAGES else 2) * math.log(len(bins.count))
    begins = _merged(count, length_s, each * varies, around=form in {Form.DAY, Form.WEEK})
    group = np.searchsorted(begins, np.arange(cells), side="right") - 1
    group[group < 0] = len(begins) - 1
    count, length_s = (_sums(group, each, len(begins)) for each in (count, length_s))
    rates = count / np.maximum(length_s, 1e-9)
    likelihood = float(_likelihood(count, length_s).sum())
    return Fit(form, rates, group[cell], begins, -2 * likelihood / varies + each * len(begins))


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
        if lost[place] > penalty:
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
