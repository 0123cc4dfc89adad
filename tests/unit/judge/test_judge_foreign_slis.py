"""Indicators of task systems that a target file describes: what starts when, what starts again and why, workers, brokers."""

import pytest
from histories import foreign, judge, sli, verdict

from soak.schemas.evidence.verdict import Status
from soak.schemas.stream.identity import Identity

WORKERS = foreign("exclusive exactly_once_effect", level=1)


def value(
    name: str, history: str, *, until: float | None = None, cuts: tuple[int, ...] = (), who: Identity = WORKERS
) -> float:
    """The value of an indicator that an objective asks for."""
    target = {"consumer_stall": "<= 1h", "broker_memory": "<= 1GB"}.get(name, ">= 0")
    made = judge(history, f"slos: [{name} {target}]", until=until, cuts=cuts, identity=who)
    return made.sli_value(made.scenario.slis[name])


# Two tasks wait while both workers are busy; then nobody takes up the third.
STALLED = """
0  process.started w0 name=w0
0  process.started w1 name=w1
0  enqueued 1
0  enqueued 2
0  enqueued 3
1  dispatched 1 w0
1  started 1 w0
2  dispatched 2 w1
2  started 2 w1
9  ended 1 w0
9  done 1 w0
40 dispatched 3 w0
40 started 3 w0
41 ended 3 w0
41 done 3 w0
50 ended 2 w1
50 done 2 w1
"""


@pytest.mark.parametrize("cuts", [(), (5,), (9, 11), tuple(range(1, 17))])
def test_a_consumer_stalls_where_work_waits_and_a_worker_is_free(cuts: tuple[int, ...]) -> None:
    # Both are busy from 2 s on; from 9 s on one is not, until 40 s. After that nothing waits.
    assert value("consumer_stall", STALLED, until=500, cuts=cuts) == 31.0


def test_no_worker_no_consumer() -> None:
    # Its only worker is down from 12 s to 35 s.
    gone = STALLED.replace("40 dispatched", "12 exited w0 name=w0\n35 process.started w0 name=w0\n40 dispatched")
    assert value("consumer_stall", gone, until=500) == 5.0


def test_work_that_is_not_due_does_not_wait() -> None:
    later = STALLED.replace("0  enqueued 3", "0  enqueued 3 due=30")
    assert value("consumer_stall", later, until=500) == 10.0


def test_a_stall_that_lasts_counts_so_far() -> None:
    lasting = "\n".join(line for line in STALLED.splitlines() if " 3 " not in f"{line} " or "enqueued" in line)
    assert value("consumer_stall", lasting, until=100) == 91.0


def test_of_a_target_without_workers_those_of_the_scenario_count() -> None:
    history = "0 enqueued 1\n0 enqueued 2\n1 dispatched 1\n1 started 1\n9 ended 1\n9 done 1"
    assert value("consumer_stall", history, until=20, who=foreign()) == 19.0
    assert value("consumer_stall", history, until=20) == 0.0


def test_workers_that_are_up_are_counted_from_their_starts() -> None:
    history = f"{STALLED}60 exited w1 name=w1\n61 process.started w1 name=w1\n70 busy_workers 0"
    assert value("workers_alive", history, until=80) == 1.0
    assert value("workers_alive", STALLED + "70 busy_workers 0", until=80) == 2.0


def test_workers_that_exit_before_they_were_seen_to_start_do_not_count() -> None:
    assert value("workers_alive", "0 process.started w0 name=w0\n1 exited w7 name=w7\n2 busy_workers 0", until=9) == 1.0


AGAIN = """
0 enqueued 1
1 dispatched 1 w0
1 started 1 @1 w0
2 retry 1 error=redelivered due=2
2 dispatched 1 w1
2 started 1 @2 w1
3 ended 1 @1 w0
3 done 1 @1 w0
4 ended 1 @2 w1
5 started 1 @3 w1
6 ended 1 @3 w1
"""


@pytest.mark.parametrize("cuts", [(), (6,), (7, 8), tuple(range(1, 11))])
def test_duplicates_are_told_apart_by_what_else_ran(cuts: tuple[int, ...]) -> None:
    assert value("duplicates_while_running", AGAIN, cuts=cuts) == 1.0
    assert value("duplicates_after_done", AGAIN, cuts=cuts) == 1.0
    assert value("duplicate_executions", AGAIN, cuts=cuts) == 2.0


def test_and_explained() -> None:
    slos = "slos: [duplicate_executions == 0, duplicates_while_running == 0, duplicates_after_done == 0]"
    made = verdict(AGAIN, slos, identity=WORKERS)
    causes = [[each.cause for each in explained.cases] for explained in made.explanation]
    assert causes == [
        ["redelivered after DONE", "redelivered while running"],
        ["redelivered while running"],
        ["redelivered after DONE"],
    ]
    assert [each.since_s for each in made.explanation] == [2.0, 2.0, 5.0]
    first = made.explanation[1].cases[0].first[0]
    assert (first.before, first.after) == ("running on w0", "running on w1")


def test_a_system_that_reports_its_claims_claims_twice() -> None:
    made = verdict(AGAIN, "slos: [duplicates_while_running == 0]", identity=foreign("exclusive", level=4))
    assert [each.cause for each in made.explanation[0].cases] == ["claimed twice"]


def test_a_copy_that_runs_too_was_submitted_twice() -> None:
    history = """
    0 enqueued 1
    1 dispatched 1
    1 started 1
    2 enqueued 1.2
    3 dispatched 1.2
    3 started 1.2
    """
    made = verdict(history, "slos: [duplicates_while_running == 0]", identity=WORKERS)
    assert [each.cause for each in made.explanation[0].cases] == ["submitted twice"]


CRASHED = """
0 enqueued 1
1 dispatched 1 w0
1 started 1 @1 w0
2 ended 1 @1 w0 fault=kill
2 exited w0 fault=kill name=w0
4 retry 1 fault=kill due=4
4 dispatched 1 w1
4 started 1 @2 w1
5 ended 1 @2 w1
5 done 1 @2 w1
"""
KILL = "faults: [{name: kill, type: worker_restart, at: 2s}]\nslos: [executions_after_crash == 0]"


@pytest.mark.parametrize("cuts", [(), (3,), (4, 7), tuple(range(1, 10))])
def test_executions_after_a_crash_are_counted(cuts: tuple[int, ...]) -> None:
    made = judge(CRASHED, KILL, cuts=cuts, identity=WORKERS)
    assert made.slis()["executions_after_crash"] == 1.0
    assert value("duplicates_while_running", CRASHED) == 0.0


def test_with_the_fault_that_they_come_after() -> None:
    made = verdict(CRASHED, KILL, identity=WORKERS)
    [cases] = made.explanation[0].cases
    assert (cases.cause, cases.first[0].t_s, cases.first[0].detail) == (
        "after fault kill",
        4.0,
        "attempt 1 died at 2s",
    )


def test_without_a_crash_there_are_none() -> None:
    assert sli("executions_after_crash", AGAIN, "slos: [executions_after_crash == 0]") == 0.0


def test_the_memory_of_brokers_is_sampled() -> None:
    history = "0 enqueued 1\n1 broker_rss 1000\n2 broker_rss 3000\n3 broker_rss 2000"
    assert value("broker_memory", history) == 3000.0
    made = verdict(history, "slos: [broker_memory <= 2kB, broker_memory_growth <= 1MB/h]", identity=WORKERS)
    assert made.objectives[0].status is Status.FAIL
    assert made.slis["broker_memory_growth"] == 1_800_000.0
