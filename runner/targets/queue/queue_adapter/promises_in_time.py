"""Checks of a queue: backoffs, attempts, leases and concurrency."""

import threading
import time
from collections import Counter

from soak.contract import BusyError, Expired, Failed, Queue, Retry, Snapshot
from soak.runner.targets.lanes import often_switched
from soak.runner.targets.queue.checks import (
    BACKOFF_S,
    CLOCK_S,
    LONG_S,
    LOOK_EVERY_S,
    MAX_ATTEMPTS,
    SHORT_S,
    Checks,
    SkippedError,
    expect,
)
from soak.runner.targets.queue.queue_adapter.harness import THREADS, ContractHarness
from soak.schemas.target.model import Promise

CHECKS: Checks[ContractHarness] = Checks()

_TASKS_FOR_THREADS = 200


@CHECKS.add(
    f"a claimed task is not given to another worker, with {THREADS} concurrent threads", LONG_S, Promise.EXCLUSIVE
)
def _claimed_once_by_threads(harness: ContractHarness) -> None:
    if not harness.queue.thread_safe:
        raise SkippedError("the class does not declare thread_safe = True")
    for number in range(_TASKS_FOR_THREADS):
        harness.add(str(number))
    claimed: list[str] = []
    errors: list[str] = []
    threads = [
        threading.Thread(target=_claim_all, args=(harness.queue.made, index, claimed, errors), daemon=True)
        for index in range(THREADS)
    ]
    with often_switched():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(harness.patience_s)
    expect("no exception", "; ".join(errors), met=not errors)
    twice = sorted(key for key, times in Counter(claimed).items() if times > 1)
    expect("each task claimed once", f"{len(twice)} claimed twice or more, such as {twice[:3]}", met=not twice)
    expect(f"all {_TASKS_FOR_THREADS} tasks claimed", len(claimed), met=len(claimed) == _TASKS_FOR_THREADS)


def _claim_all(queue: Queue, index: int, claimed: list[str], errors: list[str]) -> None:
    while True:
        try:
            claim = queue.claim(f"w{index}")
        except BusyError:
            time.sleep(LOOK_EVERY_S)
            continue
        except Exception as error:
            errors.append(f"{type(error).__name__}: {error}")
            return
        if claim is None:
            return
        claimed.append(claim.key)


@CHECKS.add(
    "a transient failure is retried, but not before its backoff is over", LONG_S, Promise.RETRIES, Promise.BACKOFF
)
def _backoff(harness: ContractHarness) -> None:
    claim = harness.added_and_taken("a")
    for attempt, backoff_s in enumerate(BACKOFF_S, start=1):
        failed_at = time.monotonic()
        answer = harness.queue.fail(claim, "network", transient=True)
        fits = isinstance(answer, Retry) and answer.in_s >= backoff_s - CLOCK_S
        expect(f"Retry in {backoff_s:g} s or later", answer, met=fits)
        claim = harness.wait_for_claim()
        waited_s = time.monotonic() - failed_at
        early = f"claimed {waited_s:.3f} s after attempt {attempt} failed"
        expect(f"a wait of {backoff_s:g} s", early, met=waited_s >= backoff_s - CLOCK_S)
        expect(f"attempt {attempt + 1}", claim, met=claim.attempt == attempt + 1)


@CHECKS.add("a task in backoff does not block others", LONG_S, Promise.RETRIES, Promise.BACKOFF)
def _no_hold_up(harness: ContractHarness) -> None:
    claim = harness.added_and_taken("a")
    harness.queue.fail(claim, "network", transient=True)
    harness.add("b")
    key = harness.take().key
    expect("task b", f"task {key}", met=key == "b")


