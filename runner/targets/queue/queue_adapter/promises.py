"""Checks of a queue: keys, claims and states."""

from soak.contract import Snapshot
from soak.runner.targets.queue.checks import LONG_S, Checks, expect
from soak.runner.targets.queue.queue_adapter.harness import ContractHarness
from soak.schemas.target.model import Promise

CHECKS: Checks[ContractHarness] = Checks()


@CHECKS.add("a new queue is empty")
def _new(harness: ContractHarness) -> None:
    harness.is_empty_handed("nothing was enqueued")
    harness.counts(Snapshot())


@CHECKS.add("a key is refused while it is PENDING", LONG_S, Promise.IDEMPOTENT_KEYS)
def _pending(harness: ContractHarness) -> None:
    harness.add("a")
    harness.refuses("PENDING")


@CHECKS.add("a key is refused while it is IN_PROGRESS", LONG_S, Promise.IDEMPOTENT_KEYS)
def _in_progress(harness: ContractHarness) -> None:
    harness.added_and_taken("a")
    harness.refuses("IN_PROGRESS")


@CHECKS.add("a key is refused while it backs off", LONG_S, Promise.IDEMPOTENT_KEYS)
def _backing_off(harness: ContractHarness) -> None:
    harness.queue.fail(harness.added_and_taken("a"), "network", transient=True)
    harness.refuses("PENDING, and backs off")


@CHECKS.add("a key is refused once it is DONE", LONG_S, Promise.IDEMPOTENT_KEYS)
def _done(harness: ContractHarness) -> None:
    done = harness.queue.complete(harness.added_and_taken("a"))
    expect("True from complete", done, met=done)
    harness.refuses("DONE")


@CHECKS.add("a key that FAILED is accepted again, as a new task")
def _failed_again(harness: ContractHarness) -> None:
    first = harness.added_and_taken("a")
    harness.queue.fail(first, "invalid", transient=False)
    second = harness.added_and_taken("a")
    expect(f"another id than {first.task_id!r}", second, met=second.task_id != first.task_id)
    expect("attempt 1", second, met=second.attempt == 1)


@CHECKS.add("a key that is BLOCKED is accepted again, as a new task", LONG_S, Promise.GUARDRAIL)
def _blocked_again(harness: ContractHarness) -> None:
    first = harness.added_and_taken("a")
    harness.queue.block(first, "budget")
    second = harness.added_and_taken("a")
    expect(f"another id than {first.task_id!r}", second, met=second.task_id != first.task_id)


@CHECKS.add("a claim has the enqueued data and the worker it was given to")
def _claim(harness: ContractHarness) -> None:
    task = harness.add("a")
    claim = harness.take("w3")
    came = claim.task_id, claim.key, claim.payload, claim.attempt, claim.worker
    meant = task.task_id, "a", "payload of a", 1, "w3"
    expect(f"{meant} as id, key, payload, attempt and worker", came, met=came == meant)


@CHECKS.add("the oldest task comes first", LONG_S, Promise.ORDER)
def _oldest(harness: ContractHarness) -> None:
    keys = ["c", "a", "b"]
    for key in keys:
        harness.add(key)
    came = [harness.take().key for _ in keys]
    expect(f"{keys}, in the order of enqueueing", came, met=came == keys)


@CHECKS.add("a claimed task is not given to another worker", LONG_S, Promise.EXCLUSIVE)
def _claimed_once(harness: ContractHarness) -> None:
    harness.added_and_taken("a")
    harness.is_empty_handed("its only task is claimed")


@CHECKS.add("a task over its budget is BLOCKED", LONG_S, Promise.GUARDRAIL)
def _block(harness: ContractHarness) -> None:
    blocked = harness.queue.block(harness.added_and_taken("a"), "budget")
    expect("True from block", blocked, met=blocked)
    harness.is_empty_handed("its only task is BLOCKED")
    harness.counts(Snapshot(blocked=1))


@CHECKS.add("an attempt ends once")
def _ends_once(harness: ContractHarness) -> None:
    claim = harness.added_and_taken("a")
    harness.queue.complete(claim)
    harness.is_refused(claim, "has ended")
    harness.counts(Snapshot(done=1))


@CHECKS.add("the snapshot counts every task in one state", LONG_S, Promise.GUARDRAIL)
def _snapshot(harness: ContractHarness) -> None:
    harness.queue.complete(harness.added_and_taken("a"))
    harness.queue.fail(harness.added_and_taken("b"), "invalid", transient=False)
    harness.queue.block(harness.added_and_taken("c"), "budget")
    harness.queue.fail(harness.added_and_taken("d"), "network", transient=True)
    harness.added_and_taken("e")
    harness.add("f")
    harness.counts(Snapshot(pending=2, in_progress=1, done=1, failed=1, blocked=1))
