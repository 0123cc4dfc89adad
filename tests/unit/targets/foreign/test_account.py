"""What is inferred of tasks from submissions and executions."""

from typing import cast

import pytest
from histories import scenario

from soak.contract import Snapshot
from soak.runner.targets.context import RunContext
from soak.runner.targets.queue.foreign.account import Account
from soak.runner.targets.submitter import Submission
from soak.schemas.stream.events import Kind, task_name
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.target.model import Promise, Promises
from soak.simulation.plan import Plan

TASK, COPY_OF_IT = 6, 7
WORKER, OTHER = 0, 1
QUEUE = "queue: {retry: {max_attempts: 2, backoff: [10s]}}"


class Notes:
    """A context that only keeps what is noted."""

    def __init__(self) -> None:
        self.plan = Plan(scenario(QUEUE))
        self.lines: list[str] = []

    def note(
        self,
        t_s: float,
        kind: Kind,
        *,
        number: int = -1,
        attempt: int = 0,
        worker: int = -1,
        cause: int = NO_CAUSE,
        value: float = 0.0,
    ) -> None:
        error = self.plan.vocabulary.causes[cause].error if cause else ""
        words = [kind.name.lower().replace("task_", "").replace("execution_", ""), task_name(number)]
        words += [f"@{attempt}"] if attempt else []
        words += [error] if error else []
        words += [f"{value:g}"] if value else []
        self.lines.append(f"{t_s:g} {' '.join(words)}")

    def cause(self, error: str) -> int:
        return self.plan.vocabulary.cause("", error)


class Told:
    """An account, and what it noted. `begun`: a task that was submitted at 1 and started at 2."""

    def __init__(self, *promises: Promise, begun: bool = True) -> None:
        self.notes = Notes()
        self.account = Account(cast(RunContext, self.notes), Promises(frozenset(promises)))
        self.ended: list[tuple[int, float]] = []
        self.account.ended = lambda number, t_s: self.ended.append((number, t_s))
        self.account.offered(Submission(0.5, TASK, NO_CAUSE))
        self.account.accepted(TASK, 1.0)
        if begun:
            assert self.account.started(TASK, WORKER, 2.0) == 1
            self.notes.lines.clear()

    def fails(self, attempt: int, t_s: float, *, transient: bool = True, since_s: float | None = None) -> None:
        cause = self.notes.cause("network")
        self.account.failed(TASK, attempt, WORKER, t_s, cause, 1.0, transient=transient, since_s=since_s)

    def dies(self, attempt: int, t_s: float) -> None:
        self.account.died(TASK, attempt, WORKER, t_s, self.notes.cause("process_gone"), 1.0)

    def succeeds(self, attempt: int, t_s: float) -> None:
        self.account.succeeded(TASK, attempt, WORKER, t_s, 1.0)

    @property
    def lines(self) -> list[str]:
        return self.notes.lines


def test_a_task_that_runs_once() -> None:
    told = Told(begun=False)
    told.account.started(TASK, WORKER, 2.0)
    told.succeeds(1, 3.0)
    assert told.lines == ["1 enqueued 3 0.5", "2 dispatched 3 @1", "2 started 3 @1", "3 ended 3 @1 1", "3 done 3 @1"]
    assert told.ended == [(TASK, 3.0)]
    assert told.account.snapshot() == Snapshot(done=1)
    assert told.account.open == told.account.running == 0


def test_a_body_that_starts_before_the_answer_shows_that_it_was_accepted() -> None:
    told = Told(begun=False)
    number = TASK + 2
    told.account.offered(Submission(1.5, number, NO_CAUSE))
    told.notes.lines.clear()
    told.account.started(number, WORKER, 2.0)
    told.account.accepted(number, 2.5)
    told.account.refused(number, 2.6)
    assert told.lines == ["2 enqueued 4 1.5", "2 dispatched 4 @1", "2 started 4 @1"]
    assert told.account.snapshot() == Snapshot(pending=1, in_progress=1)


def test_a_copy_that_is_refused_is_skipped_and_one_that_is_accepted_is_a_task() -> None:
    told = Told()
    duplicate = told.notes.cause("duplicate")
    for t_s in (3.0, 4.0):
        told.account.offered(Submission(t_s, COPY_OF_IT, duplicate))
        (told.account.refused if t_s < 4 else told.account.accepted)(COPY_OF_IT, t_s)
    assert told.lines == ["3 skipped 3.2 duplicate", "4 enqueued 3.2 duplicate 4"]


def test_an_original_that_is_refused_has_failed() -> None:
    told = Told()
    told.account.offered(Submission(3.0, TASK + 2, NO_CAUSE))
    told.account.refused(TASK + 2, 3.5)
    assert told.lines == ["3.5 enqueued 4 3", "3.5 dispatched 4", "3.5 failed 4 refused"]


def test_what_fails_is_tried_again_where_that_is_promised() -> None:
    told = Told(Promise.RETRIES)
    told.fails(1, 3.0)
    told.account.started(TASK, WORKER, 4.0)
    told.fails(2, 5.0)
    assert told.lines == [
        "3 ended 3 @1 network 1",
        "3 retry 3 @1 network 3",
        "4 dispatched 3 @2",
        "4 started 3 @2",
        "5 ended 3 @2 network 1",
        "5 failed 3 @2 network",
    ]


def test_a_promised_backoff_is_when_the_next_attempt_may_start() -> None:
    told = Told(Promise.RETRIES, Promise.BACKOFF)
    told.fails(1, 3.0)
    assert told.lines[-1] == "3 retry 3 @1 network 13"


