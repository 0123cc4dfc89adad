"""Why something is broken: by histories short enough to say it by hand."""

from collections.abc import Sequence

import numpy as np
import pytest
from histories import (
    CLEAN,
    EXPIRED,
    IDENTITY,
    RETRIED,
    block_of,
    closing,
    make_judge,
    observed,
    pieces,
    tenants,
    verdict,
)

from soak.runner.judge.course import Course
from soak.runner.judge.decide import decide
from soak.runner.judge.explanation.history import History
from soak.runner.judge.samples import Samples
from soak.schemas.evidence.explanation import Case, Cases, Explanation, Stretch
from soak.schemas.evidence.verdict import End, Verdict
from soak.schemas.language.expression import Op
from soak.schemas.language.registry import catalogues

SLIS = catalogues()["queue"]


def explained(subject: str, history: str, text: str = "", *, until: float | None = None) -> Explanation:
    """The explanation of an objective, law or abort condition."""
    return of(verdict(history, text, until=until), subject)


def of(made: Verdict, subject: str) -> Explanation:
    [found] = [each for each in made.explanation if each.subject == subject]
    return found


def first(cases: Sequence[Cases]) -> list[tuple[str, int, list[tuple[float, str, int, str, str, str]]]]:
    """Cause, count and the first cases, without their details."""

    def case(each: Case) -> tuple[float, str, int, str, str, str]:
        return each.t_s, each.task, each.attempt, each.worker, each.before, each.after

    return [(each.cause, each.count, [case(one) for one in each.first]) for each in cases]


# Executions that should not have been, by how they came about.

NONE_TWICE = "slos: [duplicate_executions == 0]"
CLAIMED_TWICE = """
0 enqueued 1
2 dispatched 1 w0
2 started 1 w0 @1
3 started 1 w1 @1
9 ended 1 w0 @1
9 done 1
9 ended 1 w1 @1
"""
SUBMITTED_TWICE = """
0 enqueued 1
1 duplicate 1.2
1 enqueued 1.2
2 dispatched 1 w0
2 started 1 w0
3 dispatched 1.2 w1
3 started 1.2 w1
8 ended 1 w0
8 done 1
9 ended 1.2 w1
9 done 1.2
"""
AFTER = """
20 started 1 w2 @2
21 ended 1 w2 @2
"""


@pytest.mark.parametrize(
    ("history", "cause", "case"),
    [
        (CLAIMED_TWICE, "claimed twice", (3.0, "1", 1, "w1", "running on w0", "running on w1")),
        (SUBMITTED_TWICE, "submitted twice", (3.0, "1.2", 1, "w1", "running on w0", "running on w1")),
        (CLEAN + AFTER, "after DONE", (20.0, "1", 2, "w2", "DONE", "running on w2")),
        (
            EXPIRED,
            "claimed again after its lease expired",
            (151.0, "1", 2, "w1", "running on w0", "running on w1"),
        ),
    ],
)
@pytest.mark.parametrize("every", [100, 1, 3])
def test_a_duplicate_execution_by_its_cause(
    history: str, cause: str, case: tuple[float, str, int, str, str, str], every: int
) -> None:
    made = make_judge(NONE_TWICE)
    block = block_of(history, made.vocabulary)
    observed(made, [*pieces(block, range(every, len(block), every)), block_of(closing(block), made.vocabulary)])
    found = of(decide(made, IDENTITY, End.COMPLETED), "duplicate_executions == 0")
    assert first(found.cases) == [(cause, 1, [case])]
    assert found.since_s == case[0]


def test_a_copy_that_starts_when_the_first_is_done_was_submitted_twice() -> None:
    late = f"{CLEAN}10 duplicate 1.2\n10 enqueued 1.2\n11 dispatched 1.2 w3\n11 started 1.2 w3\n12 ended 1.2\n12 done 1.2\n"
    found = explained("duplicate_executions == 0", late, NONE_TWICE)
    assert first(found.cases) == [("submitted twice", 1, [(11.0, "1.2", 1, "w3", "DONE", "running on w3")])]


