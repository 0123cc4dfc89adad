"""Rows of several processes become blocks of events in the order of time."""

from pathlib import Path

import numpy as np
from load_server import plan_of

from soak.runner.load.events import LOST, Merged
from soak.runner.load.rows import Rows, What
from soak.schemas.stream.events import Kind

TEXT = """
duration: 20s
workload:
  arrivals: {rate: 1/s}
  tenants: [{name: a, share: 50%}, {name: b, share: 50%}]
  kinds: [{name: one, share: 100%, request: {path: /}}]
"""


class Process:
    """Rows of a process whose clock is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.rows = Rows(lambda: self.now_s)

    def begun(self, t_s: float, number: int, due_s: float) -> None:
        self.now_s = t_s
        self.rows.begun(number, due_s)

    def ended(self, t_s: float, number: int, status: int, error: str = "") -> None:
        self.now_s = t_s
        self.rows.ended(number, t_s, status, 10, error)

    def told(self, t_s: float) -> tuple[float, bytes]:
        self.now_s = t_s
        return self.rows.take()


def test_a_clock_that_is_set_back_ends_no_request_before_it_began() -> None:
    now_s = [0.0]
    rows = Rows(lambda: now_s[0])
    now_s[0] = 5.0
    assert rows.begun(2, 5.0) == 5.0
    now_s[0] = 4.999
    assert rows.ended(2, 4.999, 200, 0, "") == 5.0
    assert rows.take()[0] == 5.0


def test_events_are_given_out_once_all_processes_have_told_them(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TEXT)
    merged, first, second = Merged(plan, [0, 1]), Process(), Process()
    first.begun(1.0, 0, 0.75)
    first.ended(1.5, 0, 200)
    merged.add(0, *first.told(2.0))
    assert merged.safe_s == 0.0
    second.begun(0.5, 2, 0.5)
    merged.add(1, *second.told(1.25))
    assert merged.safe_s == 1.25
    block = merged.take(merged.safe_s)
    assert block.t.tolist() == [0.5, 0.5, 1.0, 1.0]
    assert block.kind.tolist() == [Kind.TASK_ENQUEUED, Kind.TASK_DISPATCHED] * 2
    assert block.task.tolist() == [2, 2, 0, 0]
    assert np.array_equal(block.value, [0.5, np.nan, 0.75, np.nan], equal_nan=True)
    second.ended(1.3, 2, 503, "server_error")
    merged.add(1, *second.told(2.0))
    block = merged.take(merged.safe_s)
    assert block.until_s == 2.0
    assert block.t.tolist() == [1.3, 1.3, 1.5, 1.5]
    assert block.kind.tolist() == [
        Kind.RESPONSE_RECEIVED,
        Kind.TASK_FAILED,
        Kind.RESPONSE_RECEIVED,
        Kind.TASK_DONE,
    ]
    assert [plan.vocabulary.causes[cause].error for cause in block.cause.tolist()] == ["", "server_error", "", ""]
    assert block.value[::2].tolist() == [503.0, 200.0]
    assert block.label[::2].tolist() == plan.labels_of(np.array([2, 0])).tolist()


def test_a_request_without_an_answer_has_no_response(tmp_path: Path) -> None:
    merged, process = Merged(plan_of(tmp_path, TEXT), [0]), Process()
    process.begun(0.5, 0, 0.5)
    process.ended(1.0, 0, 0, "timeout")
    process.rows.sample(What.LAG, 0.25)
    merged.add(0, *process.told(1.0))
    block = merged.take(merged.safe_s)
    assert block.kind.tolist() == [Kind.TASK_ENQUEUED, Kind.TASK_DISPATCHED, Kind.TASK_FAILED, Kind.SAMPLE_LOAD_LAG]
    assert block.worker.tolist() == [-1, -1, -1, 0]
    assert block.value[-1] == 0.25


def test_of_a_lost_process_nothing_is_awaited_and_its_open_requests_are_cancelled(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TEXT)
    merged, first, second = Merged(plan, [0, 1]), Process(), Process()
    first.begun(1.0, 0, 1.0)
    merged.add(0, *first.told(1.25))
    merged.add(1, *second.told(3.0))
    assert merged.gone(0, [0]) == 1.25
    assert merged.safe_s == 3.0
    block = merged.take(merged.safe_s)
    assert block.t.tolist() == [1.0, 1.0, 1.25]
    assert block.kind[-1] == Kind.TASK_CANCELLED
    assert plan.vocabulary.causes[block.cause[-1]].error == LOST
    # What it says later, should it have been slow only, does not count.
    assert len(merged.add(0, *first.told(4.0))) == 0
    assert merged.safe_s == 3.0
