"""What a system that owns its workers promises, as checks."""

import time

from soak.contract import ChangeType, Refused, Snapshot
from soak.runner.targets.checks import BACKOFF_S, CLOCK_S, HARD_TOKENS, MAX_ATTEMPTS, SHORT_S, Checks, expect
from soak.runner.targets.queue.system_adapter.harness import WORKERS, Bench

CHECKS: Checks[Bench] = Checks()

A, B, C, D, E, F = (2 * place for place in range(6))
"""Numbers of tasks: even ones, as those of first submissions in a plan."""


@CHECKS.add("a new system is empty")
def _new(bench: Bench) -> None:
    bench.settle()
    expect("nothing from changes", bench.kinds(), met=not bench.changes)
    bench.counts(Snapshot())


@CHECKS.add("a task is dispatched to a body, and DONE when that ends well")
def _done(bench: Bench) -> None:
    task_id = bench.add(A)
    execution = bench.body(A)
    dispatched = bench.told(ChangeType.DISPATCHED)
    expect(f"the worker {execution.worker!r}", dispatched.worker, met=dispatched.worker == execution.worker)
    bench.finish(execution)
    done = bench.told(ChangeType.DONE)
    expect(f"task id {task_id!r}", done.task_id, met=done.task_id == task_id)
    bench.counts(Snapshot(done=1))


@CHECKS.add("changes are told once and in order")
def _told_once(bench: Bench) -> None:
    bench.add(A)
    bench.finish(bench.body(A))
    bench.told(ChangeType.DONE)
    bench.settle()
    meant = "ENQUEUED, DISPATCHED, DONE"
    expect(f"{meant} from changes", bench.kinds(), met=bench.kinds() == meant)
    times = [each.at for each in bench.changes]
    now = time.time()
    since = f"times in order, in seconds since the epoch (now {now:.3f})"
    expect(since, times, met=times == sorted(times) and now - 60 < times[0] and times[-1] < now + CLOCK_S)


@CHECKS.add("a key is refused while it is PENDING, IN_PROGRESS or DONE, and that is told")
def _refused(bench: Bench) -> None:
    bench.add(A)
    _is_refused(bench, "PENDING or IN_PROGRESS")
    execution = bench.body(A)
    _is_refused(bench, "IN_PROGRESS")
    bench.finish(execution)
    bench.told(ChangeType.DONE)
    _is_refused(bench, "DONE")
    bench.settle()
    skipped = [each.key for each in bench.changes if each.type is ChangeType.SKIPPED]
    expect("SKIPPED three times, with the key", skipped, met=skipped == ["0"] * 3)
    bench.counts(Snapshot(done=1))


def _is_refused(bench: Bench, state: str) -> None:
    answer = bench.offer(A)
    expect(f"Refused() for a key that is {state}", answer, met=isinstance(answer, Refused))


@CHECKS.add("no more bodies run at a time than there are workers")
def _workers(bench: Bench) -> None:
    for number in (A, B, C, D, E):
        bench.add(number)
    bench.bodies(WORKERS)
    bench.settle()
    expect(f"{WORKERS} bodies", bench.started, met=len(bench.running) == WORKERS)


@CHECKS.add("a transient failure is tried again, not before its backoff is over")
def _backoff(bench: Bench) -> None:
    bench.add(A)
    for attempt, backoff_s in enumerate(BACKOFF_S, start=1):
        execution = bench.body(A, attempt)
        ended_at = time.time()
        bench.finish(execution, "transient")
        retry = bench.told(ChangeType.RETRY, attempt)
        again = bench.body(A, attempt + 1)
        waited_s = again.started_at - ended_at
        early = f"a body {waited_s:.3f} s after attempt {attempt} failed"
        expect(f"a wait of {backoff_s:g} s", early, met=waited_s >= backoff_s - CLOCK_S)
        due_s = retry.due - ended_at
        expect(f"a RETRY that is due after {backoff_s:g} s", f"{due_s:.3f} s", met=due_s >= backoff_s - CLOCK_S)