def test_what_still_runs_is_said_also_when_a_later_execution_has_ended() -> None:
    history = "0 started 1 w0 @1\n1 started 1 w1 @2\n2 ended 1 w1 @2\n3 started 1 w2 @3\n"
    found = explained("duplicate_executions == 0", history, NONE_TWICE)
    assert [case.detail for each in found.cases for case in each.first] == [
        "still running: attempt 1 of 1 on w0 since 0s",
        "still running: attempt 1 of 1 on w0 since 0s",
    ]


def test_five_of_each_cause_are_kept_and_all_are_counted() -> None:
    tasks = range(1, 9)
    started = "".join(f"{task} started {task} w0 @1\n{task} started {task} w1 @1\n" for task in tasks)
    done = "".join(f"{20 + task} done {task}\n" for task in tasks)
    found = explained("duplicate_executions == 0", f"{started}{done}40 started 8 w3 @2\n", NONE_TWICE)
    assert [(each.cause, each.count, len(each.first)) for each in found.cases] == [("claimed twice", 9, 5)]
    assert [case.task for case in found.cases[0].first] == ["1", "2", "3", "4", "5"]
    assert found.text == (
        "duplicate_executions was above 0 from 1s on. First: task 1 at 1s on w1. By cause: claimed twice (9)."
    )


def test_the_warm_up_does_not_count() -> None:
    late = CLAIMED_TWICE.replace(" 1 ", " 2 ").replace("enqueued 1", "enqueued 2").replace("done 1", "done 2")
    shifted = "\n".join(
        f"{float(line.split()[0]) + 60} {line.split(maxsplit=1)[1]}" for line in late.split("\n") if line
    )
    found = explained("duplicate_executions == 0", f"{CLAIMED_TWICE}{shifted}", f"{NONE_TWICE}\nwarmup: 30s")
    assert [(each.count, [case.t_s for case in each.first]) for each in found.cases] == [(1, [63.0])]


# Other violations.


def test_an_illegal_transition_says_from_where_to_where() -> None:
    history = f"{CLEAN}20 dispatched 1 w3\n"
    text = "slos: [illegal_transitions == 0]"
    found = explained("illegal_transitions == 0", history, text)
    assert first(found.cases) == [("DONE to IN_PROGRESS", 1, [(20.0, "1", 2, "w3", "DONE", "IN_PROGRESS")])]
    assert explained("legal_transitions", history, text).cases == found.cases


def test_failed_tasks_are_told_apart_by_error_and_tenant() -> None:
    lines = [
        f"{number} enqueued {number} tenant={tenant}\n{number} dispatched {number}\n{number} failed {number} error={error}\n"
        for number, tenant, error in ((1, "A", "bad"), (2, "B", "bad"), (3, "A", "late"), (4, "A", "bad"))
    ]
    text = f"{tenants('A', 'B')}\nslos: [success_rate >= 50%, 'success_rate{{tenant=A}} >= 50%']"
    made = verdict("".join(lines), text)
    assert [(each.cause, each.count) for each in of(made, "success_rate >= 50%").cases] == [("bad", 3), ("late", 1)]
    own = of(made, "success_rate{tenant=A} >= 50%").cases
    assert [(each.cause, [case.task for case in each.first]) for each in own] == [("bad", ["1", "4"]), ("late", ["3"])]


def test_an_early_retry_says_by_how_much() -> None:
    text = "slos: [backoff_violations == 0]\nqueue: {retry: {backoff: [1m]}}"
    early = RETRIED.replace("70 dispatched", "60 dispatched").replace("70 started", "60 started")
    [cases] = explained("backoff_violations == 0", early, text).cases
    assert cases.first[0].detail == "3s early: its backoff was over at 63s"


def test_a_copy_that_was_accepted_while_the_first_was_active() -> None:
    found = explained("duplicate_block_rate == 100%", SUBMITTED_TWICE, "slos: [duplicate_block_rate == 100%]")
    assert first(found.cases) == [("accepted a second time", 1, [(1.0, "1.2", 0, "", "PENDING", "PENDING")])]
    assert found.since_s == 1.0


