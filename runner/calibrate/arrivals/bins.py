"""Arrivals counted in equal bins of time, and what part of the day or week each bin is in."""

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct

from soak.runner.calibrate.arrivals.source import Arrivals
from soak.schemas.stream.block import TICKS_PER_S, Floats, Ints

QUARTER_US = 900 * TICKS_PER_S
DAY_US = 86_400 * TICKS_PER_S
_ROWS_PER_BIN, _FEWEST, _MOST = 20, 10, 2_000
_MONDAY_DAYS = 4
"""1970-01-05 was a Monday."""
_ENOUGH, _MEDIAN_OF_CHI_SQUARED = 10.0, 0.4549364231195725


class Bins(Struct, frozen=True):
    """edges_us: of bins, one after the other; count: arrivals in each. by_clock: whether they are quarters of hours."""

    edges_us: Ints
    count: Ints
    by_clock: bool

    @property
    def length_s(self) -> Floats:
        """How long each bin is, in seconds: the first and last are cut where arrivals begin and end."""
        return np.diff(self.edges_us) / TICKS_PER_S


def bins_of(arrivals: Arrivals) -> tuple[Bins, int]:
    """The bins, and the greatest number of microseconds that every time is a multiple of."""
    by_clock = arrivals.clock and arrivals.last_us - arrivals.first_us >= 2 * DAY_US
    begin_us, end_us = begin_of(arrivals), arrivals.last_us + 1
    if by_clock:
        first = arrivals.first_us // QUARTER_US + 1
        inner = np.arange(first, -(-end_us // QUARTER_US)) * QUARTER_US
        edges = np.unique(np.concatenate([[arrivals.first_us], inner, [end_us]]))
    else:
        wanted = int(np.clip(arrivals.count / _ROWS_PER_BIN, _FEWEST, _MOST))
        edges = np.unique(np.linspace(begin_us, end_us, wanted + 1).astype(np.int64))
    count, resolution = np.zeros(len(edges) - 1, dtype=np.int64), 0
    for time_us in arrivals.times():
        place = np.searchsorted(edges, time_us, side="right") - 1
        count += np.bincount(place, minlength=len(count))
        resolution = int(np.gcd.reduce(time_us, initial=resolution))
    return Bins(edges, count, by_clock), max(1, resolution)


def begin_of(arrivals: Arrivals) -> int:
    """Time 0 of the load: the first arrival; 0 where times count from the start."""
    return arrivals.first_us if arrivals.clock else min(0, arrivals.first_us)


def phases_of(arrivals: Arrivals, periods_us: Sequence[int], cells: int) -> list[Ints]:
    """Arrivals by the part of a period that they come in, for each of several periods; each has that many equal parts."""
    begin_us, counts = begin_of(arrivals), [np.zeros(cells, dtype=np.int64) for _ in periods_us]
    for time_us in arrivals.times() if periods_us else ():
        for place, period_us in enumerate(periods_us):
            counts[place] += np.bincount((time_us - begin_us) % period_us * cells // period_us, minlength=cells)
    return counts


def hours_of_the_week(bins: Bins, zone: str) -> Ints:
    """The hour of the week in which each bin begins, 0 for midnight on Monday, by the clock of the zone."""
    local = np.empty(len(bins.count), dtype=np.int64)
    begin_s = bins.edges_us[:-1] // TICKS_PER_S
    # The offset is asked for once a quarter of an hour, since it changes at those only.
    quarters, which = np.unique(begin_s // 900, return_inverse=True)
    where = ZoneInfo(zone)
    shifts = [_shift_s(quarter * 900, where) for quarter in quarters.tolist()]
    local = begin_s + np.array(shifts, dtype=np.int64)[which]
    return (local // 3600 - _MONDAY_DAYS * 24) % 168


def _shift_s(moment_s: int, zone: ZoneInfo) -> int:
    shift = datetime.fromtimestamp(moment_s, UTC).astimezone(zone).utcoffset()
    assert shift is not None
    return int(shift.total_seconds())


def noise(bins: Bins) -> float:
    """By how much counts vary more than those of a Poisson process, from neighbours: a rate that changes slowly adds little.

    The difference of two Poisson counts has the variance of their sum. The median leaves out the few places where the rate jumps.
    """
    count = bins.count.astype(np.float64)
    both, apart = count[:-1] + count[1:], np.diff(count)
    alike = (np.abs(bins.length_s[1:] / bins.length_s[:-1] - 1) < 0.01) & (both > 0)
    if not alike.any():
        return 1.0
    both, apart = both[alike], apart[alike]
    if float(np.median(both)) >= _ENOUGH:
        return max(1.0, float(np.median(apart**2 / both)) / _MEDIAN_OF_CHI_SQUARED)
    return max(1.0, float((apart**2).sum() / both.sum()))