def test_the_system_may_count_from_before_a_failure_was_seen() -> None:
    told = Told(Promise.RETRIES, Promise.BACKOFF)
    told.fails(1, 3.0, since_s=2.5)
    assert told.lines[-1] == "3 retry 3 @1 network 12.5"


@pytest.mark.parametrize("promises", [(), (Promise.RETRIES,), (Promise.RETRIES, Promise.PERMANENT_ERRORS)])
def test_a_permanent_error_is_the_end_as_far_as_is_known(promises: tuple[Promise, ...]) -> None:
    told = Told(*promises)
    told.fails(1, 3.0, transient=False)
    assert told.lines[-1] == "3 failed 3 @1 network"
    assert told.account.open == 0


@pytest.mark.parametrize(
    ("promises", "again"),
    [
        ((Promise.RETRIES,), ["6 retry 3 @1 redelivered 6", "6 dispatched 3 @2", "6 started 3 @2"]),
        ((Promise.PERMANENT_ERRORS,), ["6 dispatched 3 @2", "6 started 3 @2"]),
    ],
    ids=["may be tried again", "must not be"],
)
def test_what_failed_permanently_must_not_start_again_where_that_is_promised(
    promises: tuple[Promise, ...], again: list[str]
) -> None:
    """From FAILED to IN_PROGRESS without a retry is no legal change of state."""
    told = Told(*promises)
    told.fails(1, 3.0, transient=False)
    told.notes.lines.clear()
    told.account.started(TASK, WORKER, 6.0)
    assert told.lines == again


def test_an_attempt_too_many_is_one_where_the_number_is_promised() -> None:
    told = Told(Promise.RETRIES)
    told.fails(1, 3.0)
    told.account.started(TASK, WORKER, 4.0)
    told.fails(2, 5.0)
    told.notes.lines.clear()
    assert told.account.started(TASK, WORKER, 6.0) == 3
    assert told.lines == ["6 retry 3 @2 redelivered 6", "6 dispatched 3 @3", "6 started 3 @3"]


def test_what_dies_stays_in_progress_until_it_starts_again() -> None:
    told = Told()
    told.dies(1, 3.0)
    assert told.account.snapshot() == Snapshot(in_progress=1)
    told.account.started(TASK, OTHER, 9.0)
    told.succeeds(2, 10.0)
    assert told.lines == [
        "3 ended 3 @1 process_gone 1",
        "9 retry 3 @1 process_gone 9",
        "9 dispatched 3 @2",
        "9 started 3 @2",
        "10 ended 3 @2 1",
        "10 done 3 @2",
    ]


def test_a_start_while_another_execution_runs_is_a_redelivery() -> None:
    told = Told()
    told.account.started(TASK, OTHER, 3.0)
    told.succeeds(1, 4.0)
    told.succeeds(2, 5.0)
    assert told.lines == [
        "3 retry 3 @1 redelivered 3",
        "3 dispatched 3 @2",
        "3 started 3 @2",
        "4 ended 3 @1 1",
        "4 done 3 @1",
        "5 ended 3 @2 1",
    ]
    assert told.ended == [(TASK, 4.0)]
    assert told.account.running == 0


def test_one_that_fails_while_another_execution_runs_has_not_failed_for_good() -> None:
    told = Told()
    told.account.started(TASK, OTHER, 3.0)
    told.fails(1, 4.0)
    assert told.account.open == 1
    told.succeeds(2, 5.0)
    assert told.lines[-1] == "5 done 3 @2"


def test_a_start_after_the_end_changes_no_state() -> None:
    told = Told()
    told.succeeds(1, 3.0)
    told.notes.lines.clear()
    told.account.started(TASK, WORKER, 4.0)
    told.succeeds(2, 5.0)
    assert told.lines == ["4 started 3 @2", "5 ended 3 @2 1"]
    assert told.account.snapshot() == Snapshot(done=1)


def test_over_its_budget_it_is_blocked() -> None:
    told = Told(Promise.GUARDRAIL)
    told.account.blocked(TASK, 1, WORKER, 3.0, told.notes.cause("budget"), 1.0)
    assert told.lines == ["3 ended 3 @1 budget 1", "3 blocked 3 @1 budget"]
    told.account.started(TASK, WORKER, 4.0)
    assert told.lines[2:] == ["4 retry 3 @1 redelivered 4", "4 dispatched 3 @2", "4 started 3 @2"]


def test_an_attempt_that_dies_leaves_all_attempts_to_be_made() -> None:
    told = Told(Promise.RETRIES)
    told.dies(1, 4.0)
    told.account.started(TASK, WORKER, 5.0)
    told.fails(2, 6.0)
    assert told.notes.lines[-1].startswith("6 retry")
    told.account.started(TASK, WORKER, 7.0)
    told.fails(3, 8.0)
    assert told.notes.lines[-1].startswith("8 failed")


def test_or_one_less_where_the_system_counts_it_and_the_last_one_ends_the_task() -> None:
    told = Told(Promise.RETRIES, Promise.CRASHES_COUNT)
    told.dies(1, 4.0)
    assert not any("failed" in line for line in told.notes.lines)
    told.account.started(TASK, WORKER, 5.0)
    told.dies(2, 6.0)
    assert told.notes.lines[-1] == "6 failed 3 @2 process_gone"
    assert told.ended == [(TASK, 6.0)]
