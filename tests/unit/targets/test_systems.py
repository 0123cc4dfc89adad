"""Systems that own their workers: the checks of their contract, and runs against them."""

import textwrap
from pathlib import Path

import broken_systems as systems
import pytest
from thread_system import ThreadSystem

from soak.contract import System
from soak.runner.engine import BrokenOffError, execute, identify
from soak.runner.judge.judge import Judge
from soak.runner.targets.base import Target
from soak.runner.targets.caller import ContractError
from soak.runner.targets.history import History
from soak.runner.targets.locate import find_class, owns_workers
from soak.runner.targets.make import make_target
from soak.runner.targets.queue.contract_checks import Result, check_class, suite
from soak.runner.targets.queue.system_adapter.target import SystemAdapter
from soak.schemas.errors import SoakError, UsageError
from soak.schemas.evidence.verdict import Outcome, Status, Verdict
from soak.schemas.language.load import Loaded, load
from soak.schemas.stream.identity import Identity
from soak.simulation.plan import Plan

SCENARIO = """
    version: 1
    name: quick
    system: queue
    duration: 2m
    drain: 3m
    workload:
      arrivals: {{process: constant, rate: 30/min}}
      task: {{duration: {{distribution: constant, value: 4s}}}}
    queue:
      workers: 4
      poll_interval: 1s
      lease: {{duration: 1m, heartbeat: 15s}}
      retry: {{max_attempts: 4, backoff: [10s]}}
      guardrail: {{soft_tokens: 2000, hard_tokens: 3500}}
    faults: [{faults}]
    slos: [success_rate >= 0%, duplicate_block_rate == 100%, backoff_violations == 0, guardrail_unblocked == 0]
    telemetry: {{max_gap: 30m, max_lag: 30m}}
"""
TWICE = "{name: twice, type: duplicate_enqueue, rate: 30%}"
AT_ONCE = "{name: at-once, type: duplicate_enqueue, rate: 30%, delay: {distribution: constant, value: 0s}}"
OVER = "{name: over, type: guardrail_exceed, rate: 30%}"
TRANSIENT = "{name: transient, type: transient_error, rate: 30%}"
CRASH = "{name: crash, type: worker_crash, rate: 20%}"
LOCK = "{name: lock, type: db_lock, rate: 30%}"
FEW_LATE = 4
"""On a busy machine a lease of 0.2 s expires now and then before the end that a fault has brought about is reported."""


def scenario(tmp_path: Path, *faults: str) -> Loaded:
    """A scenario that takes about half a second."""
    path = tmp_path / "quick.yaml"
    path.write_text(textwrap.dedent(SCENARIO).format(faults=", ".join(faults)))
    return load(path)


def until_it_breaks(plan: Plan, target: Target, identity: Identity) -> tuple[Verdict, Judge]:
    """A run; what broke it off is raised as it was."""
    try:
        return execute(plan, target, identity)
    except BrokenOffError as broken:
        assert broken.__cause__
        raise broken.__cause__ from None


def soak(kind: type[System], tmp_path: Path, *faults: str, patience_s: float = 5.0) -> Verdict:
    """A run, without files."""
    loaded, target = scenario(tmp_path, *faults), SystemAdapter("x:X", kind, 300.0, patience_s)
    plan = Plan(loaded.scenario)
    target.prepare(tmp_path)
    return until_it_breaks(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True))[0]


def problems(verdict: Verdict) -> dict[str, Status]:
    """What did not pass."""
    named = [(each.sli, each.status) for each in verdict.objectives] + [
        (each.law, each.status) for each in verdict.laws
    ]
    return {name: status for name, status in named if status is not Status.PASS}


def failed(kind: type[System], only: str = "", patience_s: float = 2.0) -> dict[str, str]:
    """What failed, and why."""
    results = check_class(kind, only=only, patience_s=patience_s)
    return {each.name: each.detail for each in results if each.status == "failed"}


def test_the_example_keeps_the_contract() -> None:
    results = list(check_class(ThreadSystem))
    assert [each.name for each in results] == [check.name for check in suite(ThreadSystem)[0]]
    assert [each.name.split(",")[0] for each in results if each.status != "ok"] == [
        "the task of a killed worker is retried once its lease has expired",
        "a worker that lost its lease is refused",
    ]
    assert {each.status for each in results} == {"ok", "skipped"}


def test_the_orchestrator_that_comes_along_keeps_the_contract() -> None:
    kind = find_class("soak.runner.targets.queue.orchestrator.system:OrchestratorSystem")
    for only in ("killed", "lost its lease", "reported once"):
        assert [each.status for each in check_class(kind, only=only)] == ["ok"]


