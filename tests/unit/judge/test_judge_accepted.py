"""Work that a task system accepted: lost, not yet lost, and by what, as the execution ledger alone tells."""

import pytest
from histories import block_of, foreign, judge, make_judge, observed, verdict

from soak.runner.judge.decide import decide
from soak.schemas.evidence.verdict import End, LawResult, ObjectiveResult, Outcome, Status, Verdict
from soak.schemas.stream.identity import Identity

TEXT = """
faults: [{name: kill, type: worker_restart, at: 2s}, {name: out, type: db_outage, at: 20s, for: 10s}]
slos: [success_rate >= 0%, lost_tasks == 0, never_started == 0, stuck_in_progress == 0]
"""
AGAIN = foreign("at_least_once", redelivery_s=30)
# Two run when their worker is killed, two wait behind them: the first recipe of the research.
KILLED = """
0 enqueued 1
0 enqueued 2
0 enqueued 3
1 dispatched 1 w0
1 started 1 w0
2 injected fault=kill
2 ended 1 w0 fault=kill
2 exited w0 fault=kill name=w0
4 process.started w0 name=w0
5 dispatched 2 w0
5 started 2 w0
6 ended 2 w0
6 done 2 w0
30 seen fault=out
"""


def found(made: Verdict, name: str) -> ObjectiveResult:
    """The result of the objective on an indicator."""
    return next(each for each in made.objectives if each.sli == name)


def law(made: Verdict, name: str = "redelivery") -> LawResult:
    """The result of a law."""
    return next(each for each in made.laws if each.law == name)


def told(made: Verdict, name: str) -> str:
    """What explains a broken objective."""
    return next(each.text for each in made.explanation if each.subject.startswith(name))


def test_a_task_whose_worker_was_killed_is_lost_once_redelivery_is_over() -> None:
    # Nothing runs from 6 s on; ten seconds of that are an outage.
    made = verdict(KILLED, TEXT, until=6 + 30 + 10 + 1, identity=AGAIN)
    assert (found(made, "lost_tasks").status, found(made, "lost_tasks").value) == (Status.FAIL, 2.0)
    assert found(made, "never_started").value == 1.0
    assert found(made, "stuck_in_progress").value == 1.0
    assert law(made).detail == (
        "2 tasks are lost (1 never started, 1 not started again): nothing else ran for longer than 30s"
    )
    assert "1 task was running at 1 kill of w0 (fault kill), first at 2s" in told(made, "lost_tasks")
    assert [each.cause for each in made.explanation[0].cases] == ["killed by fault kill", "never started"]
    assert [(each.fault, each.cost.lost) for each in made.attribution] == [("kill", 1), ("out", 0)]


def test_before_that_it_is_too_early() -> None:
    made = verdict(KILLED, TEXT, until=6 + 30 + 10 - 5, identity=AGAIN)
    assert made.verdict is Outcome.INCONCLUSIVE
    assert found(made, "lost_tasks").detail == (
        "2 unfinished tasks (not yet lost: raise drain by 5s) could still break it"
    )
    assert law(made).detail == "2 tasks were not started, which may take 30s; not yet lost: raise drain by 5s"
    assert [found(made, name).value for name in ("lost_tasks", "never_started", "stuck_in_progress")] == [0.0, 0.0, 0.0]


def test_nothing_is_lost_while_something_runs() -> None:
    running = KILLED + "31 enqueued 4\n31 dispatched 4 w0\n31 started 4 w0\n"
    made = verdict(running, TEXT, until=500, identity=AGAIN)
    assert found(made, "lost_tasks").value == 0.0
    assert made.verdict is Outcome.INCONCLUSIVE


def test_what_is_started_again_is_not_lost() -> None:
    again = """
    31 retry 1 error=redelivered due=31
    31 dispatched 1 w0
    31 started 1 w0
    32 ended 1 w0
    32 done 1 w0
    33 dispatched 3 w0
    33 started 3 w0
    34 ended 3 w0
    34 done 3 w0
    """
    made = verdict(KILLED + again, TEXT, until=500, identity=AGAIN)
    assert (made.verdict, found(made, "lost_tasks").status) == (Outcome.PASS, Status.PASS)


def test_who_does_not_promise_it_loses_tasks_that_did_not_succeed() -> None:
    made = verdict(KILLED, TEXT.replace(">= 0%", ">= 50%"), until=500, identity=foreign(redelivery_s=30))
    assert law(made).status is Status.NOT_APPLICABLE
    assert found(made, "lost_tasks").status is Status.NOT_APPLICABLE
    # One of three is done.
    success = found(made, "success_rate")
    assert (success.status, success.samples, round(success.value or 0, 3)) == (Status.FAIL, 3, 0.333)


def test_before_redelivery_is_over_success_is_open() -> None:
    made = verdict(KILLED, TEXT.replace(">= 0%", ">= 50%"), until=20, identity=foreign(redelivery_s=30))
    success = found(made, "success_rate")
    assert (success.status, success.value, success.samples) == (Status.INCONCLUSIVE, 1.0, 1)


BROKER = """
0 enqueued 1
0 enqueued 2
1 exited name=redis fault=kill
3 process.started name=redis
4 enqueued 3
5 dispatched 3 w0
5 started 3 w0
6 ended 3 w0
6 done 3 w0
"""


