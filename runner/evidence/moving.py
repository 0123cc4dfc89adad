"""Quantiles over a window that moves in whole steps, to within a bucket of the histogram."""

from collections.abc import Sequence

import numpy as np

from soak.runner.judge.histogram import bucket_of, rank, value_of
from soak.schemas.stream.block import Floats, Ints

_MANY = 10_000
"""More observations than that are not kept one by one."""


class MovingQuantiles:
    """Some quantiles of what was observed in the last `window` steps."""

    def __init__(self, quantiles: Sequence[float], window: int) -> None:
        self._quantiles, self._window = quantiles, window
        self._step, self._bucket, self._count = np.zeros((3, 0), dtype=np.int64)

    def steps(self, step: Ints, value: Floats, first: int, count: int) -> Floats:
        """The quantiles at the end of each of `count` steps from number `first` on, by step and quantile.

        step, value: what was observed, none of it before `first`. The last of these steps goes on: it has no quantiles yet.
        """
        oldest = first - self._window + 1
        step = np.concatenate([self._step, step])
        bucket = np.concatenate([self._bucket, bucket_of(value)])
        count_of = np.concatenate([self._count, np.ones(len(value), dtype=np.int64)])
        recent = step >= oldest + count - 1
        self._keep(step[recent], bucket[recent], count_of[recent])
        result = np.full((count, len(self._quantiles)), np.nan)
        if count == 1 or not len(bucket):
            return result
        buckets, column_of = np.unique(bucket, return_inverse=True)
        rows, width = count + self._window - 1, len(buckets)
        cells = np.clip(step - oldest, 0, rows - 1) * width + column_of
        # Weights are whole numbers, and sums far below 2^53: they are exact.
        weighed = np.bincount(cells, weights=count_of, minlength=rows * width).astype(np.int64).reshape(rows, width)
        total = np.concatenate([np.zeros((1, width), dtype=np.int64), np.cumsum(weighed, axis=0)])
        inside = total[self._window : -1] - total[: -self._window - 1]
        known = inside.sum(axis=1)
        # All windows in a row, so that one search finds the places of a quantile in all of them.
        below, before = np.cumsum(inside), np.cumsum(known) - known
        middles = np.array([value_of(each) for each in buckets.tolist()])
        for column, q in enumerate(self._quantiles):
            wanted = np.array([rank(q, n) for n in known.tolist()])
            place = np.searchsorted(below, before + wanted) % width
            result[:-1, column] = np.where(known > 0, middles[place], np.nan)
        return result

    def _keep(self, step: Ints, bucket: Ints, count: Ints) -> None:
        """Keep observations for the windows to come; many of one step that are alike together."""
        if len(step) > _MANY:
            lowest, width = int(bucket.min()), int(np.ptp(bucket)) + 1
            cells, place = np.unique(step * width + bucket - lowest, return_inverse=True)
            step, bucket = cells // width, cells % width + lowest
            count = np.bincount(place, weights=count).astype(np.int64)
        self._step, self._bucket, self._count = step, bucket, count