@pytest.mark.parametrize(
    ("kind", "name", "detail"),
    [
        (
            systems.IdempotencyOff,
            "a key is refused while",
            "Refused() for a key that is PENDING or IN_PROGRESS, got Acc",
        ),
        (systems.BackoffIgnored, "a transient failure is retried", "expected a wait of 0.1 s, got a body 0.0"),
        (systems.RetriesWithoutEnd, "a task is FAILED after 3 attempts", "expected FAILED of attempt 3 from changes"),
        (systems.GuardrailIgnored, "a task over its hard budget is BLOCKED", "got ENQUEUED, DISPATCHED, DONE"),
        (systems.FailureIsDone, "a permanent failure is FAILED at once", "expected FAILED of attempt 1 from changes"),
        (systems.TellsTwice, "changes are reported once", "got ENQUEUED, ENQUEUED, DISPATCHED, DISPATCHED, DONE, DONE"),
        (
            systems.TellsNothing,
            "a task is dispatched to a body",
            "expected DISPATCHED of attempt 1 from changes within 2 s",
        ),
        (
            systems.OneWorker,
            "no more bodies run at once",
            "expected 3 bodies to run at a time within 2 s, got 1 that run",
        ),
        (systems.SnapshotForgetsBlocked, "the snapshot counts", "got 1 pending, 3 in_progress, 1 done, 1 failed"),
        (systems.NeverStops, "no body starts after stop", "expected no body to start, got [(6, 1)]"),
        (systems.Garbage, "a new system is empty", "Garbage.changes returned str 'done', not Change in its list"),
        (systems.WrongProcess, "killed", "WrongProcess.processes returned 'w0': '1234', not the name of a process"),
        (
            systems.Strangers,
            "killed",
            "expected processes to list the worker 'w0' under the name passed to its body, got worker-pr",
        ),
    ],
)
def test_a_defect_fails_its_check(kind: type[System], name: str, detail: str) -> None:
    [told] = failed(kind, name).values()
    assert detail in told


def test_nothing_is_run_after_a_call_that_hangs() -> None:
    results = list(check_class(systems.Hangs, patience_s=0.3))
    assert results == [
        Result(
            "a new system is empty",
            "failed",
            "Hangs.changes has not answered for 0.3 s (a call must not wait; on a busy machine, raise --patience); "
            "the checks after it were not run",
        )
    ]


def test_a_sound_system_passes(tmp_path: Path) -> None:
    verdict = soak(ThreadSystem, tmp_path, TWICE, OVER, TRANSIENT)
    assert (verdict.verdict, problems(verdict)) == (Outcome.PASS, {})
    assert verdict.tasks["accepted"] >= 60
    assert all(0 < fault.seen <= fault.injected < fault.seen + FEW_LATE for fault in verdict.faults)


def test_keys_that_come_twice_at_the_same_time(tmp_path: Path) -> None:
    verdict = soak(ThreadSystem, tmp_path, AT_ONCE, TRANSIENT, OVER)
    assert verdict.verdict is Outcome.PASS
    assert verdict.slis["duplicate_block_rate"] == 1.0


def test_a_database_that_cannot_be_locked_is_late_instead(tmp_path: Path) -> None:
    verdict = soak(ThreadSystem, tmp_path, LOCK, TWICE, OVER)
    assert verdict.verdict is Outcome.PASS
    lock = verdict.faults[0]
    assert 0 < lock.seen <= lock.injected < lock.seen + FEW_LATE


@pytest.mark.parametrize(
    ("kind", "fault", "found"),
    [
        (systems.IdempotencyOff, TWICE, "duplicate_block_rate"),
        (systems.BackoffIgnored, TRANSIENT, "backoff_violations"),
        (systems.GuardrailIgnored, OVER, "guardrail_unblocked"),
        (systems.FailureIsDone, "{name: permanent, type: permanent_error, rate: 30%}", "ledger_agreement"),
    ],
)
def test_a_defect_is_found(kind: type[System], fault: str, found: str, tmp_path: Path) -> None:
    verdict = soak(kind, tmp_path, fault)
    assert verdict.verdict is Outcome.FAIL
    assert problems(verdict).get(found) is Status.FAIL


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (systems.Garbage, "Garbage.changes returned str 'done', not Change in its list"),
        (systems.Hangs, "Hangs.changes has not answered for 0.3 s"),
        (systems.WrongProcess, "WrongProcess.processes returned 'w0': '1234'"),
    ],
)
def test_a_broken_contract_ends_the_run(kind: type[System], message: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=message.replace(".", r"\.")):
        soak(kind, tmp_path, *([CRASH] if kind is systems.WrongProcess else []), patience_s=0.3)


def test_a_worker_that_cannot_be_killed_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(
        SoakError, match=r"Strangers.processes\(\) has no process for worker 'w\d' \(it has worker-process-1\)"
    ):
        soak(systems.Strangers, tmp_path, CRASH)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (CRASH, r"fault crash \(worker_crash\): it has no method processes\(\)"),
        ("{name: dark, type: db_outage, at: 1m, for: 30s}", "cannot lock a database that it does not know"),
        ("{name: deaf, type: dispatcher_crash, at: 1m, for: 30s}", "does not know its processes"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(fault: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        SystemAdapter("x:X", ThreadSystem).admit(scenario(tmp_path, fault).scenario)


def test_it_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be resumed"):
        SystemAdapter("x:X", ThreadSystem).prepare(tmp_path, History())


def test_the_shape_is_seen_from_the_methods() -> None:
    assert owns_workers(find_class("thread_system:ThreadSystem"))
    assert not owns_workers(find_class("memory_queue:MemoryQueue"))
    assert isinstance(make_target("thread_system:ThreadSystem", 60), SystemAdapter)
