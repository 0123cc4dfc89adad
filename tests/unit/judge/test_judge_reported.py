"""What the execution ledger knows overrules what a system reports of its tasks."""

import pytest
from histories import IDENTITY, foreign, judge, verdict
from msgspec.structs import replace

from soak.schemas.evidence.verdict import LawResult, Status, Verdict
from soak.schemas.stream.identity import Identity

SLOS = "slos: [success_rate >= 0%]"
REAL = replace(IDENTITY, clock="real")
NO_LEASES = replace(REAL, promises=("at_least_once", "retries"))


def agreement(made: Verdict) -> LawResult:
    """The result of the law on what the ledger knows."""
    return next(each for each in made.laws if each.law == "ledger_agreement")


EARLY = """
0 enqueued 1
1 dispatched 1
1 started 1
2 done 1
9 ended 1
9 census done=1
"""


@pytest.mark.parametrize("who", [REAL, foreign(level=4)])
def test_a_task_is_not_done_before_its_body_has_ended(who: Identity) -> None:
    made = verdict(EARLY, SLOS, identity=who)
    assert (agreement(made).status, agreement(made).detail) == (
        Status.FAIL,
        "1 tasks DONE before their bodies had ended",
    )
    [cases] = next(each.cases for each in made.explanation if each.subject == "ledger_agreement")
    assert (cases.cause, cases.first[0].detail) == (
        "DONE before its body had ended",
        "DONE at 2s; its body ended at 9s",
    )


def test_one_that_never_ends_counts_too() -> None:
    lasting = EARLY.replace("9 ended 1\n", "")
    assert agreement(verdict(lasting, SLOS, identity=REAL)).value == 1.0


def test_clocks_may_differ_by_a_second() -> None:
    assert agreement(verdict(EARLY.replace("9 ended", "2.9 ended"), SLOS, identity=REAL)).status is Status.PASS
    assert agreement(verdict(EARLY, SLOS, identity=replace(REAL, speed=60.0))).status is Status.PASS


def test_another_attempt_may_still_run() -> None:
    history = """
    0 enqueued 1
    1 dispatched 1
    1 started 1 @1
    2 expired 1 @1
    2 retry 1 @1 error=lease_expired due=2
    3 dispatched 1
    3 started 1 @2
    4 ended 1 @2
    4 done 1 @2
    """
    assert agreement(verdict(f"{history}99 census done=1", SLOS, identity=REAL)).status is Status.PASS


@pytest.mark.parametrize("who", [None, foreign(level=2)])
def test_what_is_simulated_or_inferred_is_not_looked_at(who: Identity | None) -> None:
    assert agreement(verdict(EARLY, SLOS, identity=who)).status is Status.PASS


CRASHED = """
0 enqueued 1
1 dispatched 1 w0
1 started 1 @1 w0
2 ended 1 @1 w0 error=process_gone
4 dispatched 1 w1
4 started 1 @2 w1
5 ended 1 @2 w1
5 done 1 @2 w1
9 census done=1
"""


@pytest.mark.parametrize("cuts", [(), (4,), (3, 4, 5), tuple(range(1, 9))])
def test_a_task_is_given_out_again_after_a_crash_without_the_end_of_a_lease(cuts: tuple[int, ...]) -> None:
    assert judge(CRASHED, SLOS, cuts=cuts, identity=NO_LEASES).slis()["illegal_transitions"] == 0.0


def test_by_who_promises_leases_it_is_not() -> None:
    assert judge(CRASHED, SLOS, identity=REAL).slis()["illegal_transitions"] == 1.0
    leases = replace(REAL, promises=("leases",))
    assert judge(CRASHED, SLOS, identity=leases).slis()["illegal_transitions"] == 1.0


@pytest.mark.parametrize("end", ["", "2 ended 1 @1 w0", "2 ended 1 @1 w0 error=network"])
def test_nor_after_an_execution_that_did_not_die(end: str) -> None:
    history = CRASHED.replace("2 ended 1 @1 w0 error=process_gone", end)
    assert judge(history, SLOS, identity=NO_LEASES).slis()["illegal_transitions"] == 1.0


def test_nor_a_second_time() -> None:
    twice = CRASHED.replace("5 ended 1 @2 w1\n", "4.5 dispatched 1 w0\n5 ended 1 @2 w1\n")
    assert judge(twice, SLOS, identity=NO_LEASES).slis()["illegal_transitions"] == 1.0
