"""An arrival rate in linear pieces, with arrivals at set times beside it.

NumPy is not needed for single times, so that a scenario can be checked without loading it.
"""

import math
from bisect import bisect_right
from itertools import accumulate
from typing import Any, cast

from soak.schemas.language.model import Piece, Workload
from soak.simulation.rate import Number

_STEPS = 12
"""A ramp is taken for that many constant rates where one is needed."""
_BUSIEST = 0.95
"""Of the highest rate: what counts as a peak where no burst is."""


class ShapedRate:
    """The rate of a workload with a shape, or with arrivals at set times. After the last piece its last rate goes on."""

    def __init__(self, workload: Workload) -> None:
        shape, rate = workload.shape, workload.rate_per_s
        assert shape or not workload.burst
        pieces = shape.pieces if shape else ()
        self._end_s, last_per_s = (pieces[-1].end_s, pieces[-1].to_per_s) if pieces else (0.0, rate)
        self._pieces = (*pieces, Piece(self._end_s, math.inf, last_per_s, last_per_s))
        self._starts = [piece.start_s for piece in self._pieces]
        self._slopes = [_slope(piece) for piece in self._pieces]
        sums = accumulate((_mass(piece) for piece in self._pieces[:-1]), initial=0.0)
        self._before = list(sums)
        """Arrivals by the rate expected before each piece."""
        arrivals = sorted((t_s, each.count) for each in workload.scheduled for t_s in each.times_s)
        self._set_times = [t_s for t_s, _ in arrivals]
        self._set_counts = [0, *accumulate(count for _, count in arrivals)]
        self._mean_per_s, self._has_bursts = rate, bool(shape and shape.bursts)
        self._cycle_s = shape.cycle_s if shape else 0.0

    @property
    def mean_per_s(self) -> float:
        """Arrivals per second over the run, those at set times left out."""
        return self._mean_per_s

    @property
    def highest_per_s(self) -> float:
        """The highest rate at any time, arrivals at set times left out."""
        return max(max(piece.from_per_s, piece.to_per_s) for piece in self._pieces)

    @property
    def cycle_s(self) -> float:
        """See `ArrivalRate`."""
        return self._cycle_s or self._end_s

    def at(self, t_s: Number) -> Number:
        """Arrivals per second at each time, arrivals at set times left out."""
        place = self._place(t_s)
        piece_s, slope, first = (self._pick(values, place) for values in (self._starts, self._slopes, self._firsts))
        rate: Number = first + slope * (t_s - piece_s)
        return rate

    @property
    def _firsts(self) -> list[float]:
        return [piece.from_per_s for piece in self._pieces]

    def flow(self, t_s: Number) -> Number:
        """The integral of the rate from 0 to each time."""
        place = self._place(t_s)
        piece_s, slope, first, before = (
            self._pick(values, place) for values in (self._starts, self._slopes, self._firsts, self._before)
        )
        within_s = t_s - piece_s
        flow: Number = before + within_s * (first + slope * within_s / 2)
        return flow

    def when(self, flow: Number) -> Number:
        """The time at which the integral of the rate reaches each value: the inverse of `flow` (inf where it never does)."""
        place = self._place_of(flow)
        piece_s, slope, first, before = (
            self._pick(values, place) for values in (self._starts, self._slopes, self._firsts, self._before)
        )
        rest = flow - before
        # Of both roots the one that is exact for small slopes, too.
        divisor = first + _root(first * first + 2 * slope * rest)
        return cast(Number, piece_s + _quotient(2 * rest, divisor, (first == 0) & (slope == 0)))

    def expected(self, t_s: Number) -> Number:
        """Expected number of arrivals from 0 to each time, those at set times included (at the time itself, too)."""
        if not self._set_times:
            return self.flow(t_s)
        return cast(Number, self.flow(t_s) + self._pick(self._set_counts, _right(self._set_times, t_s)))

    def time_of(self, expected: Number) -> Number:
        """The time at which that many arrivals are expected (inf where it never is)."""
        if not self._set_times:
            return self.when(expected)
        if not isinstance(expected, float | int):
            import numpy as np

            return cast(Number, np.array([self.time_of(float(each)) for each in expected]))
        counts = self._set_counts
        levels = [self.flow(t_s) + count for t_s, count in zip(self._set_times, counts[1:], strict=True)]
        place = bisect_right(levels, expected)
        if place < len(levels) and expected >= levels[place] - (counts[place + 1] - counts[place]):
            return self._set_times[place]
        return self.when(expected - counts[place])

    def edges(self, until_s: float) -> list[float]:
        """The ends of pieces; a ramp is cut into several."""
        edges = {0.0, until_s}
        for piece in self._pieces:
            steps = _STEPS if piece.from_per_s != piece.to_per_s else 1
            length_s = min(piece.end_s, max(until_s, piece.start_s)) - piece.start_s
            edges.update(piece.start_s + length_s * number / steps for number in range(steps + 1))
        return sorted(edge for edge in edges if 0.0 <= edge <= until_s)

    def is_peak(self, t_s: float) -> bool:
        """Whether it is in a burst; without bursts, whether the rate is near its highest."""
        if self._has_bursts:
            return bool(self._pieces[self._place(t_s)].burst)
        return len(self._pieces) > 1 and self.at(t_s) >= _BUSIEST * self.highest_per_s

    def most_within(self, length_s: float) -> float:
        """The most arrivals to be expected in any interval that begins or ends where the rate turns, or when some arrive."""
        most = 0.0
        for turn_s in (*self._starts, *self._set_times):
            for start_s in (turn_s, max(0.0, turn_s - length_s), max(0.0, turn_s - length_s / 2)):
                before = self.expected(math.nextafter(start_s, -math.inf)) if start_s else 0.0
                most = max(most, self.expected(start_s + length_s) - before)
        return most

    def _place(self, t_s: Any) -> Any:
        """The piece in which each time lies."""
        return _right(self._starts, t_s) - 1

    def _place_of(self, flow: Any) -> Any:
        """The piece in which the integral of the rate exceeds each value."""
        return _right(self._before, flow) - 1

    def _pick(self, values: list[Any], place: Any) -> Any:
        if isinstance(place, int):
            return values[place]
        import numpy as np

        return np.asarray(values)[place]


def _slope(piece: Piece) -> float:
    return (
        (piece.to_per_s - piece.from_per_s) / (piece.end_s - piece.start_s)
        if piece.to_per_s != piece.from_per_s
        else 0.0
    )


def _mass(piece: Piece) -> float:
    return (piece.end_s - piece.start_s) * (piece.from_per_s + piece.to_per_s) / 2


def _right(values: list[float], sought: Any) -> Any:
    if isinstance(sought, float | int):
        return bisect_right(values, sought)
    import numpy as np

    return np.searchsorted(values, sought, side="right")


def _root(value: Any) -> Any:
    """The square root of what rounding may have put below 0."""
    if isinstance(value, float | int):
        return math.sqrt(max(0.0, value))
    import numpy as np

    return np.sqrt(np.maximum(0.0, value))


def _quotient(one: Any, other: Any, never: Any) -> Any:
    """One by the other: where that is 0, inf if `never`, otherwise 0."""
    if isinstance(one, float | int):
        return one / other if other > 0 else (math.inf if never else 0.0)
    import numpy as np

    return np.divide(one, other, out=np.where(never, np.inf, 0.0), where=other > 0)
