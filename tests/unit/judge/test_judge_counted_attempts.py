"""Attempts of a task system that a target file describes: what dies with its worker counts only where the system says so."""

import pytest
from histories import foreign, judge

SAYS = "at_least_once retries backoff"
SETTINGS = """
queue: {workers: 1, retry: {max_attempts: 3, backoff: [10s, 20s]}}
slos: [excess_attempts == 0, backoff_violations == 0]
"""
LAST = "42 ended 1 w0\n42 done 1 w0"

# Killed at the first start, failed at the second and third, and DONE at the fourth, after backoffs of 10 s and 20 s.
HISTORY = """
0  enqueued 1
1  dispatched 1 w0
1  started 1 w0
5  ended 1 w0 error=process_gone
6  retry 1 w0 error=process_gone due=6
6  dispatched 1 w0
6  started 1 w0
8  ended 1 w0 error=network
8  retry 1 w0 error=network due=18
18 dispatched 1 w0
18 started 1 w0
20 ended 1 w0 error=network
20 retry 1 w0 error=network due=40
40 dispatched 1 w0
40 started 1 w0
42 ended 1 w0
42 done 1 w0
"""


def counts(history: str, says: str = SAYS, cuts: tuple[int, ...] = ()) -> tuple[float, float]:
    """Attempts beyond the last one, and those that came before their backoff was over."""
    made = judge(history, SETTINGS, cuts=cuts, identity=foreign(says))
    excess, early = (made.sli_value(made.scenario.slis[name]) for name in ("excess_attempts", "backoff_violations"))
    assert excess is not None and early is not None
    return excess, early


@pytest.mark.parametrize("cuts", [(), (4,), (9, 11), tuple(range(1, 17))])
def test_an_attempt_that_died_is_not_counted(cuts: tuple[int, ...]) -> None:
    assert counts(HISTORY, cuts=cuts) == (0.0, 0.0)


@pytest.mark.parametrize("cuts", [(), (4,), tuple(range(1, 17))])
def test_unless_the_system_counts_it(cuts: tuple[int, ...]) -> None:
    # The fourth is beyond the third, and the third comes 10 s after the second one failed, whose backoff is then 20 s.
    assert counts(HISTORY.replace("due=18", "due=28"), f"{SAYS} crashes_count", cuts) == (1.0, 1.0)


def test_the_backoff_is_that_of_the_failures() -> None:
    early = HISTORY.replace("18 ", "17 ")
    assert counts(early) == (0.0, 1.0)


def test_one_attempt_more_than_may_fail_is_too_many() -> None:
    more = "42 ended 1 w0 error=network\n42 retry 1 w0 error=network due=62\n70 dispatched 1 w0"
    assert counts(HISTORY.replace(LAST, more)) == (1.0, 0.0)


@pytest.mark.parametrize("cuts", [(), (20,), tuple(range(1, 21))])
def test_what_has_failed_is_not_started_again(cuts: tuple[int, ...]) -> None:
    failed = "42 ended 1 w0 error=network\n42 failed 1 w0 error=network\n"
    again = "70 retry 1 w0 error=redelivered due=70\n70 dispatched 1 w0\n70 started 1 w0"
    assert counts(HISTORY.replace(LAST, failed + again), cuts=cuts) == (1.0, 0.0)
