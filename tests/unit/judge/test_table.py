"""What the judge keeps of every task for good."""

import tracemalloc

import numpy as np

from soak.runner.judge.table import Table
from soak.schemas.stream.states import TaskState


def test_states_are_counted_in_less_memory_than_they_take() -> None:
    table = Table(None)
    table.admit(0, 999_999)
    numbers = np.arange(0, 1_000_000, 2)
    table.put_states(numbers, np.where(numbers % 3, TaskState.DONE, TaskState.FAILED).astype(np.uint8))
    tracemalloc.start()
    try:
        counts = table.count_states()
        assert tracemalloc.get_traced_memory()[1] < len(table.states)
    finally:
        tracemalloc.stop()
    assert counts.tolist() == np.bincount(table.states, minlength=len(TaskState)).tolist()
    assert (counts[TaskState.DONE], counts[TaskState.FAILED]) == (333_333, 166_667)


def test_room_is_made_for_a_quarter_more_than_there_is() -> None:
    table = Table(7)
    for end in range(10_000, 1_000_000, 10_000):
        table.admit(end - 10_000, end - 1)
        table.put_states(np.array([end - 1]), np.array([TaskState.DONE]))
        table.put_done(np.array([end - 2]))
        table.base = end
        assert end <= len(table.states) <= 1.25 * end + 1024
    ends = np.arange(10_000, 1_000_000, 10_000)
    assert (table.states[ends - 1] == TaskState.DONE).all() and table.count_states()[TaskState.DONE] == len(ends)
    assert table.was_done(ends - 2).all() and not table.was_done(ends - 4).any()
    assert (table.labels_of(ends - 1) == 7).all() and (table.labels_of(np.array([len(table.states) - 1])) == 7).all()
