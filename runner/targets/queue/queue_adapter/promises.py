"""What a queue promises of keys, claims and states, as checks."""

from soak.contract import Snapshot
from soak.runner.targets.checks import Checks, expect
from soak.runner.targets.queue.queue_adapter.harness import Bench

CHECKS: Checks[Bench] = Checks()


@CHECKS.add("a new queue is empty")
def _new(bench: Bench) -> None:
    bench.is_empty_handed("nothing was enqueued")
    bench.counts(Snapshot())


@CHECKS.add("a key is refused while it is PENDING")
def _pending(bench: Bench) -> None:
    bench.add("a")
    bench.refuses("PENDING")


@CHECKS.add("a key is refused while it is IN_PROGRESS")
def _in_progress(bench: Bench) -> None:
    bench.added_and_taken("a")
    bench.refuses("IN_PROGRESS")


@CHECKS.add("a key is refused while it backs off")
def _backing_off(bench: Bench) -> None:
    bench.queue.fail(bench.added_and_taken("a"), "network", transient=True)
    bench.refuses("PENDING, and backs off")


@CHECKS.add("a key is refused once it is DONE")
def _done(bench: Bench) -> None:
    done = bench.queue.complete(bench.added_and_taken("a"))
    expect("True from complete", done, met=done)
    bench.refuses("DONE")


@CHECKS.add("a key that FAILED may come again, as a new task")
def _failed_again(bench: Bench) -> None:
    first = bench.added_and_taken("a")
    bench.queue.fail(first, "invalid", transient=False)
    second = bench.added_and_taken("a")
    expect(f"another id than {first.task_id!r}", second, met=second.task_id != first.task_id)
    expect("attempt 1", second, met=second.attempt == 1)


@CHECKS.add("a key that is BLOCKED may come again, as a new task")
def _blocked_again(bench: Bench) -> None:
    first = bench.added_and_taken("a")
    bench.queue.block(first, "budget")
    second = bench.added_and_taken("a")
    expect(f"another id than {first.task_id!r}", second, met=second.task_id != first.task_id)


@CHECKS.add("a claim says what was enqueued, and to whom it was given")
def _claim(bench: Bench) -> None:
    task = bench.add("a")
    claim = bench.take("w3")
    came = claim.task_id, claim.key, claim.payload, claim.attempt, claim.worker
    meant = task.task_id, "a", "payload of a", 1, "w3"
    expect(f"{meant} as id, key, payload, attempt and worker", came, met=came == meant)


@CHECKS.add("the oldest task comes first")
def _oldest(bench: Bench) -> None:
    keys = ["c", "a", "b"]
    for key in keys:
        bench.add(key)
    came = [bench.take().key for _ in keys]
    expect(f"{keys}, as they were enqueued", came, met=came == keys)


@CHECKS.add("nobody gets a task that is claimed")
def _claimed_once(bench: Bench) -> None:
    bench.added_and_taken("a")
    bench.is_empty_handed("its only task is claimed")


@CHECKS.add("a task over its budget is BLOCKED")
def _block(bench: Bench) -> None:
    blocked = bench.queue.block(bench.added_and_taken("a"), "budget")
    expect("True from block", blocked, met=blocked)
    bench.is_empty_handed("its only task is BLOCKED")
    bench.counts(Snapshot(blocked=1))


@CHECKS.add("an attempt ends once")
def _ends_once(bench: Bench) -> None:
    claim = bench.added_and_taken("a")
    bench.queue.complete(claim)
    bench.is_refused(claim, "has ended")
    bench.counts(Snapshot(done=1))


@CHECKS.add("the snapshot counts every task in one state")
def _snapshot(bench: Bench) -> None:
    bench.queue.complete(bench.added_and_taken("a"))
    bench.queue.fail(bench.added_and_taken("b"), "invalid", transient=False)
    bench.queue.block(bench.added_and_taken("c"), "budget")
    bench.queue.fail(bench.added_and_taken("d"), "network", transient=True)
    bench.added_and_taken("e")
    bench.add("f")
    bench.counts(Snapshot(pending=2, in_progress=1, done=1, failed=1, blocked=1))
