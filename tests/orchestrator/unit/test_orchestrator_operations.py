"""What an operator may do, from which state."""

from collections.abc import Callable

import pytest
from ensemble import FakeTime, added, claimed, got, put_into, types

from soak.systems.orchestrator.db_store import OperationError, Store
from soak.systems.orchestrator.model import TaskState

OPERATIONS: dict[str, tuple[Callable[[Store, int], None], TaskState, set[TaskState]]] = {
    "cancelled": (
        lambda store, task_id: store.cancel(task_id, "why"),
        TaskState.CANCELLED,
        {TaskState.PENDING, TaskState.IN_PROGRESS, TaskState.BLOCKED, TaskState.FAILED},
    ),
    "replanned": (
        lambda store, task_id: store.replan(task_id, "why"),
        TaskState.PENDING,
        {TaskState.BLOCKED, TaskState.FAILED},
    ),
    "retried": (lambda store, task_id: store.retry(task_id, "why"), TaskState.PENDING, {TaskState.FAILED}),
}


@pytest.mark.parametrize("state", TaskState)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_state_policy(store: Store, operation: str, state: TaskState) -> None:
    act, after, allowed = OPERATIONS[operation]
    put_into(store, state)
    before = types(store)
    if state in allowed:
        act(store, 1)
        assert (got(store, 1).state, got(store, 1).owner) == (after, None)
        assert types(store) == [*before, operation]
        assert got(store, 1).notes.endswith("why")
    else:
        with pytest.raises(OperationError, match=f"task 1 is {state}; only .* can be {operation}"):
            act(store, 1)
        assert (got(store, 1).state, types(store)) == (state, before)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_there_must_be_a_task(store: Store, operation: str) -> None:
    with pytest.raises(OperationError, match="there is no task 7"):
        OPERATIONS[operation][0](store, 7)


@pytest.mark.parametrize("operation", ["replanned", "retried"])
def test_a_key_that_was_taken_over_does_not_come_back(store: Store, operation: str) -> None:
    put_into(store, TaskState.FAILED)
    added(store)
    with pytest.raises(OperationError, match="task 1 has the key 'a', which task 2 has taken over"):
        OPERATIONS[operation][0](store, 1)


def test_a_replanned_task_has_all_its_attempts(store: Store, clock: FakeTime) -> None:
    put_into(store, TaskState.FAILED)
    store.replan(1, "smaller parts")
    assert claimed(store).attempt == 1


def test_a_retried_task_has_one_attempt_more(store: Store, clock: FakeTime) -> None:
    added(store)
    for attempt in (1, 2, 3):
        clock.now += 1000
        claimed(store)
        store.fail(1, "w0", attempt, "timeout", transient=True)
    store.retry(1)
    assert claimed(store).attempt == 4
    store.fail(1, "w0", 4, "timeout", transient=True)
    assert got(store, 1).state is TaskState.FAILED


def test_the_result_of_a_cancelled_task_is_refused(store: Store) -> None:
    put_into(store, TaskState.IN_PROGRESS)
    store.cancel(1)
    assert not store.complete(1, "w0", 1)
    assert got(store, 1).state is TaskState.CANCELLED
