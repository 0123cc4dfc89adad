"""What plots are made of."""

import numpy as np

from soak.reports.plots.canvas import mean_per_bucket, per_bucket

UNKNOWN = np.nan


def test_what_is_not_known_is_neither_nothing_nor_part_of_a_mean() -> None:
    values = np.array([2.0, 4.0, 6.0, UNKNOWN, UNKNOWN, UNKNOWN, 1.0])
    np.testing.assert_array_equal(mean_per_bucket(values, 2), [3.0, 6.0, UNKNOWN])
    np.testing.assert_array_equal(per_bucket(values, 2, largest=True), [4.0, 6.0, UNKNOWN])
    np.testing.assert_array_equal(mean_per_bucket(np.full(4, UNKNOWN), 2), [UNKNOWN, UNKNOWN])
