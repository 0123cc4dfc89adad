"""Runs against an attached queue, quick ones: what is told of it, and what ends a run."""

import textwrap
from pathlib import Path

import broken_queues as queues
import pytest
from memory_queue import MemoryQueue

from soak.contract import Accepted, BusyError, Queue, Refused, Snapshot
from soak.runner.engine import BrokenOffError, execute, identify
from soak.runner.judge.judge import Judge
from soak.runner.targets.base import Target
from soak.runner.targets.caller import ContractError
from soak.runner.targets.history import History
from soak.runner.targets.queue.queue_adapter.target import QueueAdapter
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import Outcome, Status, Verdict
from soak.schemas.language.load import Loaded, load
from soak.schemas.stream.identity import Identity
from soak.simulation.plan import Plan

SPEED = 300.0
SCENARIO = """
    version: 1
    name: quick
    system: queue
    duration: 3m
    drain: 5m
    workload:
      arrivals: {{process: constant, rate: 20/min}}
      task: {{duration: {{distribution: constant, value: 4s}}}}
    queue:
      workers: 4
      poll_interval: 1s
      watchdog_interval: 5s
      lease: {{duration: 1m, heartbeat: 15s}}
      retry: {{max_attempts: 4, backoff: [10s]}}
      guardrail: {{soft_tokens: 2000, hard_tokens: 3500}}
    faults: [{faults}]
    slos: [success_rate >= 0%, duplicate_block_rate == 100%, backoff_violations == 0, guardrail_unblocked == 0]
    telemetry: {{max_gap: 30m, max_lag: 30m}}
"""
TWICE = "{name: twice, type: duplicate_enqueue, rate: 30%}"
HANG = "{name: hang, type: worker_hang, rate: 20%, hang_for: 100s}"
OVER = "{name: over, type: guardrail_exceed, rate: 30%}"
TRANSIENT = "{name: transient, type: transient_error, rate: 30%}"


def scenario(tmp_path: Path, *faults: str) -> Loaded:
    """A scenario that takes about a second."""
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


def soak(kind: type[Queue], tmp_path: Path, *faults: str, patience_s: float = 5.0) -> tuple[Verdict, Judge]:
    """A run, without files."""
    loaded, target = scenario(tmp_path, *faults), QueueAdapter("x:X", kind, SPEED, patience_s)
    plan = Plan(loaded.scenario)
    target.prepare(tmp_path)
    return until_it_breaks(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True))


def broken(verdict: Verdict) -> set[str]:
    """The objectives and laws that are broken."""
    objectives = {each.objective for each in verdict.objectives if each.status is Status.FAIL}
    return objectives | {each.law for each in verdict.laws if each.status is Status.FAIL}


def test_a_sound_queue_breaks_nothing(tmp_path: Path) -> None:
    verdict, _ = soak(MemoryQueue, tmp_path, TWICE, TRANSIENT, OVER)
    assert (verdict.verdict, verdict.reasons) == (Outcome.PASS, [])
    assert verdict.clock == "real"


def test_a_queue_that_is_often_busy_is_asked_again(tmp_path: Path) -> None:
    verdict, _ = soak(queues.OftenBusy, tmp_path, TWICE, TRANSIENT, OVER)
    assert (verdict.verdict, verdict.reasons) == (Outcome.PASS, [])


class _Shut(MemoryQueue):
    """From its tenth task on, due at 27 s, it takes nothing in for a hundred calls, and says nothing of itself either."""

    _tasks, _calls = 9, 100
    _left = _calls

    def enqueue(self, key: str, payload: str) -> Accepted | Refused:
        """Busy for a while."""
        if len(self.tasks) == self._tasks and self._left:
            self._left -= 1
            raise BusyError
        return super().enqueue(key, payload)

    def snapshot(self) -> Snapshot:
        """Busy as well."""
        if len(self.tasks) == self._tasks and self._left:
            raise BusyError
        return super().snapshot()


def test_work_that_a_queue_does_not_take_in_waits(tmp_path: Path) -> None:
    """A hundred calls, 2 ms apart, are at least 60 s of scenario time: samples every 10 s see more than half of it."""
    scenario(tmp_path)
    loaded = load(tmp_path / "quick.yaml", settings=("telemetry.sample_interval=10s",))
    target, plan = QueueAdapter("x:X", _Shut, SPEED), Plan(loaded.scenario)
    target.prepare(tmp_path)
    verdict, _ = until_it_breaks(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True))
    assert (verdict.slis["oldest_pending"] or 0) > 30


