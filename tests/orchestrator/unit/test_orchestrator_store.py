"""The rules of the queue, on a clock that the test sets."""

from dataclasses import replace

import pytest
from ensemble import FakeTime, added, claimed, got, put_into, types

from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.model import Assignment, Enqueued, EventType, Skipped, TaskState, Worker

ACTIVE = {TaskState.PENDING, TaskState.IN_PROGRESS, TaskState.DONE}


@pytest.mark.parametrize("state", TaskState)
def test_a_key_is_taken_while_it_is_active(store: Store, state: TaskState) -> None:
    first = put_into(store, state)
    answer = store.enqueue("a")
    assert answer == (Skipped(first) if state in ACTIVE else Enqueued(2))
    assert types(store)[-1] is (EventType.SKIPPED if state in ACTIVE else EventType.ENQUEUED)


def test_a_task_is_as_it_was_enqueued(store: Store) -> None:
    store.enqueue("a", "payload", "title")
    task = got(store, 1)
    assert (task.key, task.payload, task.title, task.state) == ("a", "payload", "title", TaskState.PENDING)
    assert (task.enqueued_at, task.retry_not_before, task.attempt, task.owner) == (1000.0, 1000.0, 0, None)


def test_the_oldest_due_task_comes_first(store: Store, clock: FakeTime) -> None:
    for key in "abc":
        added(store, key)
    first = claimed(store)
    store.fail(first.id, "w0", 1, "timeout", transient=True)
    assert claimed(store).key == "b"
    clock.now += 60
    assert claimed(store).key == "a"
    assert claimed(store).key == "c"
    assert store.claim("w0") is None


def test_tasks_are_assigned_as_far_as_workers_go(store: Store) -> None:
    for key in "abc":
        added(store, key)
    assert store.assign("d0") == ()
    store.register_worker("w0", 10)
    store.register_worker("w1", 11)
    assert store.assign("d0") == (Assignment("w0", 1, 1), Assignment("w1", 2, 1))
    assert store.assign("d0") == ()
    assert store.workers() == [Worker("w0", 10, True, 1, 1000.0), Worker("w1", 11, True, 2, 1000.0)]


def test_a_worker_finds_its_task_and_is_idle_after_it(store: Store) -> None:
    added(store)
    store.register_worker("w0", 10)
    store.assign("d0")
    task = store.assignment("w0")
    assert task is not None
    assert (task.id, task.owner, task.attempt, task.lease_until) == (1, "w0", 1, 1030.0)
    assert store.complete(task.id, "w0", 1, 42)
    assert (store.assignment("w0"), store.is_busy("w0")) == (None, False)
    assert (got(store, 1).state, got(store, 1).tokens, got(store, 1).owner) == (TaskState.DONE, 42, None)
    assert types(store) == ["enqueued", "dispatched", "done"]


def test_the_event_of_a_dispatch_says_when_the_task_was_due(store: Store, clock: FakeTime) -> None:
    added(store)
    clock.now += 7
    claimed(store)
    event = store.events_after(1)[0]
    assert (event.at, event.due, event.worker, event.attempt) == (1007.0, 1000.0, "w0", 1)


def test_another_dispatcher_may_be_faster(store: Store, clock: FakeTime) -> None:
    added(store)
    store.register_worker("w0", 10)
    store.register_worker("w1", 11)
    store.settings = replace(store.settings, claim_time_s=1.0)
    clock.meanwhile = lambda: store.assign("d1")
    assert store.assign("d0") == ()
    assert [(event.type, event.worker, event.attempt) for event in store.events_after(1)] == [
        ("dispatched", "w0", 1),
        ("contended", "d0", 1),
    ]


def test_a_heartbeat_renews_the_lease(store: Store, clock: FakeTime) -> None:
    claimed_task = put_into(store, TaskState.IN_PROGRESS)
    clock.now += 20
    assert store.heartbeat(claimed_task, "w0", 1)
    assert got(store, claimed_task).lease_until == 1050.0
    clock.now += 29
    assert store.recover_expired() == 0


@pytest.mark.parametrize(("owner", "attempt"), [("w1", 1), ("w0", 2)])
def test_only_the_owner_of_the_attempt_may_speak_for_it(store: Store, owner: str, attempt: int) -> None:
    task_id = put_into(store, TaskState.IN_PROGRESS)
    assert not store.heartbeat(task_id, owner, attempt)
    assert not store.complete(task_id, owner, attempt)
    assert not store.fail(task_id, owner, attempt, "timeout", transient=True)
    assert not store.block(task_id, owner, attempt, "guardrail_exceed")
    assert got(store, task_id).state is TaskState.IN_PROGRESS
    assert types(store)[2:] == [EventType.REFUSED] * 3


