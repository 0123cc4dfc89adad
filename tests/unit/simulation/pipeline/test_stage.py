"""A process as a server of records, an instant at a time."""

import numpy as np

from soak.schemas.language.distributions import Constant
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.systems.pipeline.settings import Guarantee, Overflow, Passes, Process
from soak.simulation.pipeline.flow import FIRST, Flow
from soak.simulation.pipeline.outputs import Output
from soak.simulation.pipeline.stage import Stage


def process(buffer: int, overflow: Overflow, guarantee: Guarantee = Guarantee.EXACTLY_ONCE) -> Process:
    return Process(
        "reader",
        "source",
        "raw",
        service=Constant(10.0),
        start=Constant(1.0),
        buffer=buffer,
        overflow=overflow,
        guarantee=guarantee,
        checkpoint_s=1000.0,
        passes=Passes.ALL,
    )


def flow(first: int, at_s: list[float]) -> Flow:
    number = np.arange(first, first + len(at_s)) << KEY_SHIFT
    none = np.zeros(len(at_s), dtype=np.int64)
    return Flow(number, np.array(at_s), np.array(at_s), none, none, np.full(len(at_s), FIRST))


def keys(records: Flow) -> list[int]:
    return (records.number >> KEY_SHIFT).tolist()


def test_what_was_in_a_full_buffer_before_a_stop_is_there_after_it() -> None:
    stage = Stage(process(3, Overflow.DROP_NEWEST), [Output()], seed=1)
    stage.begin(0.0)
    stage.push(flow(0, [1.0, 2.0, 3.0, 4.0, 5.0]))
    assert keys(stage.step(0.0, 6.0).dropped) == [4]
    stage.stop(6.0)
    stage.go_on(20.0)
    stage.push(flow(5, [20.0]))
    step = stage.step(20.0, 30.0)
    assert keys(step.dropped) == [5]
    # Five of its ten seconds were over when it was stopped.
    assert keys(step.taken) == [0]
    assert step.taken.at_s.tolist() == [25.0]


def test_the_oldest_makes_room_also_for_what_comes_later() -> None:
    stage = Stage(process(3, Overflow.DROP_OLDEST), [Output()], seed=1)
    stage.begin(0.0)
    stage.push(flow(0, [1.0, 2.0, 3.0, 4.0]))
    assert keys(stage.step(0.0, 6.0).dropped) == []
    stage.push(flow(4, [7.0, 8.0]))
    assert keys(stage.step(6.0, 9.0).dropped) == [1, 2]
    assert keys(stage.step(9.0, 40.0).taken) == [0, 3, 4]
    assert stage.unworked == 1


def test_what_it_had_in_memory_fits_into_its_buffer_when_it_reads_it_again() -> None:
    stage = Stage(process(3, Overflow.DROP_NEWEST), [Output()], seed=1)
    stage.begin(0.0)
    stage.push(flow(0, [1.0, 2.0, 3.0, 4.0]))
    stage.step(0.0, 6.0)
    stage.die(1, resume=True)
    stage.begin(8.0)
    step = stage.step(8.0, 50.0)
    assert keys(step.dropped) == []
    assert step.taken.at_s.tolist() == [18.0, 28.0, 38.0, 48.0]


def test_what_was_written_before_is_not_dropped_when_it_is_read_again_and_does_not_fit() -> None:
    stage = Stage(process(2, Overflow.DROP_NEWEST, Guarantee.AT_LEAST_ONCE), [Output()], seed=1)
    stage.begin(0.0)
    for number in range(5):
        stage.push(flow(number, [11.0 * number]))
        stage.step(11.0 * number, 11.0 * number + 11.0)
    stage.die(1, resume=True)
    assert stage.unworked == 5
    stage.begin(60.0)
    stage.push(flow(5, [60.0]))
    step = stage.step(60.0, 100.0)
    # Six come to a buffer of two: three are dropped, of which only the last was not written before.
    assert keys(step.dropped) == [5]
    assert keys(step.written[0].flow) == [0, 1, 2]
