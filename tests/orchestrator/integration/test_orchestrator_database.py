"""Several connections to one database, and databases that cannot be used."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from ensemble import added, put_into

from soak.systems.orchestrator.db_store import BusyError, Store, StoreError
from soak.systems.orchestrator.model import TaskState
from soak.systems.orchestrator.settings import Settings

THREADS, TASKS = 4, 60


def at_once(settings: Settings, work: Callable[[Store, int], object]) -> None:
    """Do something in several threads, each with a connection of its own."""
    errors: list[BaseException] = []
    start = threading.Barrier(THREADS)

    def run(number: int) -> None:
        try:
            with Store(settings.db, settings) as own:
                start.wait()
                work(own, number)
        except BaseException as error:  # a thread has nobody to raise to
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.fixture
def patient(settings: Settings) -> Settings:
    return replace(settings, busy_timeout_s=20.0)


def test_a_key_is_enqueued_once_whoever_is_first(store: Store, patient: Settings) -> None:
    at_once(patient, lambda own, _number: [own.enqueue(str(key)) for key in range(TASKS)])
    assert len(store.tasks()) == TASKS
    counts = Counter(event.type for event in store.events_after(0, 10_000))
    assert counts == {"enqueued": TASKS, "skipped": TASKS * (THREADS - 1)}


def test_a_task_is_claimed_once(store: Store, patient: Settings) -> None:
    for key in range(TASKS):
        added(store, str(key))

    def claim_all(own: Store, number: int) -> None:
        while own.snapshot().due_pending:
            own.claim(f"w{number}")

    at_once(patient, claim_all)
    counts = Counter(event.task_id for event in store.events_after(0, 10_000) if event.type == "dispatched")
    assert counts == dict.fromkeys(range(1, TASKS + 1), 1)
    assert store.consistency_check() == []


def test_dispatchers_share_the_workers(store: Store, patient: Settings) -> None:
    for number in range(6):
        added(store, str(number))
        store.register_worker(f"w{number}", number)
    at_once(patient, lambda own, number: own.assign(f"d{number}"))
    assert sorted(worker.task_id or 0 for worker in store.workers()) == [1, 2, 3, 4, 5, 6]
    assert store.consistency_check() == []


def test_the_index_holds_even_for_those_who_do_not_look(store: Store) -> None:
    added(store)
    with pytest.raises(StoreError) as caught, store.transaction():
        store.rows("INSERT INTO tasks (key, retry_not_before, enqueued_at, updated_at) VALUES ('a', 0, 0, 0)")
    assert getattr(caught.value.__cause__, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_UNIQUE"
    assert len(store.tasks()) == 1


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.enqueue("b"),
        lambda store: store.claim("w0"),
        lambda store: store.complete(1, "w0", 1),
        lambda store: store.cancel(1),
        lambda store: store.register_worker("w0", 1),
    ],
)
def test_a_busy_database_is_an_error_of_its_own(store: Store, write: Callable[[Store], object]) -> None:
    added(store)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match="the database is busy"):
        write(store)
    assert store.snapshot().counts[TaskState.PENDING] == 1
    other.execute("ROLLBACK")
    other.close()
    write(store)


def test_an_idle_poll_needs_no_lock(store: Store) -> None:
    put_into(store, TaskState.DONE)
    store.register_worker("w0", 10)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert store.assign("d0") == ()
    assert store.recover_expired() == 0
    other.close()


def test_a_change_that_breaks_off_leaves_nothing(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        store.rows("INSERT INTO workers (name, pid, seen_at) VALUES ('w0', 1, 0)")
        raise RuntimeError
    assert store.workers() == []


def test_a_store_is_found_again(store: Store, settings: Settings) -> None:
    added(store)
    with Store(settings.db, settings) as again:
        assert [task.key for task in again.tasks()] == ["a"]
        assert again.rows("PRAGMA journal_mode") == [("wal",)]


@pytest.mark.parametrize("name", ["text.db", "none/queue.db"])
def test_what_is_no_database_is_named(tmp_path: Path, settings: Settings, name: str) -> None:
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(StoreError, match=rf"{name}: "):
        Store(tmp_path / name, settings)
