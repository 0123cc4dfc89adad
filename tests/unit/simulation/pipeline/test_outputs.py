"""When the batches of a sink are written."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.simulation.pipeline.outputs import write_times


def written(at_s: list[float], rows: int, every_s: float, from_s: float = 0.0, until_s: float = 100.0) -> list[float]:
    return write_times(np.array(at_s), rows, every_s, from_s, until_s).tolist()


def test_without_batches_each_record_is_written_at_once() -> None:
    assert written([1.0, 2.0], 1, 0.0) == [1.0, 2.0]


def test_a_full_batch_is_written_with_its_last_record() -> None:
    assert written([1.0, 2.0, 3.0, 4.0], 2, 10.0) == [2.0, 2.0, 4.0, 4.0]


def test_a_batch_waits_no_longer_than_it_may_after_its_first_record() -> None:
    assert written([1.0, 1.4, 1.6, 9.0], 10, 0.5) == [1.5, 1.5, 2.1, 9.5]


def test_what_is_not_due_yet_waits() -> None:
    assert written([1.0, 1.4, 9.8], 10, 0.5, until_s=10.0) == [1.5, 1.5]


def test_what_is_late_is_written_together_when_it_can_be() -> None:
    assert written([1.0, 2.0, 3.0, 7.2], 2, 0.5, from_s=7.0) == [7.0, 7.0, 7.0, 7.7]


@given(
    gaps=st.lists(st.integers(1, 30), min_size=1, max_size=60),
    rows=st.integers(1, 7),
    every=st.integers(1, 60),
    cuts=st.lists(st.integers(0, 500), max_size=6),
)
def test_cutting_time_into_stretches_changes_nothing(gaps: list[int], rows: int, every: int, cuts: list[int]) -> None:
    at_s = np.cumsum(gaps) * 0.01
    every_s = every * 0.01 + 0.003
    whole = write_times(at_s, rows, every_s, 0.0, 100.0)
    found: list[float] = []
    for from_s, until_s in zip(
        [0.0, *(cut * 0.01 for cut in sorted(cuts))], [*(cut * 0.01 for cut in sorted(cuts)), 100.0], strict=True
    ):
        there = at_s[len(found) :][at_s[len(found) :] <= until_s]
        found += write_times(there, rows, every_s, from_s, until_s).tolist()
    assert found == pytest.approx(whole.tolist())
