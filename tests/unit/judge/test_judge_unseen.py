"""What would tell how a task system did, and was not seen: a run in which nothing went wrong because nothing ran is no PASS."""

from collections.abc import Sequence

import pytest
from histories import foreign, judge, verdict

from soak.runner.judge.decide import decide
from soak.schemas.evidence.verdict import End, Outcome, ReasonKind, Status, Verdict

SLOS = "slos: [illegal_transitions == 0, lost_tasks == 0]\n"
TEXT = f"faults: [{{name: out, type: service_kill, service: redis, at: 5s, for: 2s}}]\n{SLOS}"
DONE = """
0 enqueued {0}
0 dispatched {0} w0
0 started {0} w0
1 ended {0} w0
1 done {0} w0
"""
OUT = """
5 injected fault=out
5 seen fault=out
5 exited fault=out name=redis
"""
BACK = "7 process.started name=redis\n"
AGAIN = foreign("at_least_once", redelivery_s=10, roles={"redis": "broker"})


def unseen(made: Verdict) -> list[str]:
    return [each.text for each in made.typed_reasons if each.kind is ReasonKind.UNSEEN]


def test_a_run_in_which_no_body_reported_is_inconclusive_whatever_is_promised() -> None:
    made = verdict("0 enqueued 1\n1 enqueued 2", SLOS, until=100, identity=foreign())
    assert made.verdict is Outcome.INCONCLUSIVE
    assert unseen(made) == [
        "no body reported a start, of 2 tasks that were submitted (have the task call soak.kit or soak body, or see the logs"
        " of workers)"
    ]


def test_submissions_that_nobody_answered_are_inconclusive_where_they_are_many() -> None:
    nine = "".join(DONE.format(number) for number in range(9))
    few, many = (
        verdict(f"{nine}2 deferred 9\n{more}", SLOS, until=100, identity=foreign()) for more in ("", "3 deferred 10\n")
    )
    assert (few.reasons, unseen(few)) == ([], [])
    assert many.verdict is Outcome.INCONCLUSIVE
    assert unseen(many) == ["of 2 of 11 submissions it is not known that they were accepted (see the log of submit)"]


@pytest.mark.parametrize("cuts", [[], range(1, 9)])
def test_a_service_that_did_not_come_back_decides_nothing_of_what_waited_for_it(cuts: Sequence[int]) -> None:
    history = DONE.format(0) + "4 enqueued 1\n" + OUT
    made = decide(judge(history, TEXT, until=100, cuts=cuts, identity=AGAIN), AGAIN, End.COMPLETED)
    assert made.verdict is Outcome.INCONCLUSIVE
    assert unseen(made) == ["redis did not come back after fault out at 5s (see its log)"]
    assert not [each for each in made.objectives if each.status is Status.FAIL]


def test_once_it_is_back_what_was_not_started_is_lost() -> None:
    made = verdict(DONE.format(0) + "4 enqueued 1\n" + OUT + BACK, TEXT, until=100, identity=AGAIN)
    assert (made.verdict, unseen(made)) == (Outcome.FAIL, [])
