"""What the judge makes of jitter, early acknowledgement and dead letters, in histories of a few lines."""

import pytest
from histories import verdict as judged

from soak.schemas.evidence.verdict import LawResult, Verdict

FULL = "queue: {retry: {max_attempts: 3, backoff: [60s], jitter: full}}\nfaults: [{name: net, type: transient_error, rate: 9%}]"
EQUAL = FULL.replace("full", "equal")
FAILED = """
0 enqueued 1
0 dispatched 1
0 started 1
9 ended 1 fault=net error=net
9 retry 1 fault=net error=net due={due}
{start} dispatched 1
{start} started 1
{start} ended 1
{start} done 1
99 census done=1
"""


def verdict(text: str, history: str) -> Verdict:
    return judged(history, text)


def law(found: Verdict, name: str) -> LawResult:
    return next(each for each in found.laws if each.law == name)


@pytest.mark.parametrize(
    ("text", "due", "start", "violations"),
    [
        (FULL, 10, 10, 0),
        (FULL, 10, 9.5, 1),
        (FULL, 69, 68, 1),
        (EQUAL, 39, 39, 0),
        # Half of the backoff has to pass, whatever the retry says.
        (EQUAL, 20, 20, 1),
        (EQUAL, 60, 59, 1),
        (FULL.replace("full", "none"), 10, 10, 1),
    ],
)
def test_a_backoff_is_what_jitter_made_of_it(text: str, due: float, start: float, violations: int) -> None:
    found = verdict(f"{text}\nslos: [backoff_violations == 0]", FAILED.format(due=due, start=start))
    assert found.slis["backoff_violations"] == violations


EARLY = "queue: {ack: early}\nfaults: [{name: crash, type: worker_crash, rate: 9%}]\nslos: [lost_tasks <= 1, success_rate >= 1%]"
LOST = """
0 enqueued 1
0 enqueued 2
0 dispatched 1 w0
0 started 1 w0
0 dispatched 2 w1
0 started 2 w1
5 injected 1 w0 fault=crash
5 ended 1 w0 fault=crash error=crash
5 task.lost 1 w0 fault=crash error=crash
9 ended 2 w1
9 done 2 w1
"""


def test_with_early_acknowledgement_a_lost_task_breaks_no_law() -> None:
    found = verdict(EARLY, f"{LOST}\n10 census done=1")
    assert found.slis["lost_tasks"] == 1
    assert found.tasks["LOST"] == 1
    assert found.unfinished == 0
    assert {each.status for each in found.laws} == {"PASS"}
    assert law(found, "conservation").detail == "2 accepted, 1 in the census, 1 known to be lost"
    assert law(found, "redelivery").detail == "1 tasks were lost with their workers, which the scenario allows"
    assert found.verdict == "PASS"


def test_an_objective_judges_what_is_lost() -> None:
    found = verdict(EARLY.replace("lost_tasks <= 1", "lost_tasks == 0"), f"{LOST}\n10 census done=1")
    assert found.verdict == "FAIL"
    assert found.reasons == ["objective lost_tasks == 0 is broken: 1 observed"]


def test_what_is_missing_and_was_not_seen_to_be_lost_breaks_the_law() -> None:
    found = verdict(EARLY, f"{LOST}\n10 census done=0")
    assert (law(found, "conservation").status, law(found, "conservation").value) == ("FAIL", 1)
    assert found.slis["lost_tasks"] == 2


def test_a_system_may_still_count_what_is_lost() -> None:
    assert law(verdict(EARLY, f"{LOST}\n10 census done=1 in_progress=1"), "conservation").status == "PASS"
    assert law(verdict(EARLY, f"{LOST}\n10 census done=1 in_progress=2"), "conservation").status == "FAIL"


def test_what_is_delivered_at_most_once_is_not_started_again() -> None:
    again = "6 dispatched 1 w1\n6 started 1 w1\n8 ended 1 w1\n8 done 1 w1\n10 census done=2"
    found = verdict(EARLY, f"{LOST.rpartition('9 ended')[0]}{again}")
    assert (law(found, "redelivery").status, law(found, "redelivery").value) == ("FAIL", 1)
    assert law(found, "redelivery").detail == "1 executions started after their task was lost"
    assert law(found, "legal_transitions").status == "FAIL"


