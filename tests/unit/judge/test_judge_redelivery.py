"""Work whose worker died: told by the execution ledger, whatever the system says of it."""

import pytest
from histories import judge, objective, sli, verdict

from soak.schemas.evidence.verdict import LawResult

QUEUE = """
queue:
  lease: {duration: 30s, heartbeat: 10s}
  watchdog_interval: 10s
  worker_restart: 5s
  poll_interval: 5s
faults: [{name: crash, type: worker_crash, rate: 1%}]
slos: [success_rate >= 0%]
"""
ALLOWED_S = 50.0
DIED = """
0 enqueued 1
1 dispatched 1
1 started 1
9 injected 1 fault=crash error=worker_crash
9 ended 1 fault=crash error=worker_crash
"""
AGAIN = """
45 expired 1
45 retry 1 due=45 error=lease_expired
50 dispatched 1
50 started 1
60 ended 1
60 done 1
"""


def law(history: str, until: float, text: str = QUEUE, end: str = "") -> LawResult:
    """How the law comes out for a run that goes on until then, with a census that agrees with the system's words."""
    census = end or f"{until} census in_progress=1"
    made = verdict(f"{history}\n{census}", text, until=until)
    return next(each for each in made.laws if each.law == "redelivery")


def test_work_that_is_never_started_again_is_lost() -> None:
    result = law(DIED, 9 + ALLOWED_S + 1)
    assert (result.status, result.value) == ("FAIL", 1.0)
    assert result.detail == "1 tasks were never started again, although nothing else ran for longer than 50s"


def test_it_is_lost_by_the_indicator_as_well_though_the_system_says_in_progress() -> None:
    history = f"{DIED}\n99 census in_progress=1"
    assert sli("lost_tasks", history, QUEUE) == 1
    made = objective("lost_tasks == 0", history, QUEUE.replace("slos: [success_rate >= 0%]\n", ""))
    assert (made.status, made.value) == ("FAIL", 1)


@pytest.mark.parametrize("error", ["process_gone", "runner_gone"])
def test_however_a_worker_dies(error: str) -> None:
    assert law(DIED.replace("fault=crash error=worker_crash", f"error={error}"), 99).status == "FAIL"


def test_a_run_that_is_too_short_cannot_tell() -> None:
    result = law(DIED, 9 + ALLOWED_S - 20)
    assert (result.status, result.value) == ("INCONCLUSIVE", None)
    assert result.detail == (
        "1 tasks had not been started again; that may take 50s once nothing else runs (raise drain by 20s)"
    )


def test_work_that_is_started_again_is_not_lost() -> None:
    assert law(DIED + AGAIN, 999, end="999 census done=1").status == "PASS"


@pytest.mark.parametrize("end", ["failed", "blocked", "cancelled"])
def test_work_that_the_system_gives_up_is_not_lost(end: str) -> None:
    assert law(f"{DIED}40 {end} 1", 999, end=f"999 census {end}=1").status == "PASS"


def test_an_execution_that_failed_did_not_die() -> None:
    assert law(DIED.replace("fault=crash error=worker_crash", "error=network"), 999).status == "PASS"


def test_while_another_execution_of_it_runs_it_is_not_lost() -> None:
    assert law(DIED.replace("9 injected", "5 started 1 @2\n9 injected"), 999).status == "PASS"


def test_while_others_run_workers_may_be_lacking() -> None:
    busy = "0 enqueued 2\n55 dispatched 2\n55 started 2\n"
    assert law(DIED + busy, 999, end="999 census in_progress=2").status == "INCONCLUSIVE"
    idle = f"{DIED}{busy}70 ended 2\n70 done 2\n"
    census = "{0} census in_progress=1 done=1"
    assert law(idle, 70 + ALLOWED_S - 1, end=census.format(70 + ALLOWED_S - 1)).status == "INCONCLUSIVE"
    assert law(idle, 70 + ALLOWED_S + 1, end=census.format(70 + ALLOWED_S + 1)).status == "FAIL"


def test_backoffs_and_outages_are_no_loss() -> None:
    late = f"{DIED}45 expired 1\n45 retry 1 due=100 error=lease_expired\n"
    pending = "{0} census pending=1"
    assert law(late, 140, end=pending.format(140)).status == "INCONCLUSIVE"
    assert law(late, 151, end=pending.format(151)).status == "FAIL"
    out = QUEUE.replace("rate: 1%}", "rate: 1%}, {name: down, type: dispatcher_crash, at: 20s, for: 100s}")
    assert law(DIED, 9 + ALLOWED_S + 99, out).status == "INCONCLUSIVE"
    assert law(DIED, 9 + ALLOWED_S + 101, out).status == "FAIL"


def test_how_long_redelivery_takes() -> None:
    history = DIED + AGAIN
    found = {name: sli(f"redelivery_time_{name}", history, QUEUE) for name in ("mean", "p50", "max")}
    assert found == {"mean": 41.0, "p50": 41.0, "max": 41.0}
    twice = DIED + AGAIN.replace("60 ended 1\n60 done 1", "52 ended 1 error=process_gone\n53 started 1 @3\n54 done 1")
    made = judge(twice, QUEUE)
    assert made.folds.fold(made.scenario.slis["redelivery_time_max"]).samples == 2
    assert made.slis()["redelivery_time_mean"] == 21.0


def test_what_was_not_started_again_could_still_take_longest() -> None:
    second = "60 enqueued 2\n61 dispatched 2\n61 started 2\n62 ended 2 error=process_gone\n"
    result = objective(
        "redelivery_time_max <= 1m", DIED + AGAIN + second, QUEUE.replace("slos: [success_rate >= 0%]\n", "")
    )
    assert (result.status, result.detail) == ("INCONCLUSIVE", "1 unfinished tasks could still break it")


def test_lost_events_may_explain_what_was_not_seen_to_start_again() -> None:
    lost = f"{DIED}20 lost 3\n"
    late = law(lost, 999)
    assert (late.status, late.detail[-18:]) == ("INCONCLUSIVE", "3 events were lost")
    early = law(lost, 30)
    assert early.status == "INCONCLUSIVE"
    assert "raise drain" not in early.detail
    text = QUEUE.replace("slos: [success_rate >= 0%]\n", "")
    made = objective("lost_tasks == 0", f"{lost}\n999 census in_progress=1", text)
    assert (made.status, made.detail) == ("INCONCLUSIVE", "3 events were lost")
