"""Backoff, the limit within a time, the reset, the policy."""

import pytest

from soak.systems.pipeline.restarts import Restarts, backoff_s
from soak.systems.pipeline.settings import Backoff, Restart

POLICY = Restart(backoff=Backoff(1.0, 2.0, 5.0), max_restarts=4, within=100.0, reset_after=60.0)


@pytest.mark.parametrize(("number", "wait"), [(1, 1), (2, 2), (3, 4), (4, 5), (5, 5), (5000, 5)])
def test_backoff_grows_up_to_its_limit(number: int, wait: float) -> None:
    assert backoff_s(POLICY.backoff, number) == wait


def test_waits_grow_and_then_there_are_none() -> None:
    restarts = Restarts(POLICY)
    assert [restarts.ended(now, 0.0) for now in (0.0, 10.0, 20.0, 30.0, 40.0)] == [1, 2, 4, 5, None]
    assert (restarts.total, restarts.in_a_row) == (4, 4)


def test_the_limit_is_within_a_time() -> None:
    restarts = Restarts(POLICY)
    waits = [restarts.ended(now, 0.0) for now in (0.0, 10.0, 20.0, 30.0, 101.0, 102.0)]
    assert waits == [1, 2, 4, 5, 5, None]


def test_health_for_long_enough_begins_anew() -> None:
    restarts = Restarts(POLICY)
    assert [restarts.ended(0.0, 0.0), restarts.ended(70.0, 59.9), restarts.ended(140.0, 60.0)] == [1, 2, 1]
    assert restarts.total == 3


@pytest.mark.parametrize(
    ("when", "after"), [("always", [True, True]), ("failure", [False, True]), ("never", [False, False])]
)
def test_the_policy_decides(when: str, after: list[bool]) -> None:
    restarts = Restarts(Restart(when=when))  # type: ignore[arg-type]
    assert [restarts.wanted(0), restarts.wanted(-9)] == after


def test_the_defect_forgets() -> None:
    restarts = Restarts(POLICY, forgets=True)
    assert [restarts.ended(float(now), 0.0) for now in range(8)] == [1.0] * 8
    assert restarts.total == 0
