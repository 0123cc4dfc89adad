"""`orch`: the database is the truth, QUEUE.md shows it."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ensemble import got

from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.model import TaskState
from soak.systems.orchestrator.orch import orch
from soak.systems.orchestrator.queue_md import parse


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    return tmp_path / "QUEUE.md"


def run(store: Store, queue: Path, *arguments: str) -> Result:
    return CliRunner().invoke(orch, ["--db", store.path, "--queue", str(queue), *arguments])


def test_a_task_goes_from_add_to_done(store: Store, queue: Path) -> None:
    assert run(store, queue, "add", "--key", "a", "--title", "First").output == "a is task 1\n"
    assert run(store, queue, "pick", "--worker", "ann").output == "task 1 (a), attempt 1\n"
    assert [(row.state, row.owner) for row in parse(queue.read_text())] == [(TaskState.IN_PROGRESS, "ann")]
    assert run(store, queue, "done", "--id", "1", "--notes", "merged").exit_code == 0
    (row,) = parse(queue.read_text())
    assert (row.id, row.key, row.title, row.state) == (1, "a", "First", TaskState.DONE)
    assert row.notes.endswith("Z ann: done: merged")


def test_a_failure_by_hand_is_on_the_audit_trail(store: Store, queue: Path) -> None:
    run(store, queue, "add", "--key", "a")
    run(store, queue, "pick", "--worker", "ann")
    assert run(store, queue, "fail", "--id", "1", "--notes", "no access").output == "task 1 is FAILED\n"
    notes = got(store, 1).notes.splitlines()
    assert notes[0].endswith("ann: failed: no access")
    assert "ops retry --id 1" in notes[1]


def test_a_transient_failure_by_hand_comes_again(store: Store, queue: Path) -> None:
    run(store, queue, "add", "--key", "a")
    run(store, queue, "pick", "--worker", "ann")
    assert run(store, queue, "fail", "--id", "1", "--notes", "x", "--transient").output == "task 1 is PENDING\n"
    assert got(store, 1).error == "failed_by_hand"


def test_new_lines_of_the_table_are_imported(store: Store, queue: Path) -> None:
    queue.write_text("# Ours\n\n| key | title |\n|---|---|\n| a | A |\n| b | B |\n\nThe end.\n")
    assert run(store, queue, "import").output == "a is task 1\nb is task 2\n"
    assert run(store, queue, "import").output == ""
    assert [row.id for row in parse(queue.read_text())] == [1, 2]
    assert queue.read_text().endswith("\n\nThe end.\n")


def test_an_import_takes_no_key_twice(store: Store, queue: Path) -> None:
    run(store, queue, "add", "--key", "a")
    queue.write_text("| key |\n|---|\n| a |\n")
    assert run(store, queue, "import").output == "a is task 1 already\n"
    assert len(store.tasks()) == 1


def test_the_list_can_be_of_one_state(store: Store, queue: Path) -> None:
    for key in "ab":
        run(store, queue, "add", "--key", key)
    run(store, queue, "pick", "--worker", "ann")
    assert [row.key for row in parse(run(store, queue, "list", "--state", "PENDING").output)] == ["b"]
    assert [row.key for row in parse(run(store, queue, "list").output)] == ["a", "b"]


def test_a_person_has_the_lease_for_a_day(store: Store, queue: Path) -> None:
    run(store, queue, "add", "--key", "a")
    run(store, queue, "pick", "--worker", "ann", "--lease-s", "100000")
    assert (got(store, 1).lease_until or 0) - got(store, 1).updated_at == 100_000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["done", "--id", "1"], 1, "task 1 is PENDING; only a task that is IN_PROGRESS can end"),
        (["done", "--id", "9"], 1, "there is no task 9"),
        (["fail", "--id", "1"], 2, "--notes"),
        (["done", "--id", "0"], 2, "--id"),
        (["add", "--key", " "], 2, "must not be empty"),
        (["import"], 1, "line 1: the column 'key' is missing"),
    ],
)
def test_what_is_not_possible_is_said(store: Store, queue: Path, arguments: list[str], code: int, message: str) -> None:
    store.enqueue("a")
    queue.write_text("| title |\n")
    result = run(store, queue, *arguments)
    assert result.exit_code == code
    assert message in result.output
