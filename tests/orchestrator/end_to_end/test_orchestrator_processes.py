"""Real dispatchers, workers and watchdogs: the normal course, failures and recovery, and operators who step in."""

import os
import select
import signal
import sqlite3
import subprocess
import sys

import pytest
from click.testing import CliRunner
from ensemble import PATIENCE_S, Ensemble, got

from soak.systems.orchestrator import defects
from soak.systems.orchestrator.defects import Defect
from soak.systems.orchestrator.model import TaskState
from soak.systems.orchestrator.ops import ops


def events(ensemble: Ensemble, task_id: int) -> list[tuple[str, str]]:
    return [(event.type.value, event.error) for event in ensemble.store.events_of(task_id)]


def test_tasks_are_done(ensemble: Ensemble) -> None:
    ensemble.start_all()
    ids = [ensemble.enqueue(str(number), tokens=number) for number in range(20)]
    ensemble.until_quiet()
    assert {got(ensemble.store, task_id).state for task_id in ids} == {TaskState.DONE}
    assert events(ensemble, ids[0]) == [("enqueued", ""), ("dispatched", ""), ("done", "")]
    assert len(ensemble.executions()) == 40
    assert ensemble.store.consistency_check() == []


def test_every_kind_of_end(ensemble: Ensemble) -> None:
    ensemble.start_all()
    again = ensemble.enqueue("again", errors={"1": "timeout", "2": "rate_limit"})
    broken = ensemble.enqueue("broken", broken=True)
    never = ensemble.enqueue("never", errors={"1": "a", "2": "b", "3": "c"})
    costly = ensemble.enqueue("costly", tokens=101)
    ensemble.until_quiet()
    assert [error for kind, error in events(ensemble, again) if kind == "retry"] == ["timeout", "rate_limit"]
    states = [got(ensemble.store, task_id).state for task_id in (again, broken, never, costly)]
    assert states == [TaskState.DONE, TaskState.FAILED, TaskState.FAILED, TaskState.BLOCKED]


def test_the_task_of_a_killed_worker_is_done_by_another(ensemble: Ensemble) -> None:
    ensemble.start_all()
    gate = ensemble.dir / "gate"
    task_id = ensemble.enqueue("a", wait_for=str(gate))
    ensemble.until(ensemble.executions)
    owner = got(ensemble.store, task_id).owner or ""
    ensemble.kill(owner)
    gate.touch()
    ensemble.until_state(task_id, TaskState.DONE)
    kinds = [kind for kind, _error in events(ensemble, task_id)]
    assert kinds == ["enqueued", "dispatched", "expired", "retry", "dispatched", "done"]
    ensemble.start("worker", owner)
    ensemble.until(lambda: ensemble.store.snapshot().busy_workers == 0)
    assert ensemble.store.consistency_check() == []


def test_a_worker_that_hangs_loses_its_lease(ensemble: Ensemble) -> None:
    ensemble.start_all(workers=1)
    gate = ensemble.dir / "gate"
    task_id = ensemble.enqueue("a", wait_for=str(gate))
    ensemble.until(ensemble.executions)
    worker = ensemble.processes["w0"]
    worker.send_signal(signal.SIGSTOP)
    ensemble.until_state(task_id, TaskState.PENDING)
    gate.touch()
    worker.send_signal(signal.SIGCONT)
    ensemble.until_state(task_id, TaskState.DONE)
    assert ("refused", "") in events(ensemble, task_id)
    assert got(ensemble.store, task_id).attempt == 2


def test_heartbeats_keep_a_long_task(ensemble: Ensemble) -> None:
    ensemble.start_all(workers=1)
    gate = ensemble.dir / "gate"
    task_id = ensemble.enqueue("a", wait_for=str(gate))
    ensemble.until(ensemble.executions)
    first = got(ensemble.store, task_id).lease_until or 0.0
    ensemble.until(lambda: (got(ensemble.store, task_id).lease_until or 0.0) > first + ensemble.settings.lease_s)
    gate.touch()
    ensemble.until_state(task_id, TaskState.DONE)
    assert got(ensemble.store, task_id).attempt == 1