def test_own_counts_and_shares_have_cases() -> None:
    text = """
    slis:
      retries: {count: task.retry}
      good: {ratio: {good: task.done, total: [task.done, task.retry]}}
    slos: [retries == 0, good >= 90%]
    """
    made = verdict(RETRIED, text)
    for subject in ("retries == 0", "good >= 90%"):
        assert first(of(made, subject).cases) == [("timeout", 1, [(3.0, "1", 1, "", "", "")])]
        assert of(made, subject).cases[0].first[0].detail == "fault net"


def test_a_law_of_a_system_has_cases_too() -> None:
    history = "0 enqueued 1\n1 dispatched 1 w0\n1 started 1 w0\n5 ended 1 w0 error=bad\n5 done 1 w0\n"
    found = explained("ledger_agreement", history, "slos: [success_rate >= 0%]")
    assert first(found.cases) == [("DONE although its attempt failed", 1, [(5.0, "1", 1, "w0", "IN_PROGRESS", "DONE")])]


# Losses.

CRASHES = """
slos: [lost_tasks == 0]
queue: {lease: {duration: 30s, heartbeat: 10s}, watchdog_interval: 10s, worker_restart: 5s, poll_interval: 5s}
faults: [{name: crash, type: worker_crash, rate: 1%}]
"""


def lost(task: int, t_s: float, worker: int) -> str:
    """A task whose worker is killed while it runs, and a second one that dies with it."""
    return f"""
{t_s} enqueued {task}
{t_s} enqueued {task + 1}
{t_s} dispatched {task} w{worker}
{t_s} started {task} w{worker}
{t_s} dispatched {task + 1} w{worker}
{t_s} started {task + 1} w{worker}
{t_s + 1} injected {task} w{worker} fault=crash error=worker_crash
{t_s + 1} ended {task} w{worker} fault=crash error=worker_crash
{t_s + 1} exited w{worker} name=consumer fault=crash error=worker_crash
{t_s + 2} ended {task + 1} w{worker} error=process_gone
"""


def test_lost_tasks_name_the_kills_they_were_running_at() -> None:
    history = f"{lost(1, 0, 0)}{lost(3, 60, 0)}"
    found = explained("lost_tasks == 0", f"{history}500 census in_progress=4", CRASHES)
    assert found.text == "4 tasks were running at 2 kills of consumer (fault crash), first at 1s."
    assert [(each.cause, [case.task for case in each.first]) for each in found.cases] == [
        ("its process died (process_gone)", ["2", "4"]),
        ("killed by fault crash", ["1", "3"]),
    ]
    assert {case.worker for each in found.cases for case in each.first} == {"consumer"}
    law = explained("redelivery", f"{history}500 census in_progress=4", CRASHES)
    assert (law.text, law.cases) == (found.text, found.cases)


def test_a_process_that_exits_later_is_another_death() -> None:
    apart = lost(1, 0, 0).replace("2 ended 2", "40 ended 2")
    found = explained("lost_tasks == 0", f"{apart}500 census in_progress=2", CRASHES)
    assert found.text.startswith("2 tasks were running at 2 deaths of consumer (fault crash)")


def test_a_process_whose_exit_is_noticed_after_its_executions_died() -> None:
    tasks = "".join(f"0 enqueued {n}\n0 dispatched {n} w0\n0 started {n} w0\n" for n in (1, 2))
    died = "1 ended 1 w0 error=process_gone\n2 ended 2 w0 error=process_gone\n3 exited w0 name=consumer error=died\n"
    found = explained("lost_tasks == 0", f"{tasks}{died}500 census in_progress=2", CRASHES)
    assert found.text == "2 tasks were running at 1 death of consumer, first at 1s."


def test_tasks_missing_from_the_census_are_told_by_state() -> None:
    found = explained("conservation", f"{CLEAN}10 census in_progress=0 done=0", "slos: [success_rate >= 0%]")
    assert found.text == "1 DONE by the events and 0 in the census."


# Since when, and in which stretches.


def history(name: str, op: Op, target: float, samples: Samples, *, least: int = 1, end_s: float = 1000.0) -> History:
    """The history of an indicator."""
    sli = SLIS[name]
    course = Course(ranked=True)
    course.observe(samples)
    return History(course, sli, op, target, -1 if op is Op.GE else 1, least, 0.0, end_s)