def test_a_dead_letter_counts_once_and_is_failed() -> None:
    text = (
        "queue: {max_deliveries: 1}\nfaults: [{name: net, type: transient_error, rate: 9%}]\nslos: [dead_lettered == 0]"
    )
    history = """
    0 enqueued 1
    0 dispatched 1
    0 started 1
    9 ended 1 fault=net error=net
    9 dead_lettered 1 fault=net error=net
    9 failed 1 fault=net error=net
    99 census failed=1
    """
    found = verdict(text, history)
    assert (found.slis["dead_lettered"], found.slis["success_rate"], found.tasks["FAILED"]) == (1, 0, 1)
    assert found.verdict == "FAIL"


def test_without_a_limit_there_is_no_such_indicator() -> None:
    assert "dead_lettered" not in verdict("", "0 enqueued 1").slis


def test_more_deliveries_than_allowed_are_excess_attempts() -> None:
    history = """
    0 enqueued 1
    0 dispatched 1 @1
    1 retry 1 @1 due=1
    1 dispatched 1 @2
    2 done 1 @2
    99 census done=1
    """
    assert verdict("queue: {max_deliveries: 1}", history).slis["excess_attempts"] == 1
    assert verdict("queue: {max_deliveries: 2}", history).slis["excess_attempts"] == 0


OUTLASTED = """
queue: {lease: {duration: 10s, heartbeat: none}, retry: {backoff: [5s]}}
faults:
  - {name: crash, type: worker_crash, rate: 9%}
  - {name: net, type: transient_error, rate: 9%}
"""


def test_the_death_of_what_had_been_delivered_again_needs_no_other_delivery() -> None:
    history = """
    0 enqueued 1
    0 dispatched 1 w0 @1
    0 started 1 w0 @1
    10 expired 1 w0 @1 error=lease_expired
    10 retry 1 w0 @1 due=10 error=lease_expired
    11 dispatched 1 w1 @2
    11 started 1 w1 @2
    14 ended 1 w0 @1 fault=crash error=crash
    15 ended 1 w1 @2 fault=net error=net
    15 retry 1 w1 @2 due=20 fault=net error=net
    20 dispatched 1 w1 @3
    20 started 1 w1 @3
    23 ended 1 w1 @3 fault=crash error=crash
    30 expired 1 w1 @3 fault=crash error=crash
    30 retry 1 w1 @3 due=30 fault=crash error=crash
    32 dispatched 1 w0 @4
    32 started 1 w0 @4
    33 ended 1 w0 @4
    33 done 1 w0 @4
    99 census done=1
    """
    found = verdict(OUTLASTED, history)
    # Only that of the third attempt was followed by the next: nine seconds later.
    assert (found.slis["redelivery_time_mean"], found.slis["redelivery_time_max"]) == (9, 9)
    assert found.slis["duplicate_executions"] == 1
    assert {each.status for each in found.laws} == {"PASS"}


def test_a_fault_that_was_over_is_not_blamed_for_a_timeout() -> None:
    history = """
    0 enqueued 1
    0 dispatched 1 w0 @1
    0 started 1 w0 @1
    1 injected 1 w0 @1 fault=net
    1 ended 1 w0 @1 fault=net error=net
    1 retry 1 w0 @1 due=6 fault=net error=net
    6 dispatched 1 w0 @2
    6 started 1 w0 @2
    16 expired 1 w0 @2 error=lease_expired
    16 retry 1 w0 @2 due=16 error=lease_expired
    16 dispatched 1 w1 @3
    16 started 1 w1 @3
    17 ended 1 w1 @3
    17 done 1 w1 @3
    18 ended 1 w0 @2
    18 refused 1 w0 @2 error=lease_expired
    99 census done=1
    """
    found = verdict(OUTLASTED, history)
    assert found.slis["duplicate_executions"] == 1
    assert {each.fault: each.cost.duplicated for each in found.attribution} == {"crash": 0, "net": 0}
