"""Checks of a system that owns its workers."""

import time

from soak.contract import ChangeType, Refused, Snapshot
from soak.runner.targets.queue.checks import (
    BACKOFF_S,
    CLOCK_S,
    HARD_TOKENS,
    LONG_S,
    MAX_ATTEMPTS,
    SHORT_S,
    Checks,
    expect,
)
from soak.runner.targets.queue.system_adapter.harness import WORKERS, ContractHarness
from soak.schemas.target.model import Promise

CHECKS: Checks[ContractHarness] = Checks()

A, B, C, D, E, F = (2 * place for place in range(6))
"""Numbers of tasks: even ones, as those of first submissions in a plan."""


@CHECKS.add("a new system is empty")
def _new(harness: ContractHarness) -> None:
    harness.settle()
    expect("nothing from changes", harness.kinds(), met=not harness.changes)
    harness.counts(Snapshot())


@CHECKS.add("a task is dispatched to a body, and DONE when that succeeds")
def _done(harness: ContractHarness) -> None:
    task_id = harness.add(A)
    execution = harness.body(A)
    dispatched = harness.reported(ChangeType.DISPATCHED)
    expect(f"the worker {execution.worker!r}", dispatched.worker, met=dispatched.worker == execution.worker)
    harness.finish(execution)
    done = harness.reported(ChangeType.DONE)
    expect(f"task id {task_id!r}", done.task_id, met=done.task_id == task_id)
    harness.counts(Snapshot(done=1))


@CHECKS.add("changes are reported once and in order")
def _reported_once(harness: ContractHarness) -> None:
    harness.add(A)
    harness.finish(harness.body(A))
    harness.reported(ChangeType.DONE)
    harness.settle()
    meant = "ENQUEUED, DISPATCHED, DONE"
    expect(f"{meant} from changes", harness.kinds(), met=harness.kinds() == meant)
    times = [each.at for each in harness.changes]
    now = time.time()
    since = f"times in order, in seconds since the epoch (now {now:.3f})"
    expect(since, times, met=times == sorted(times) and now - 60 < times[0] and times[-1] < now + CLOCK_S)


@CHECKS.add(
    "a key is refused while it is PENDING, IN_PROGRESS or DONE, and that is reported", LONG_S, Promise.IDEMPOTENT_KEYS
)
def _refused(harness: ContractHarness) -> None:
    harness.add(A)
    _is_refused(harness, "PENDING or IN_PROGRESS")
    execution = harness.body(A)
    _is_refused(harness, "IN_PROGRESS")
    harness.finish(execution)
    harness.reported(ChangeType.DONE)
    _is_refused(harness, "DONE")
    harness.settle()
    skipped = [each.key for each in harness.changes if each.type is ChangeType.SKIPPED]
    expect("SKIPPED three times, with the key", skipped, met=skipped == ["0"] * 3)
    harness.counts(Snapshot(done=1))


def _is_refused(harness: ContractHarness, state: str) -> None:
    answer = harness.offer(A)
    expect(f"Refused() for a key that is {state}", answer, met=isinstance(answer, Refused))


@CHECKS.add("no more bodies run at once than there are workers")
def _workers(harness: ContractHarness) -> None:
    for number in (A, B, C, D, E):
        harness.add(number)
    harness.bodies(WORKERS)
    harness.settle()
    expect(f"{WORKERS} bodies", harness.started, met=len(harness.running) == WORKERS)


@CHECKS.add(
    "a transient failure is retried, but not before its backoff is over", LONG_S, Promise.RETRIES, Promise.BACKOFF
)
def _backoff(harness: ContractHarness) -> None:
    harness.add(A)
    for attempt, backoff_s in enumerate(BACKOFF_S, start=1):
        execution = harness.body(A, attempt)
        ended_at = time.time()
        harness.finish(execution, "transient")
        retry = harness.reported(ChangeType.RETRY, attempt)
        again = harness.body(A, attempt + 1)
        waited_s = again.started_at - ended_at
        early = f"a body {waited_s:.3f} s after attempt {attempt} failed"
        expect(f"a wait of {backoff_s:g} s", early, met=waited_s >= backoff_s - CLOCK_S)
        due_s = retry.due - ended_at
        expect(f"a RETRY that is due after {backoff_s:g} s", f"{due_s:.3f} s", met=due_s >= backoff_s - CLOCK_S)