def test_a_result_for_no_task_is_refused(store: Store) -> None:
    assert not store.complete(7, "w0", 1)


def test_a_transient_failure_waits_for_its_backoff(store: Store, clock: FakeTime) -> None:
    added(store)
    for attempt, backoff_s in [(1, 60.0), (2, 180.0)]:
        claimed(store)
        assert store.fail(1, "w0", attempt, "timeout", transient=True)
        task = got(store, 1)
        assert (task.state, task.owner, task.lease_until) == (TaskState.PENDING, None, None)
        assert task.retry_not_before == clock.now + backoff_s
        event = store.events_after(0)[-1]
        assert (event.type, event.due, event.error) == ("retry", clock.now + backoff_s, "timeout")
        clock.now += backoff_s - 0.01
        assert store.claim("w0") is None
        clock.now += 0.01


def test_at_the_last_attempt_a_task_has_failed_and_says_what_to_do(store: Store, clock: FakeTime) -> None:
    added(store)
    for attempt in (1, 2, 3):
        clock.now += 1000
        claimed(store)
        store.fail(1, "w0", attempt, "timeout", transient=True)
    clock.now += 10_000
    assert store.claim("w0") is None
    assert (got(store, 1).state, got(store, 1).error) == (TaskState.FAILED, "timeout")
    assert "attempts used up: look at the error, then `ops retry --id 1`" in got(store, 1).notes
    assert types(store)[-1] is EventType.FAILED


def test_a_permanent_failure_is_not_tried_again(store: Store) -> None:
    put_into(store, TaskState.FAILED)
    assert (got(store, 1).attempt, got(store, 1).error) == (1, "broken")
    assert got(store, 1).notes.startswith("permanent error")


def test_an_expired_lease_makes_the_task_due_at_once(store: Store, clock: FakeTime) -> None:
    put_into(store, TaskState.IN_PROGRESS)
    clock.now += 31
    assert store.recover_expired() == 1
    task = got(store, 1)
    assert (task.state, task.owner, task.lease_until, task.error) == (TaskState.PENDING, None, None, "lease_expired")
    assert task.retry_not_before == 1031.0
    assert [(event.type, event.worker) for event in store.events_after(2)] == [("expired", "w0"), ("retry", "w0")]
    assert not store.complete(1, "w0", 1)
    assert claimed(store, "w1").attempt == 2


def test_expired_attempts_count(store: Store, clock: FakeTime) -> None:
    added(store)
    for _ in range(3):
        claimed(store)
        clock.now += 31
        store.recover_expired()
    assert got(store, 1).state is TaskState.FAILED
    assert types(store)[-2:] == [EventType.EXPIRED, EventType.FAILED]


def test_a_worker_stays_busy_until_it_says_otherwise(store: Store, clock: FakeTime) -> None:
    added(store)
    store.register_worker("w0", 10)
    store.assign("d0")
    clock.now += 31
    store.recover_expired()
    assert store.is_busy("w0")
    assert store.assignment("w0") is None
    store.worker_idle("w0")
    assert not store.is_busy("w0")


def test_a_worker_with_a_task_is_not_idle(store: Store) -> None:
    added(store)
    store.register_worker("w0", 10)
    store.assign("d0")
    store.worker_idle("w0")
    assert store.is_busy("w0")


def test_a_new_worker_of_the_name_starts_idle(store: Store) -> None:
    added(store)
    store.register_worker("w0", 10)
    store.assign("d0")
    store.register_worker("w0", 11)
    assert store.workers() == [Worker("w0", 11, False, None, 1000.0)]
    assert store.assignment("w0") is None
    store.unregister("w0")
    assert store.workers() == []


def test_a_warning_is_an_event_of_its_own(store: Store) -> None:
    put_into(store, TaskState.IN_PROGRESS)
    store.complete(1, "w0", 1, 90, warning="soft_exceed")
    assert [(event.type, event.error) for event in store.events_after(2)] == [
        ("guardrail", "soft_exceed"),
        ("done", ""),
    ]


def test_a_worker_retires_unless_it_holds_a_task(store: Store) -> None:
    added(store)
    store.register_worker("w0", 1)
    store.assign("d0")
    assert not store.retire("w0")
    assert store.is_busy("w0")
    store.complete(1, "w0", 1)
    store.worker_idle("w0")
    assert store.retire("w0")
    added(store, "b")
    assert store.assign("d0") == ()
