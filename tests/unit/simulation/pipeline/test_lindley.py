"""One server in arrays, against one that steps every record."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soak.simulation.pipeline.lindley import Limit, departures, serve

ticks = st.integers(0, 40).map(float)
records = st.lists(st.tuples(ticks, st.integers(0, 8).map(float)), min_size=1, max_size=40)


def test_departures_of_a_server_that_is_busy_idle_and_busy_again() -> None:
    finish_s = departures(np.array([1.0, 1.5, 10.0]), np.array([2.0, 2.0, 1.0]), 0.0)
    assert finish_s.tolist() == [3.0, 5.0, 11.0]


def test_a_server_that_is_busy_with_something_else_begins_later() -> None:
    assert departures(np.array([1.0]), np.array([2.0]), 7.0).tolist() == [9.0]


@given(records=records, free_s=ticks)
def test_departures_are_those_of_the_recursion(records: list[tuple[float, float]], free_s: float) -> None:
    at_s, service_s = np.sort([at for at, _ in records]), np.array([service for _, service in records])
    expected, free = [], free_s
    for at, service in zip(at_s, service_s, strict=True):
        free = max(at, free) + service
        expected.append(free)
    assert departures(at_s, service_s, free_s).tolist() == pytest.approx(expected)


def stepped(at_s: list[float], service_s: list[float], free_s: float, limit: Limit) -> dict[int, float]:
    """When each record that is not dropped is done, by brute force: an instant at a time."""
    waiting: deque[int] = deque()
    finish: dict[int, float] = {}
    coming, now, busy_until = deque(enumerate(at_s)), 0.0, free_s
    while coming or waiting:
        if waiting and max(busy_until, now) <= (coming[0][1] if coming else np.inf):
            now = max(busy_until, now)
            place = waiting.popleft()
            busy_until = finish[place] = now + service_s[place]
            continue
        place, now = coming.popleft()
        if not waiting and busy_until <= now:
            busy_until = finish[place] = now + service_s[place]
        elif len(waiting) < limit.waiting:
            waiting.append(place)
        elif limit.drops_oldest:
            waiting.popleft()
            waiting.append(place)
    return finish


@given(records=records, free_s=ticks, waiting=st.integers(1, 4), drops_oldest=st.booleans())
def test_a_limited_buffer_drops_what_one_that_is_stepped_drops(
    records: list[tuple[float, float]], free_s: float, waiting: int, drops_oldest: bool
) -> None:
    # Services that are no whole numbers: nothing ends at the instant at which something comes.
    at_s = np.sort([at for at, _ in records])
    service_s = np.array([service + 0.37 + place * 1e-4 for place, (_, service) in enumerate(records)])
    limit = Limit(waiting, drops_oldest)
    served = serve(at_s, service_s, free_s + 0.013, limit, 0, 1e9)
    expected = stepped(at_s.tolist(), service_s.tolist(), free_s + 0.013, limit)
    assert sorted(set(range(len(at_s))) - expected.keys()) == served.dropped.tolist()
    kept = np.delete(np.arange(len(at_s)), served.dropped)
    assert served.finish_s[kept].tolist() == pytest.approx([expected[place] for place in kept.tolist()])


def test_what_is_in_the_buffer_already_is_not_dropped_as_new() -> None:
    at_s, service_s = np.array([0.0, 0.0, 0.0, 0.0]), np.ones(4)
    assert serve(at_s, service_s, 5.0, Limit(2, drops_oldest=False), 4, 10.0).dropped.tolist() == []
    assert serve(at_s, service_s, 5.0, Limit(2, drops_oldest=False), 0, 10.0).dropped.tolist() == [2, 3]
    assert serve(at_s, service_s, 5.0, Limit(2, drops_oldest=True), 2, 10.0).dropped.tolist() == [0, 1]


def test_whether_the_oldest_will_be_dropped_is_not_known_before_more_has_come() -> None:
    served = serve(np.array([0.0, 1.0, 2.0, 3.0]), np.full(4, 10.0), 0.0, Limit(2, drops_oldest=True), 0, 4.0)
    assert served.dropped.tolist() == [1]
    assert served.finish_s.tolist() == [10.0, np.inf, np.inf, np.inf]
