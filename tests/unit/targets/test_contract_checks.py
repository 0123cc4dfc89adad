"""The checks of the contract: a sound queue passes all of them, and each defect fails the check that is meant for it."""

import broken_queues as queues
import pytest
from memory_queue import MemoryQueue

from soak.contract import Queue
from soak.runner.targets.queue.contract_checks import Result, check_class, suite
from soak.schemas.errors import UsageError

THREADS = "a claimed task is not given to another worker, with 8 concurrent threads"


def failed(kind: type[Queue], only: str = "", patience_s: float = 5.0) -> dict[str, str]:
    """What failed, and why."""
    return {
        each.name: each.detail
        for each in check_class(kind, only=only, patience_s=patience_s)
        if each.status == "failed"
    }


def test_the_example_keeps_the_contract() -> None:
    results = list(check_class(MemoryQueue))
    assert [each.name for each in results] == [check.name for check in suite(MemoryQueue)[0]]
    skipped = Result(THREADS, "skipped", "the class does not declare thread_safe = True")
    assert [each for each in results if each.status != "ok"] == [skipped]


def test_a_queue_that_is_often_busy_keeps_the_contract() -> None:
    assert failed(queues.OftenBusy) == {}


@pytest.mark.parametrize(
    ("kind", "name", "detail"),
    [
        (queues.IdempotencyOff, "a key is refused while it is PENDING", "expected Refused() for a key that is PENDING"),
        (queues.IdempotencyOff, "a key is refused while it is IN_PROGRESS", "got Accepted(task_id=1)"),
        (queues.IdempotencyOff, "a key is refused once it is DONE", "got Accepted(task_id=1)"),
        (queues.OwnerNotChecked, "a worker that lost its lease is refused", "lost its lease, got True"),
        (queues.OwnerNotChecked, "an attempt ends once", "with a claim that has ended, got True"),
        (queues.BackoffIgnored, "a transient failure is retried, but not before its backoff", "a wait of 0.1 s, got"),
        (queues.RetriesWithoutEnd, "a task is FAILED after 3 attempts", "Failed() after attempt 3, got Retry"),
        (queues.PermanentTriedAgain, "a permanent failure is FAILED at once", "expected Failed(), got Retry"),
        (queues.ExpiryToldTwice, "an expired lease is reported once", "an expired lease reported once"),
        (queues.HeartbeatIgnored, "heartbeats renew a lease", "expected the lease to be kept"),
        (queues.NewestFirst, "the oldest task comes first", "['c', 'a', 'b'], in the order of enqueueing"),
        (queues.ClaimLosesThePayload, "a claim has the enqueued data", "got (0, 'a', '', 1, 'w3')"),
        (
            queues.SnapshotForgetsBlocked,
            "the snapshot counts every task in one state",
            "1 blocked, got 2 pending, 1 in_progress, 1 done, 1 failed",
        ),
        (queues.Raises, "the oldest task comes first", "raised KeyError: 'no such row' (broken_queues.py, line "),
        (queues.Garbage, "a key is refused once it is DONE", "Garbage.complete returned None, not bool"),
        (queues.WrongField, "a key is refused while it is PENDING", "returned Accepted.task_id = None, not int or str"),
        (queues.NotLocked, THREADS, "claimed twice or more"),
    ],
)
def test_a_defect_fails_its_check(kind: type[Queue], name: str, detail: str) -> None:
    found = failed(kind, only=name)
    assert len(found) == 1
    assert detail in next(iter(found.values()))


def test_a_lease_that_never_expires_is_found() -> None:
    name = "an expired lease is reported once, and its task is due at once"
    assert failed(queues.LeaseNeverExpires, name, patience_s=0.3) == {
        name: "expected [Expired(task_id=0, attempt=1, outcome=Retry(in_s=0.0))] from recover, got []"
    }


def test_a_queue_with_a_lock_may_be_called_by_many_threads() -> None:
    assert list(check_class(queues.Locked, only=THREADS)) == [Result(THREADS, "ok")]


def test_nothing_is_run_after_a_call_that_hangs() -> None:
    results = list(check_class(queues.Hangs, patience_s=0.2))
    assert results[-1].status == "failed"
    assert results[-1].detail.startswith(
        "Hangs.claim has not answered for 0.2 s (a call must not wait; on a busy machine, raise --patience)"
    )
    assert len(results) < len(suite(queues.Hangs)[0])


def test_a_class_that_cannot_be_made_is_not_checked() -> None:
    with pytest.raises(UsageError, match=r"MadeWithoutServer\(settings\) raised ConnectionError: no server"):
        list(check_class(queues.MadeWithoutServer))


class PromisesLittle(queues.IdempotencyOff):
    """Says that it has no idempotent keys, and nothing of leases."""

    promises = ("at_least_once", "retries", "exclusive")


def test_what_a_class_does_not_promise_is_not_checked() -> None:
    results = {each.name: each for each in check_class(PromisesLittle, only="a key is refused")}
    assert {(each.status, each.detail) for each in results.values()} == {
        ("skipped", "not applicable: not promised: idempotent_keys")
    }
    [backoff] = check_class(PromisesLittle, only="a transient failure is retried")
    assert (backoff.status, backoff.detail) == ("skipped", "not applicable: not promised: backoff")
    [attempts] = check_class(PromisesLittle, only="a task is FAILED after 3 attempts")
    assert attempts.status == "ok"


class PromisesWrong(MemoryQueue):
    """Has a word that is none."""

    promises = ("retry",)


def test_a_word_that_is_no_promise_is_refused() -> None:
    with pytest.raises(UsageError, match=r"PromisesWrong: promises has 'retry' \(did you mean 'retries'"):
        list(check_class(PromisesWrong))