def test_a_share_is_broken_since_it_last_held() -> None:
    good = np.array([1.0] * 10 + [0.0] + [1.0] * 9 + [0.0] * 10)
    made = history("success_rate", Op.GE, 0.9, Samples(np.arange(30.0), good))
    # After the 11th 10 of 11 are good, after the 21st 19 of 21 (90.5 %), after the 22nd 19 of 22 (86.4 %).
    assert made.since() == 21.0
    assert history("success_rate", Op.GE, 0.9, Samples(np.arange(30.0), good), least=25).since() == 24.0


@pytest.mark.parametrize(("name", "op"), [("latency_p50", Op.LE), ("latency_mean", Op.LE), ("latency_max", Op.LE)])
def test_a_level_is_broken_since_it_last_held(name: str, op: Op) -> None:
    value = np.array([1.0] * 10 + [50.0] * 20)
    # The median is 50 from 11 of 21 on, the mean above 10 from the 13th (12.8) on, the largest from the 11th on.
    since = {"latency_p50": 20.0, "latency_mean": 12.0, "latency_max": 10.0}[name]
    assert history(name, op, 10.0, Samples(np.arange(30.0), value)).since() == since


def test_what_holds_at_the_end_was_not_broken_since_any_time() -> None:
    assert history("latency_p95", Op.LE, 100.0, Samples(np.arange(30.0), np.ones(30))).since() is None


def test_stretches_that_are_broken_by_themselves() -> None:
    t_s = np.arange(0.0, 1000.0)
    good = np.where((t_s >= 300) & (t_s < 400), 0.5, 1.0)
    made = history("success_rate", Op.GE, 0.99, Samples(t_s, good)).places()
    assert made is not None
    assert made.length_s == 120.0
    assert made.worst == Stretch(240.0, 360.0, 0.75, 120)
    assert [(each.start_s, each.end_s) for each in made.broken] == [(240.0, 360.0), (360.0, 480.0)]
    assert len(made.seen) == 9


def test_a_run_with_too_few_observations_has_no_worst_stretch() -> None:
    assert history("latency_p99", Op.LE, 1.0, Samples(np.arange(50.0), np.full(50, 2.0))).places() is None


BURSTS = """
duration: 30m
drain: 10m
workload:
  arrivals: {rate: 12/min, burst: {every: 10m, for: 2m, rate: 30/min}}
  task: {duration: {distribution: constant, value: 1s}}
queue: {workers: 2}
faults: [{name: dark, type: db_outage, at: 10m30s, for: 30s}]
phases: [{name: early, at: 0s, for: 10m}]
slos: [latency_p95 <= 10s]
"""


def slow_burst() -> str:
    """A task every two seconds for half an hour, each done in a second; those of the second burst take a minute."""
    lines = []
    for number in range(1, 900):
        t_s = 2.0 * number
        end_s = t_s + (60 if 600 <= t_s < 720 else 1)
        lines += [
            (t_s, f"{t_s} enqueued {number}"),
            (t_s, f"{t_s} dispatched {number} w0"),
            (t_s, f"{t_s} started {number} w0"),
            (end_s, f"{end_s} ended {number} w0"),
            (end_s, f"{end_s} done {number} w0"),
        ]
    lines += [(60.0 * minute, f"{60 * minute} queue_depth {72 if minute == 12 else 1}") for minute in range(1, 31)]
    lines += [(60.0 * minute, f"{60 * minute} busy_workers 2") for minute in range(1, 31)]
    return "\n".join(line for _, line in sorted(lines, key=lambda each: each[0]))


def test_the_worst_stretch_with_what_went_on_then() -> None:
    found = explained("latency_p95 <= 10s", slow_burst(), BURSTS)
    assert found.worst is not None
    assert found.around is not None
    assert (found.worst.start_s, found.worst.end_s) == (600.0, 900.0)
    assert found.worst.value == pytest.approx(60.0, rel=0.02)
    assert [(each.number, each.start_s) for each in found.around.bursts] == [(2, 600.0)]
    assert [each.fault for each in found.around.faults] == ["dark"]
    assert found.around.phases == []
    assert [(each.what, each.mean, each.most, each.limit) for each in found.around.load] == [
        ("workers busy", 2.0, 2.0, 2),
        ("queued", pytest.approx(1 + 71 / 5), 72.0, None),
    ]
    assert found.text.endswith(
        "during burst 2 of 3 (10m to 12m) and fault dark (10m30s to 11m), with 2 of 2 workers busy and up to 72 queued"
        " (15 on average)."
    )