@CHECKS.add(f"a task is FAILED after {MAX_ATTEMPTS} attempts, its max_attempts", LONG_S, Promise.RETRIES)
def _max_attempts(harness: ContractHarness) -> None:
    harness.add(A)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        harness.finish(harness.body(A, attempt), "transient")
    harness.reported(ChangeType.FAILED, MAX_ATTEMPTS)
    harness.settle()
    expect(f"{MAX_ATTEMPTS} bodies", harness.started, met=len(harness.started) == MAX_ATTEMPTS)
    harness.counts(Snapshot(failed=1))


@CHECKS.add(
    "a permanent failure is FAILED at once, and its key is accepted again as a new task",
    LONG_S,
    Promise.PERMANENT_ERRORS,
)
def _permanent(harness: ContractHarness) -> None:
    first = harness.add(A)
    harness.finish(harness.body(A), "permanent")
    harness.reported(ChangeType.FAILED)
    second = harness.add(A)
    expect(f"another id than {first!r}", second, met=second != first)


@CHECKS.add("a task over its hard budget is BLOCKED", LONG_S, Promise.GUARDRAIL)
def _blocked(harness: ContractHarness) -> None:
    harness.add(A)
    harness.finish(harness.body(A), tokens=HARD_TOKENS + 1)
    harness.reported(ChangeType.BLOCKED)
    harness.counts(Snapshot(blocked=1))


@CHECKS.add("the snapshot counts every task in one state", LONG_S, Promise.PERMANENT_ERRORS, Promise.GUARDRAIL)
def _snapshot(harness: ContractHarness) -> None:
    for number in (A, B, C):
        harness.add(number)
    harness.finish(harness.body(A))
    harness.finish(harness.body(B), "permanent")
    harness.finish(harness.body(C), tokens=HARD_TOKENS + 1)
    for kind in (ChangeType.DONE, ChangeType.FAILED, ChangeType.BLOCKED):
        harness.reported(kind)
    for number in (D, E, F, F + 2):
        harness.add(number)
    harness.bodies(WORKERS)
    harness.counts(Snapshot(pending=1, in_progress=3, done=1, failed=1, blocked=1))


@CHECKS.add(
    "a body that runs for longer than its lease keeps it by heartbeats", SHORT_S, Promise.LEASES, Promise.HEARTBEATS
)
def _heartbeat(harness: ContractHarness) -> None:
    harness.add(A)
    execution = harness.body(A)
    for _ in range(3):
        harness.settle()
    harness.finish(execution)
    harness.reported(ChangeType.DONE)
    expect("one body", harness.started, met=harness.started == [(A, 1)])


@CHECKS.add("the task of a killed worker is retried once its lease has expired", SHORT_S, Promise.LEASES)
def _killed(harness: ContractHarness) -> None:
    harness.processes()
    harness.add(A)
    execution = harness.body(A)
    killed = harness.pid(execution)
    harness.kill(execution)
    harness.until(
        f"processes to list a new process of {execution.worker}, started by restart or by the system itself",
        lambda: harness.processes().get(execution.worker, killed) != killed,
        lambda: f"{', '.join(sorted(harness.processes()))}",
    )
    harness.reported(ChangeType.EXPIRED)
    harness.finish(harness.body(A, 2))
    harness.reported(ChangeType.DONE, 2)


@CHECKS.add("a worker that lost its lease is refused", SHORT_S, Promise.LEASES)
def _zombie(harness: ContractHarness) -> None:
    harness.processes()
    harness.add(A)
    zombie = harness.body(A)
    harness.pause(zombie)
    harness.reported(ChangeType.EXPIRED)
    second = harness.body(A, 2)
    harness.wake()
    harness.finish(zombie)
    harness.reported(ChangeType.REFUSED)
    harness.finish(second)
    harness.reported(ChangeType.DONE, 2)
    harness.counts(Snapshot(done=1))


@CHECKS.add("no body starts after stop")
def _stop(harness: ContractHarness) -> None:
    for number in (A, B, C, D):
        harness.add(number)
    running = harness.bodies(WORKERS)
    before = list(harness.started)
    harness.asked(harness.system.stop)
    for execution in running:
        harness.finish(execution)
    harness.settle()
    expect("no body to start", harness.started[len(before) :], met=harness.started == before)