@CHECKS.add(f"a task is FAILED after {MAX_ATTEMPTS} attempts, its max_attempts", LONG_S, Promise.RETRIES)
def _max_attempts(harness: ContractHarness) -> None:
    claim = harness.added_and_taken("a")
    for _ in range(MAX_ATTEMPTS - 1):
        harness.queue.fail(claim, "network", transient=True)
        claim = harness.wait_for_claim()
    answer = harness.queue.fail(claim, "network", transient=True)
    expect(f"Failed() after attempt {claim.attempt}", answer, met=isinstance(answer, Failed))
    harness.counts(Snapshot(failed=1))


@CHECKS.add("a permanent failure is FAILED at once", LONG_S, Promise.PERMANENT_ERRORS)
def _permanent(harness: ContractHarness) -> None:
    answer = harness.queue.fail(harness.added_and_taken("a"), "invalid", transient=False)
    expect("Failed()", answer, met=isinstance(answer, Failed))
    harness.is_empty_handed("its only task is FAILED")


@CHECKS.add("an expired lease is reported once, and its task is due at once", SHORT_S, Promise.LEASES)
def _expiry(harness: ContractHarness) -> None:
    claim = harness.added_and_taken("a")
    found = harness.wait_for_expiry()
    meant = Expired(claim.task_id, 1, Retry(0.0))
    expect(f"[{meant}] from recover", found, met=found == [meant])
    again = harness.take("w1")
    expect("attempt 2, at once", again, met=again.attempt == 2)
    twice = [each for each in harness.queue.recover() if each.attempt == 1]
    expect("an expired lease reported once", twice, met=not twice)


@CHECKS.add("a worker that lost its lease is refused", SHORT_S, Promise.LEASES)
def _owner(harness: ContractHarness) -> None:
    claim = harness.added_and_taken("a")
    expect("recover to find the expired lease", [], met=bool(harness.wait_for_expiry()))
    harness.is_refused(claim, "lost its lease")
    harness.take("w1")
    harness.is_refused(claim, "lost its lease to another")


@CHECKS.add(f"a lease that expires at attempt {MAX_ATTEMPTS} fails the task", SHORT_S, Promise.LEASES, Promise.RETRIES)
def _last_expiry(harness: ContractHarness) -> None:
    harness.add("a")
    for _ in range(MAX_ATTEMPTS):
        harness.wait_for_claim()
        found = harness.wait_for_expiry()
    outcomes = [each.outcome for each in found]
    expect("Failed() as the outcome", outcomes, met=outcomes == [Failed()])
    harness.is_empty_handed("its only task is FAILED")


@CHECKS.add("a valid lease is left alone", LONG_S, Promise.LEASES)
def _live(harness: ContractHarness) -> None:
    harness.added_and_taken("a")
    found = harness.queue.recover()
    expect("nothing from recover", found, met=not found)


@CHECKS.add("heartbeats renew a lease", SHORT_S, Promise.LEASES, Promise.HEARTBEATS)
def _heartbeat(harness: ContractHarness) -> None:
    for _ in range(5):
        slowest_s = _beat_for_two_leases(harness)
        if slowest_s < SHORT_S * 0.9:
            return
        # The machine was too slow for timely heartbeats: inconclusive.
        harness.fresh()
    raise SkippedError("heartbeats were late: the machine is too busy")


def _beat_for_two_leases(harness: ContractHarness) -> float:
    """Raises Unmet for a lease that is lost although heartbeats came; returns the longest time between two."""
    claim, last, slowest_s = harness.added_and_taken("a"), time.monotonic(), 0.0
    kept, found = True, []
    for _ in range(8):
        time.sleep(SHORT_S / 4)
        kept = harness.queue.heartbeat(claim) and kept
        found += harness.queue.recover()
        now = time.monotonic()
        slowest_s, last = max(slowest_s, now - last), now
    kept = harness.queue.complete(claim) and kept
    slowest_s = max(slowest_s, time.monotonic() - last)
    if slowest_s < SHORT_S * 0.9:
        expect("the lease to be kept", f"{found} from recover" if found else "False", met=kept and not found)
    return slowest_s