@pytest.mark.parametrize("name", ["redis", "broker"])
def test_a_broker_that_lost_its_queue_is_a_cause_of_its_own(name: str) -> None:
    identity = foreign("at_least_once", redelivery_s=30, roles={"redis": "broker"} if name == "redis" else None)
    made = verdict(BROKER.replace("redis", name), TEXT, until=500, identity=identity)
    assert told(made, "lost_tasks").startswith(
        "2 tasks were in the queue of a broker that exited, first at 1s, and never started"
    )
    [cases] = made.explanation[0].cases
    assert (cases.cause, cases.count) == ("broker lost its queue", 2)
    assert made.attribution[0].cost.lost == 2


def test_another_service_that_exits_explains_nothing() -> None:
    made = verdict(BROKER, TEXT, until=500, identity=AGAIN)
    assert [each.cause for each in made.explanation[0].cases] == ["never started"]


def test_a_retry_that_was_never_made_is_stuck() -> None:
    history = """
    0 enqueued 1
    1 dispatched 1
    1 started 1
    2 ended 1 error=network
    2 retry 1 error=network due=60
    """
    made = verdict(history, TEXT, until=85, identity=AGAIN)
    assert found(made, "lost_tasks").status is Status.INCONCLUSIVE  # It was due at 60 s.
    made = verdict(history, TEXT, until=101, identity=AGAIN)
    assert (found(made, "stuck_in_progress").value, found(made, "never_started").value) == (1.0, 0.0)
    assert [each.cause for each in made.explanation[0].cases] == ["not made again"]


@pytest.mark.parametrize("cuts", [(), (1,), (5, 9), (3, 4, 7, 12), tuple(range(1, 14))])
def test_it_does_not_matter_where_blocks_end(cuts: tuple[int, ...]) -> None:
    whole = judge(KILLED, TEXT, until=99, identity=AGAIN)
    cut = judge(KILLED, TEXT, until=99, identity=AGAIN, cuts=cuts)
    assert cut.slis() == whole.slis()
    assert cut.slis()["never_started"] == 1.0
    assert decide(cut, AGAIN, End.COMPLETED) == decide(whole, AGAIN, End.COMPLETED)


def test_in_a_simulation_they_mean_the_same() -> None:
    # By the rules of the queue: 120 s of lease, 15 s until the watchdog looks, and what a worker needs to be back.
    made = judge(KILLED, TEXT, until=400)
    assert made.slis()["never_started"] == 1.0
    assert made.slis()["stuck_in_progress"] == 1.0


CENSUS = """
0 enqueued 1
0 enqueued 2
1 dispatched 1
1 started 1
2 ended 1
2 done 1
"""


@pytest.mark.parametrize(
    ("census", "status", "detail"),
    [
        ("done=1", Status.PASS, ""),
        ("pending=1", Status.PASS, ""),
        ("pending=0", Status.PASS, ""),
        ("pending=1 in_progress=0 done=1", Status.PASS, ""),
        ("pending=0 in_progress=1 done=1", Status.PASS, ""),
        ("done=2", Status.FAIL, "1 DONE by the ledger and 2 in the census"),
        ("pending=2", Status.FAIL, "1 PENDING by the ledger and 2 in the census"),
        ("pending=0 in_progress=0", Status.FAIL, "1 PENDING + IN_PROGRESS by the ledger and 0 in the census"),
        ("failed=1", Status.FAIL, "0 FAILED by the ledger and 1 in the census"),
    ],
)
def test_a_census_agrees_in_the_states_that_it_gives(census: str, status: Status, detail: str) -> None:
    identity = foreign("at_least_once", level=3, redelivery_s=30)
    result = law(verdict(f"{CENSUS}\n9 census some {census}", TEXT, identity=identity), "conservation")
    assert (result.status, result.detail) == (status, detail)


def test_a_census_need_not_have_what_is_lost() -> None:
    identity = foreign("at_least_once", level=3, redelivery_s=30)
    made = verdict(f"{CENSUS}\n99 census some pending=0 in_progress=0", TEXT, identity=identity)
    assert law(made, "conservation").status is Status.PASS
    assert found(made, "lost_tasks").value == 1.0


def test_nor_what_was_refused() -> None:
    history = f"{CENSUS}\n3 enqueued 3\n3 failed 3 error=refused\n9 census some failed=0 done=1"
    made = verdict(history, TEXT, identity=foreign(level=3))
    assert law(made, "conservation").status is Status.PASS


@pytest.mark.parametrize(("level", "status"), [(0, Status.NOT_APPLICABLE), (3, Status.INCONCLUSIVE)])
def test_without_a_census(level: int, status: Status) -> None:
    assert law(verdict(CENSUS, TEXT, identity=foreign(level=level)), "conservation").status is status


def test_what_was_deferred_may_be_in_it() -> None:
    identity: Identity = foreign(level=3)
    history = f"{CENSUS}\n3 deferred 3\n9 census some pending=2"
    assert law(verdict(history, TEXT, identity=identity), "conservation").status is Status.PASS


def test_an_aborted_run_counts_nothing_as_lost() -> None:
    made = make_judge(TEXT, identity=AGAIN)
    observed(made, [block_of(KILLED, made.vocabulary), block_of("500 run.interrupted", made.vocabulary)])
    assert made.slis()["never_started"] == 0.0


def test_a_simulation_of_a_task_that_nobody_died_with_has_an_explanation() -> None:
    made = verdict(
        "0 enqueued 1\n0 enqueued 2\n1 dispatched 2 w0\n1 started 2 w0\n2 ended 2 w0\n2 done 2 w0\n", TEXT, until=3000
    )
    assert (found(made, "never_started").status, found(made, "never_started").value) == (Status.FAIL, 1.0)
    assert not [case for each in made.explanation if each.subject.startswith("never_started") for case in each.cases]
