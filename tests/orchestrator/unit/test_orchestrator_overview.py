"""What the store tells of itself, and that telling does not cost more with age."""

import pytest
from ensemble import FakeTime, added, claimed, put_into

from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.model import QueueStats, TaskState


def test_an_empty_queue(store: Store) -> None:
    assert store.snapshot() == QueueStats(dict.fromkeys(TaskState, 0), 0, 0.0, 0, 0)
    assert store.consistency_check() == []


def test_a_snapshot_counts_states_and_what_is_due(store: Store, clock: FakeTime) -> None:
    for state in (TaskState.DONE, TaskState.FAILED, TaskState.IN_PROGRESS):
        put_into(store, state, key=state)
    added(store, "later")
    store.fail(claimed(store).id, "w0", 1, "timeout", transient=True)
    added(store, "old")
    clock.now += 5
    added(store, "new")
    store.register_worker("w0", 10)
    found = store.snapshot()
    assert {str(state): n for state, n in found.counts.items() if n} == {
        "PENDING": 3,
        "DONE": 1,
        "FAILED": 1,
        "IN_PROGRESS": 1,
    }
    assert (found.due_pending, found.oldest_due_s, found.workers, found.busy_workers) == (2, 5.0, 1, 0)


def test_events_are_read_in_parts(store: Store) -> None:
    for key in "abc":
        added(store, key)
    assert [event.key for event in store.events_after(0, 2)] == ["a", "b"]
    assert [event.key for event in store.events_after(2, 2)] == ["c"]
    assert [event.id for event in store.events_of(2)] == [2]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE tasks SET owner = NULL WHERE id = 1", "IN_PROGRESS without an owner or a lease: task 1"),
        ("UPDATE tasks SET owner = 'w0' WHERE id = 2", "an owner or a lease without being IN_PROGRESS: task 2"),
        ("DELETE FROM events WHERE type = 'done'", "DONE without a done event: task 2"),
        ("DELETE FROM tasks WHERE id = 2", "in the log but not in the queue: task 2"),
        ("UPDATE workers SET state = 'busy', task_id = 2", "busy with a task that is not its own: worker w9"),
        ("UPDATE workers SET task_id = 2", "idle with a task: worker w9"),
        ("UPDATE counts SET n = 5 WHERE state = 'DONE'", "the count kept is not what is there: state DONE"),
        (
            "INSERT INTO events (at, type, task_id, key, attempt) VALUES (0, 'done', 2, 'b', 1)",
            "done more than once: task 2",
        ),
    ],
)
def test_damage_is_found(store: Store, damage: str, problem: str) -> None:
    put_into(store, TaskState.IN_PROGRESS, "a")
    put_into(store, TaskState.DONE, "b")
    store.register_worker("w9", 9)
    assert store.consistency_check() == []
    store.rows(damage)
    assert store.consistency_check() == [problem]


def test_finished_tasks_cost_nothing(store: Store) -> None:
    steps = []
    for finished in (1_000, 20_000):
        with store.transaction():
            store.rows(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
                " INSERT INTO tasks (key, state, retry_not_before, enqueued_at, updated_at)"
                " SELECT ? || i, 'DONE', 0, 0, 0 FROM n",
                (finished, f"{finished}-"),
            )
        steps.append(_steps(store))
    assert steps[1] <= steps[0] + 10


def _steps(store: Store) -> int:
    """How much SQLite works for one round of everything that a running queue does, in hundreds of its steps."""
    done = 0

    def count() -> int:
        nonlocal done
        done += 1
        return 0

    store._connection.set_progress_handler(count, 100)
    task_id = added(store, f"key {store.snapshot().counts}")
    store.register_worker("w0", 10)
    store.assign("d0")
    store.recover_expired()
    store.heartbeat(task_id, "w0", 1)
    store.complete(task_id, "w0", 1)
    store.enqueue("key")
    store.cancel(claimed(store).id)
    store._connection.set_progress_handler(None, 0)
    return done