def test_a_queue_that_cannot_be_closed_does_not_cost_the_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict, _ = soak(queues.CannotBeClosed, tmp_path, TWICE, OVER, TRANSIENT)
    assert verdict.verdict is Outcome.PASS
    assert "CannotBeClosed.close raised OSError: gone" in capsys.readouterr().err


def test_telemetry_that_is_lost_is_told(tmp_path: Path) -> None:
    loss = "{name: blind, type: telemetry_loss, at: 1m, for: 30s}"
    verdict, judge = soak(MemoryQueue, tmp_path, loss)
    assert verdict.verdict is Outcome.INCONCLUSIVE
    assert judge.telemetry.lost_events > 0
    assert [(each.injected, each.seen) for each in verdict.faults] == [(1, 1)]


@pytest.mark.parametrize(
    ("kind", "fault", "check"),
    [
        (queues.IdempotencyOff, TWICE, "duplicate_block_rate == 100%"),
        (queues.BackoffIgnored, TRANSIENT, "backoff_violations == 0"),
        (queues.OwnerNotChecked, HANG, "legal_transitions"),
        (queues.SnapshotForgetsBlocked, OVER, "conservation"),
    ],
)
def test_a_defect_breaks_what_is_meant_for_it(kind: type[Queue], fault: str, check: str, tmp_path: Path) -> None:
    verdict, _ = soak(kind, tmp_path, fault)
    assert verdict.verdict is Outcome.FAIL
    assert check in broken(verdict)


def test_what_a_hung_worker_brings_is_refused(tmp_path: Path) -> None:
    verdict, _ = soak(MemoryQueue, tmp_path, HANG)
    assert broken(verdict) == set()
    (hang,) = verdict.faults
    assert hang.seen > 0
    assert verdict.slis["lease_recovery_rate"] == 1.0


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (queues.Raises, r"^Raises\.claim raised KeyError: 'no such row' \(broken_queues\.py, line \d+\)$"),
        (queues.Garbage, r"^Garbage\.complete returned None, not bool$"),
        (queues.WrongField, r"^WrongField\.enqueue returned Accepted\.task_id = None, not int or str$"),
        (queues.Hangs, r"^Hangs\.claim has not answered for 0\.5 s"),
        (queues.ClaimLosesThePayload, r"\.claim returned task 0 with payload '', not '{\"number\": 0}'$"),
        (queues.IdGivenTwice, r"^IdGivenTwice\.enqueue returned the id 0 a second time"),
        (
            queues.NotEmpty,
            r"^NotEmpty\.(claim named the task 0, which|enqueue refused the key '0', which was never)",
        ),
    ],
)
def test_a_queue_that_does_not_answer_as_it_must_ends_the_run(kind: type[Queue], message: str, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=message):
        soak(kind, tmp_path, patience_s=0.5 if kind is queues.Hangs else 5.0)


def test_a_queue_that_cannot_be_made_is_a_wrong_command(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no server at"):
        soak(queues.MadeWithoutServer, tmp_path)


@pytest.mark.parametrize("kind", ["db_outage", "disk_full", "dispatcher_crash", "watchdog_crash"])
def test_faults_that_need_a_hand_inside_are_refused(kind: str, tmp_path: Path) -> None:
    loaded = scenario(tmp_path, f"{{name: dark, type: {kind}, at: 1m, for: 30s}}")
    with pytest.raises(
        UsageError, match=rf"^target x:X cannot run this scenario: fault dark \({kind}\): .* \(remove the fault"
    ):
        QueueAdapter("x:X", MemoryQueue).admit(loaded.scenario)


@pytest.mark.parametrize(
    "fault",
    [
        "type: service_kill, service: broker, at: 1m",
        "type: network_cut, proxy: broker, at: 1m, for: 1s",
        "type: disk_full, service: broker, at: 1m, for: 1s",
        "type: clock_jump, at: 1m, by: 1h",
        "type: worker_hang, at: 1m, for: 1s",
    ],
)
def test_faults_of_what_a_class_does_not_have_are_refused(fault: str, tmp_path: Path) -> None:
    loaded = scenario(tmp_path, f"{{name: dark, {fault}}}")
    with pytest.raises(UsageError, match=r"^target x:X cannot run this scenario: fault dark \(\w+\): it"):
        QueueAdapter("x:X", MemoryQueue).admit(loaded.scenario)


def test_a_run_is_not_taken_up_again(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="x:X cannot be resumed"):
        QueueAdapter("x:X", MemoryQueue).prepare(tmp_path, History(until_s=1.0))