def test_an_operator_steps_in(ensemble: Ensemble) -> None:
    ensemble.start_all()
    gate = ensemble.dir / "gate"
    costly = ensemble.enqueue("costly", tokens=101)
    broken = ensemble.enqueue("broken", broken=True)
    stuck = ensemble.enqueue("stuck", wait_for=str(gate))
    ensemble.until(lambda: ensemble.store.snapshot().counts[TaskState.BLOCKED])
    ensemble.until_state(broken, TaskState.FAILED)
    ensemble.until_state(stuck, TaskState.IN_PROGRESS)

    def act(*arguments: str) -> str:
        result = CliRunner().invoke(ops, ["--db", ensemble.settings.db, *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert "BLOCKED            1" in act("status")
    act("cancel", "--id", str(stuck), "--notes", "wrong input")
    gate.touch()
    ensemble.until(lambda: ("refused", "") in events(ensemble, stuck))
    act("replan", "--id", str(costly), "--notes", "smaller")
    act("retry", "--id", str(broken))
    ensemble.until_quiet()
    assert events(ensemble, costly)[3:] == [("replanned", ""), ("dispatched", ""), ("blocked", "guardrail_exceed")]
    assert [kind for kind, _error in events(ensemble, broken)][3:] == ["retried", "dispatched", "failed"]
    assert got(ensemble.store, stuck).state is TaskState.CANCELLED
    assert act("consistency-check") == "consistent\n"


def test_an_outage_of_the_database_is_survived(ensemble: Ensemble) -> None:
    ensemble.start_all(workers=1)
    gate = ensemble.dir / "gate"
    task_id = ensemble.enqueue("a", wait_for=str(gate))
    ensemble.until(ensemble.executions)
    lock = sqlite3.connect(ensemble.settings.db, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    gate.touch()
    ensemble.until(lambda: (ensemble.dir / "w0.log").read_text().count("the database is busy") >= 3)
    lock.execute("ROLLBACK")
    lock.close()
    ensemble.until_state(task_id, TaskState.DONE)
    assert ensemble.store.consistency_check() == []


def test_processes_end_when_they_are_asked(ensemble: Ensemble) -> None:
    ensemble.start_all(workers=2)
    task_id = ensemble.enqueue("a", sleep_s=0.2)
    ensemble.until(ensemble.executions)
    for process in ensemble.processes.values():
        process.send_signal(signal.SIGTERM)
    assert [process.wait(60) for process in ensemble.processes.values()] == [0, 0, 0, 0]
    assert got(ensemble.store, task_id).state is TaskState.DONE
    assert ensemble.store.workers() == []
    assert list(ensemble.dir.glob("*.sock")) == []


def test_processes_end_with_their_parent(ensemble: Ensemble) -> None:
    ensemble.enqueue("a")
    ensemble.store.register_worker("w0", 0)
    dispatcher = [sys.executable, "-m", "soak.systems.orchestrator.dispatcher", "--name", "d0"]
    command = [*dispatcher, "--config", str(ensemble.dir / "config.json")]
    source = (
        "import subprocess, sys; child = subprocess.Popen(sys.argv[1:]); print(child.pid, flush=True); child.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", source, *command], cwd=ensemble.root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        ensemble.until(lambda: ensemble.store.snapshot().busy_workers)
        parent.kill()
        # The pipe has an end once the child is gone too, which has inherited it.
        ended, _, _ = select.select([parent.stdout], [], [], PATIENCE_S)
        if not ended:
            os.kill(child, signal.SIGKILL)
        assert ended


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("dispatcher", {"config": '{"db": "q", "lease": 1}'}, "unknown setting 'lease'"),
        ("watchdog", {"config": '{"db": "none/queue.db"}'}, "none/queue.db: "),
        ("worker", {"body": "no.such:body"}, "no body 'no.such:body'"),
    ],
)
def test_a_process_that_cannot_start_says_why(
    ensemble: Ensemble, kind: str, options: dict[str, str], message: str
) -> None:
    if "config" in options:
        (ensemble.dir / "config.json").write_text(options["config"])
    process = ensemble.start(kind, "p", body=options.get("body", "bodies:recorded"))
    assert process.wait(20) == 1
    lines = (ensemble.dir / "p.log").read_text().splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_without_atomic_claims_a_task_runs_twice_at_once(ensemble: Ensemble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(defects.VARIABLE, Defect.CLAIM_NOT_ATOMIC)
    ensemble.start_all(dispatchers=2, workers=4)
    number = 0
    while not ensemble.overlapping() and number < 200:
        ensemble.enqueue(str(number), sleep_s=0.03)
        number += 1
        ensemble.until_quiet()
    assert ensemble.overlapping()