def test_what_came_just_before_durations_is_said() -> None:
    late = BURSTS.replace("at: 10m30s, for: 30s", "at: 9m, for: 30s")
    found = explained("latency_p95 <= 10s", slow_burst(), late)
    assert found.around is not None
    assert [each.fault for each in found.around.faults] == ["dark"]
    assert "after fault dark (9m to 9m30s)" in found.text


def test_the_longest_interval_and_when_one_was_first_too_long() -> None:
    history_ = """
    0 enqueued 1
    80 dispatched 1
    81 done 1
    100 enqueued 2
    300 dispatched 2
    301 done 2
    """
    found = explained("stall_time <= 1m", history_, "slos: [stall_time <= 1m]")
    assert found.since_s == 60.0
    assert found.worst is not None
    assert (found.worst.start_s, found.worst.end_s, found.worst.value) == (100.0, 300.0, 200.0)


def test_growth_says_over_which_levels_and_since_when() -> None:
    samples = "\n".join(
        f"{60 * minute} rss {1000 + (100 * (minute - 60) if minute > 60 else 0)}" for minute in range(1, 121)
    )
    text = "duration: 3h\ntelemetry: {max_gap: 3h}\nslos: [rss_growth <= 1B/h]"
    found = explained("rss_growth <= 1B/h", samples, text)
    assert found.since_s == 61 * 60.0
    assert found.text == (
        "rss rose from 1kB (mean of the first 11m54s) to 6.45kB (of the last 11m54s)."
        " It stayed above the highest of those first 11m54s from 1h1m on."
        " The mean rose in 5 of the 9 steps between 10 equal parts of the run; no step stands out."
    )


# Abort conditions, and what needs no explanation.


def test_nothing_after_an_abort_is_a_case() -> None:
    text = "abort: [{name: twice, when: duplicate_executions >= 1}]\nslos: [success_rate >= 0%]"
    made = verdict(f"{CLAIMED_TWICE}{AFTER}", text)
    assert (made.verdict, made.ended_s) == ("ABORTED", 3.0)
    found = of(made, "twice")
    assert [(each.cause, each.count) for each in found.cases] == [("claimed twice", 1)]
    assert found.since_s == 3.0


def test_an_abort_condition_says_what_went_on_in_its_window() -> None:
    text = """
    abort: [{name: collapse, when: success_rate < 50%, window: 5m, min_samples: 2}]
    faults: [{name: dark, type: db_outage, at: 7m, for: 30s}]
    """
    tasks = "".join(
        f"{600 + n} enqueued {n}\n{600 + n} dispatched {n} w0\n{600 + n} failed {n} w0 error=bad\n" for n in (1, 2)
    )
    found = of(verdict(tasks, text), "collapse")
    assert found.around is not None
    assert (found.around.start_s, found.around.end_s) == (302.0, 602.0)
    assert [each.fault for each in found.around.faults] == ["dark"]
    assert "success_rate < 50% held from 10m2s on" in found.text


def test_what_is_not_broken_is_not_explained() -> None:
    assert verdict(CLEAN, "slos: [success_rate >= 50%, duplicate_executions == 0]").explanation == []
    thin = verdict(CLEAN, "slos: [{objective: success_rate >= 50%, min_samples: 10}]")
    assert (thin.verdict, thin.explanation) == ("INCONCLUSIVE", [])


def test_a_rate_has_no_cases_of_the_series_it_shares_with_a_share() -> None:
    history_ = "0 enqueued 1\n1 dispatched 1\n2 failed 1 error=bad\n"
    made = verdict(history_, "slos: [throughput >= 9/s, success_rate >= 50%]")
    assert [each.cases for each in made.explanation if each.subject == "throughput >= 9/s"] in ([], [[]])
