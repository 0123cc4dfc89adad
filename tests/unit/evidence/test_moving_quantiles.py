"""Quantiles of a window that moves in steps: those of the observations that lie in it, whatever comes in one piece."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.evidence import moving
from soak.runner.evidence.moving import MovingQuantiles
from soak.runner.judge.histogram import bucket_of, rank, value_of

QUANTILES = (0.5, 0.95, 1.0)
PIECES = st.lists(st.lists(st.lists(st.sampled_from([0.0, 0.2, 3.0, 3.1, 40.0]), max_size=3), max_size=4), max_size=4)


def sorted_out(window: list[float]) -> list[float]:
    """The quantiles of these values by sorting them; NaN of none."""
    ordered = sorted(int(bucket_of(np.array([value]))[0]) for value in window)
    return [value_of(ordered[rank(q, len(ordered)) - 1]) if ordered else np.nan for q in QUANTILES]


@pytest.mark.parametrize("kept_one_by_one", [0, 10_000])
@given(pieces=PIECES, width=st.integers(1, 4))
def test_they_are_those_of_the_values_in_the_window(
    kept_one_by_one: int, pieces: list[list[list[float]]], width: int
) -> None:
    quantiles, values, found = MovingQuantiles(QUANTILES, width), [step for piece in pieces for step in piece], []
    first = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moving, "_MANY", kept_one_by_one)
        for piece in pieces:
            steps = np.array([first + place for place, step in enumerate(piece) for _ in step], dtype=np.int64)
            flat = np.array([value for step in piece for value in step])
            # The last step goes on: the next piece begins with it.
            found.extend(quantiles.steps(steps, flat, first, len(piece) + 1)[:-1].tolist())
            first += len(piece)
    windows = [list(chain(*values[max(0, last - width + 1) : last + 1])) for last in range(len(values))]
    assert np.array_equal(
        np.array(found).reshape(-1, 3), np.array(list(map(sorted_out, windows))).reshape(-1, 3), equal_nan=True
    )
