"""`ops --db`: status, intervention, figures and the consistency check."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ensemble import FakeTime, claimed, got, put_into

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.model import TaskState
from soak.systems.orchestrator.ops import ops


def run(store: Store, *arguments: str) -> Result:
    return CliRunner().invoke(ops, ["--db", store.path, *arguments])


def test_status_and_workers(store: Store) -> None:
    put_into(store, TaskState.BLOCKED)
    store.enqueue("b")
    store.register_worker("w0", 10)
    store.assign("d0")
    assert "BLOCKED            1" in run(store, "status").output
    assert "workers: 1 of 1 busy" in run(store, "status").output
    assert run(store, "workers").output == "w0              pid 10      busy with task 2\n"


@pytest.mark.parametrize(
    ("state", "arguments", "after"),
    [
        (TaskState.PENDING, ["cancel"], TaskState.CANCELLED),
        (TaskState.BLOCKED, ["replan", "--notes", "smaller"], TaskState.PENDING),
        (TaskState.FAILED, ["retry"], TaskState.PENDING),
    ],
)
def test_an_operator_steps_in(store: Store, state: TaskState, arguments: list[str], after: TaskState) -> None:
    put_into(store, state)
    result = run(store, *arguments, "--id", "1")
    assert (result.exit_code, result.output) == (0, f"task 1 is {after}\n")
    assert got(store, 1).state is after
    assert "operator: " in got(store, 1).notes


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["retry", "--id", "1"], 1, "task 1 is PENDING; only FAILED can be retried"),
        (["cancel"], 2, "--id"),
        (["cancel", "--id", "x"], 2, "--id"),
        (["replan", "--id", "1"], 2, "--notes"),
        (["replan", "--id", "1", "--notes", " "], 2, "say what is different now"),
    ],
)
def test_arguments_and_states_are_checked(store: Store, arguments: list[str], code: int, message: str) -> None:
    store.enqueue("a")
    result = run(store, *arguments)
    assert result.exit_code == code
    assert message in result.output
    assert got(store, 1).state is TaskState.PENDING


def test_the_figures_are_shown(store: Store) -> None:
    assert "success_rate  -" in run(store, "kpi").output
    put_into(store, TaskState.FAILED)
    assert "success_rate  0.00%" in run(store, "kpi").output
    assert "error         broken 1" in run(store, "kpi").output


def test_the_consistency_check_has_an_exit_code(store: Store) -> None:
    put_into(store, TaskState.DONE)
    assert (run(store, "consistency-check").exit_code, run(store, "consistency-check").output) == (0, "consistent\n")
    store.rows("DELETE FROM events")
    result = run(store, "consistency-check")
    assert (result.exit_code, result.output) == (1, "DONE without a done event: task 1\n")


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(ops, ["--db", str(tmp_path / "none.db"), "status"])
    assert result.exit_code == 1
    assert "there is no such database" in result.output
    assert list(tmp_path.iterdir()) == []


def test_the_settings_may_name_the_database(store: Store, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"db": store.path}))
    assert CliRunner().invoke(ops, ["--config", str(config), "status"]).exit_code == 0
    assert "one of --db and --config" in CliRunner().invoke(ops, ["status"]).output


def test_an_unknown_defect_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(defects.VARIABLE, "none")
    assert "no such defect" in run(store, "status").output


def test_a_failed_task_is_retried_and_free(store: Store, clock: FakeTime) -> None:
    put_into(store, TaskState.FAILED)
    run(store, "retry", "--id", "1")
    assert (got(store, 1).owner, got(store, 1).lease_until) == (None, None)
    assert claimed(store, "w1").attempt == 2
