"""The scale of a chart of numbers at the end of what a computer can say."""

import math

import pytest

from soak.reports.look.ticks import extent


@pytest.mark.parametrize("log", [False, True])
def test_the_largest_numbers_leave_a_scale(log: bool) -> None:
    low, high = extent(None, None, [1e308, -1e308, 1.0, 2.0, math.inf, math.nan], log=log)
    assert low < 1.0
    assert 2.0 < high < 3.0
