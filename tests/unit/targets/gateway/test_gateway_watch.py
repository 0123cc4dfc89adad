"""What requests show of a fault: those that fail by the service, and how long the others take."""

import math

import numpy as np

from soak.runner.targets.gateway.watch import Watch
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import KEY_SHIFT, Kind
from soak.schemas.stream.vocabulary import Vocabulary

SENT, DONE, FAILED = Kind.TASK_DISPATCHED, Kind.TASK_DONE, Kind.TASK_FAILED


def block(*rows: tuple[float, Kind, int, int]) -> Block:
    times, kinds, numbers, causes = zip(*rows, strict=True)
    tasks = np.array(numbers) << KEY_SHIFT
    return make_block(times, kinds, until_s=times[-1], task=tasks, cause=causes)


def requests(first: int, start_s: float, took_s: float, count: int = 5) -> Block:
    sent = [(start_s + place, SENT, first + place, 0) for place in range(count)]
    ended = [(start_s + place + took_s, DONE, first + place, 0) for place in range(count)]
    return block(*sorted(sent + ended))


def test_requests_fail_by_the_service_when_it_does_not_answer_or_errs() -> None:
    vocabulary = Vocabulary()
    error, wrong = (vocabulary.cause("", each) for each in ("server_error", "wrong_answer"))
    watch = Watch(vocabulary)
    watch.observe(block((1.0, SENT, 0, 0), (2.0, FAILED, 0, wrong)))
    assert not watch.failed_within(0.0, 10.0)
    watch.observe(block((3.0, SENT, 1, 0), (4.0, FAILED, 1, error)))
    assert watch.failed_within(4.0, 4.0)
    assert not watch.failed_within(4.1, 10.0)
    assert not watch.failed_within(0.0, 3.9)


def test_the_median_is_of_requests_that_were_sent_in_a_time_and_of_five_at_least() -> None:
    watch = Watch(Vocabulary())
    watch.observe(requests(0, 0.0, 0.2))
    watch.observe(requests(10, 10.0, 0.6))
    assert math.isclose(watch.median_s(until_s=10.0), 0.2, abs_tol=1e-6)
    assert math.isclose(watch.median_s(since_s=10.0), 0.6, abs_tol=1e-6)
    assert math.isnan(watch.median_s(since_s=11.0))


def test_a_request_that_ends_blocks_later_is_measured_from_its_sending() -> None:
    watch = Watch(Vocabulary())
    watch.observe(block(*((float(number), SENT, number, 0) for number in range(5))))
    assert math.isnan(watch.median_s())
    watch.observe(block(*((10.0 + number, DONE, number, 0) for number in range(5))))
    assert math.isclose(watch.median_s(), 10.0, abs_tol=1e-6)


def test_ends_are_counted_by_kind() -> None:
    watch = Watch(Vocabulary())
    watch.observe(requests(0, 0.0, 0.2))
    watch.observe(block((9.0, SENT, 9, 0)))
    assert watch.counts == {SENT: 6, DONE: 5, FAILED: 0, Kind.TASK_CANCELLED: 0}