@CHECKS.add(f"a task is FAILED after {MAX_ATTEMPTS} attempts, its max_attempts")
def _max_attempts(bench: Bench) -> None:
    bench.add(A)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        bench.finish(bench.body(A, attempt), "transient")
    bench.told(ChangeType.FAILED, MAX_ATTEMPTS)
    bench.settle()
    expect(f"{MAX_ATTEMPTS} bodies", bench.started, met=len(bench.started) == MAX_ATTEMPTS)
    bench.counts(Snapshot(failed=1))


@CHECKS.add("a permanent failure is FAILED at once, and its key may come again as a new task")
def _permanent(bench: Bench) -> None:
    first = bench.add(A)
    bench.finish(bench.body(A), "permanent")
    bench.told(ChangeType.FAILED)
    second = bench.add(A)
    expect(f"another id than {first!r}", second, met=second != first)


@CHECKS.add("a task over its hard budget is BLOCKED")
def _blocked(bench: Bench) -> None:
    bench.add(A)
    bench.finish(bench.body(A), tokens=HARD_TOKENS + 1)
    bench.told(ChangeType.BLOCKED)
    bench.counts(Snapshot(blocked=1))


@CHECKS.add("the snapshot counts every task in one state")
def _snapshot(bench: Bench) -> None:
    for number in (A, B, C):
        bench.add(number)
    bench.finish(bench.body(A))
    bench.finish(bench.body(B), "permanent")
    bench.finish(bench.body(C), tokens=HARD_TOKENS + 1)
    for kind in (ChangeType.DONE, ChangeType.FAILED, ChangeType.BLOCKED):
        bench.told(kind)
    for number in (D, E, F, F + 2):
        bench.add(number)
    bench.bodies(WORKERS)
    bench.counts(Snapshot(pending=1, in_progress=3, done=1, failed=1, blocked=1))


@CHECKS.add("a body that runs for longer than its lease keeps it by heartbeats", SHORT_S)
def _heartbeat(bench: Bench) -> None:
    bench.add(A)
    execution = bench.body(A)
    for _ in range(3):
        bench.settle()
    bench.finish(execution)
    bench.told(ChangeType.DONE)
    expect("one body", bench.started, met=bench.started == [(A, 1)])


@CHECKS.add("the task of a worker that was killed is tried again, once its lease has expired", SHORT_S)
def _killed(bench: Bench) -> None:
    bench.processes()
    bench.add(A)
    execution = bench.body(A)
    killed = bench.pid(execution)
    bench.kill(execution)
    bench.until(
        f"processes to tell a new process of {execution.worker}, started by restart or by the system itself",
        lambda: bench.processes().get(execution.worker, killed) != killed,
        lambda: f"{', '.join(sorted(bench.processes()))}",
    )
    bench.told(ChangeType.EXPIRED)
    bench.finish(bench.body(A, 2))
    bench.told(ChangeType.DONE, 2)


@CHECKS.add("a worker that lost its lease is refused", SHORT_S)
def _zombie(bench: Bench) -> None:
    bench.processes()
    bench.add(A)
    zombie = bench.body(A)
    bench.pause(zombie)
    bench.told(ChangeType.EXPIRED)
    second = bench.body(A, 2)
    bench.wake()
    bench.finish(zombie)
    bench.told(ChangeType.REFUSED)
    bench.finish(second)
    bench.told(ChangeType.DONE, 2)
    bench.counts(Snapshot(done=1))


@CHECKS.add("no body starts after stop")
def _stop(bench: Bench) -> None:
    for number in (A, B, C, D):
        bench.add(number)
    running = bench.bodies(WORKERS)
    before = list(bench.started)
    bench.asked(bench.system.stop)
    for execution in running:
        bench.finish(execution)
    bench.settle()
    expect("no body to start", bench.started[len(before) :], met=bench.started == before)
