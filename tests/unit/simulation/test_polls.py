"""Polls are computed: the next one is never before the time that is asked about, whatever rounding does."""

import math

from histories import scenario
from hypothesis import given
from hypothesis import strategies as st

from soak.simulation.plan import Plan
from soak.simulation.queue.lease import Leases
from soak.simulation.queue.polls import Polls

LEASES = Leases(120.0, 30.0, 10.0, ())


@given(st.integers(1, 5_000), st.integers(0, 100_000), st.integers(1, 3))
def test_the_next_poll_is_not_in_the_past(interval_ms: int, arrivals: int, dispatchers: int) -> None:
    made = scenario(f"queue: {{poll_interval: {interval_ms}ms, dispatchers: {dispatchers}}}")
    polls = Polls.of(Plan(made), LEASES)
    for step in range(40):
        t_s = (arrivals + step) * 0.4
        found = polls.first_from(t_s)
        assert t_s <= found < t_s + interval_ms / 1000 + 1e-9


def test_an_arrival_that_rounding_puts_after_its_poll_is_polled_for_when_it_comes() -> None:
    arrival_s = 9 * 0.4
    assert math.ceil(arrival_s / 0.6) * 0.6 < arrival_s
    polls = Polls.of(Plan(scenario("queue: {poll_interval: 600ms}")), LEASES)
    assert polls.first_from(arrival_s) == arrival_s
