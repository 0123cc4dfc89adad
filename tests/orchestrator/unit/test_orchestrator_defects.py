"""Each planted defect changes what the orchestrator does, and only when it is asked for."""

import argparse
import itertools
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from ensemble import FakeTime, added, claimed, got, put_into, types

from soak.systems.orchestrator import defects, watchdog
from soak.systems.orchestrator.body import Result
from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.defects import Defect, UnknownDefectError
from soak.systems.orchestrator.dispatcher import Dispatcher
from soak.systems.orchestrator.enforce_guardrails import finish
from soak.systems.orchestrator.model import TaskState
from soak.systems.orchestrator.settings import Settings


class OneTick:
    """The lifetime of a process that ticks once."""

    over = False

    def ticks(self, _interval_s: float) -> Iterator[None]:
        yield


def both_workers_have_the_task(store: Store, clock: FakeTime) -> bool:
    added(store)
    store.register_worker("w0", 10)
    store.register_worker("w1", 11)
    store.settings = replace(store.settings, claim_time_s=1.0)
    clock.meanwhile = lambda: store.assign("d1")
    store.assign("d0")
    return [worker.task_id for worker in store.workers()] == [1, 1]


def a_failed_task_starts_at_once(store: Store, _clock: FakeTime) -> bool:
    added(store)
    store.fail(claimed(store).id, "w0", 1, "timeout", transient=True)
    return store.claim("w0") is not None


def a_dead_lease_stays(store: Store, clock: FakeTime) -> bool:
    put_into(store, TaskState.IN_PROGRESS)
    clock.now += 3600
    return store.recover_expired() == 0


def a_zombie_completes(store: Store, clock: FakeTime) -> bool:
    put_into(store, TaskState.IN_PROGRESS)
    clock.now += 31
    store.recover_expired()
    claimed(store, "w1")
    return store.complete(1, "w0", 1)


def a_pending_key_is_taken_again(store: Store, _clock: FakeTime) -> bool:
    added(store)
    store.enqueue("a")
    return len(store.tasks(TaskState.PENDING)) == 2


def a_done_key_is_taken_again(store: Store, _clock: FakeTime) -> bool:
    put_into(store, TaskState.DONE)
    store.enqueue("a")
    return len(store.tasks()) == 2


def a_budget_is_not_kept(store: Store, _clock: FakeTime) -> bool:
    put_into(store, TaskState.IN_PROGRESS)
    finish(store, got(store, 1), "w0", Result(10**6))
    return got(store, 1).state is TaskState.DONE


def a_task_is_tried_for_ever(store: Store, clock: FakeTime) -> bool:
    added(store)
    for attempt in itertools.count(1):
        clock.now += 1000
        if attempt > 10 or store.claim("w0") is None:
            return attempt > 10
        store.fail(1, "w0", attempt, "timeout", transient=True)
    raise AssertionError


def a_crash_loses_the_task(store: Store, clock: FakeTime) -> bool:
    put_into(store, TaskState.IN_PROGRESS)
    clock.now += 31
    store.recover_expired()
    return store.task(1) is None


def a_failure_is_done(store: Store, _clock: FakeTime) -> bool:
    put_into(store, TaskState.FAILED)
    return got(store, 1).state is TaskState.DONE


def the_lock_is_held_long(store: Store, clock: FakeTime) -> bool:
    added(store)
    claimed(store)
    return sum(clock.slept) > store.settings.busy_timeout_s


def connections_are_left_open(store: Store, _clock: FakeTime) -> bool:
    added(store)
    claimed(store)
    return len(store._leaked) == 1


def a_dispatcher_grows(store: Store, _clock: FakeTime) -> bool:
    with Dispatcher(store, "d0") as dispatcher:
        dispatcher.poll()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(100):
            dispatcher.poll()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return after - before > 100 * 2048


def a_claim_costs_more_with_age(store: Store, _clock: FakeTime) -> bool:
    with store.transaction():
        store.rows(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
            " INSERT INTO tasks (key, state, retry_not_before, enqueued_at, updated_at)"
            " SELECT 'old' || i, 'DONE', 0, 0, 0 FROM n"
        )
    added(store)
    hundreds: list[int] = []
    store._connection.set_progress_handler(lambda: hundreds.append(1), 100)
    claimed(store)
    store._connection.set_progress_handler(None, 0)
    return len(hundreds) > 100


def events_are_missing(store: Store, _clock: FakeTime) -> bool:
    for number in range(10):
        added(store, str(number))
    return len(types(store)) < 10


def the_watchdog_does_nothing(store: Store, clock: FakeTime) -> bool:
    put_into(store, TaskState.IN_PROGRESS)
    clock.now += 31
    watchdog.work(store.settings, argparse.Namespace(name="watchdog"), OneTick())  # type: ignore[arg-type]
    return got(store, 1).state is TaskState.IN_PROGRESS


SYMPTOMS: dict[Defect, Callable[[Store, FakeTime], bool]] = {
    Defect.CLAIM_NOT_ATOMIC: both_workers_have_the_task,
    Defect.BACKOFF_IGNORED: a_failed_task_starts_at_once,
    Defect.LEASE_NEVER_EXPIRES: a_dead_lease_stays,
    Defect.OWNER_NOT_CHECKED: a_zombie_completes,
    Defect.IDEMPOTENCY_OFF: a_done_key_is_taken_again,
    Defect.IDEMPOTENCY_DONE_ONLY: a_pending_key_is_taken_again,
    Defect.GUARDRAIL_IGNORED: a_budget_is_not_kept,
    Defect.RETRIES_WITHOUT_END: a_task_is_tried_for_ever,
    Defect.TASK_LOST_ON_CRASH: a_crash_loses_the_task,
    Defect.FAILURE_RECORDED_AS_DONE: a_failure_is_done,
    Defect.TRANSACTION_HELD: the_lock_is_held_long,
    Defect.CONNECTION_LEAK: connections_are_left_open,
    Defect.MEMORY_LEAK: a_dispatcher_grows,
    Defect.SLOW_CLAIM: a_claim_costs_more_with_age,
    Defect.TELEMETRY_DROPPED: events_are_missing,
    Defect.WATCHDOG_ASLEEP: the_watchdog_does_nothing,
}


@pytest.mark.parametrize("defect", Defect)
@pytest.mark.parametrize("planted", [True, False])
def test_a_defect_shows_when_it_is_planted(
    defect: Defect, planted: bool, settings: Settings, clock: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    if planted:
        monkeypatch.setenv(defects.VARIABLE, defect)
    with Store(settings.db, settings) as store:
        assert SYMPTOMS[defect](store, clock) is planted


def test_a_key_is_taken_again_while_it_waits_without_idempotency(
    store: Store, clock: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(defects.VARIABLE, Defect.IDEMPOTENCY_OFF)
    with Store(store.path, store.settings) as wrong:
        assert a_pending_key_is_taken_again(wrong, clock)
        assert wrong.consistency_check() == ["more than one active task of the key a"]


def test_a_done_key_is_refused_even_by_the_half_defect(
    settings: Settings, clock: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(defects.VARIABLE, Defect.IDEMPOTENCY_DONE_ONLY)
    with Store(settings.db, settings) as wrong:
        assert not a_done_key_is_taken_again(wrong, clock)


def test_an_unknown_defect_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(defects.VARIABLE, "claim")
    with pytest.raises(
        UnknownDefectError, match=r"ORCHESTRATOR_DEFECT=claim: no such defect; there are claim_not_atomic, b"
    ):
        Store(settings.db, settings)
