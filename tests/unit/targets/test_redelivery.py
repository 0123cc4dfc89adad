"""What a queue makes of work whose worker died: what it never hands out again is lost, whatever it says of it."""

from pathlib import Path

import broken_queues as queues
import pytest

from soak.contract import Queue
from soak.runner.engine import execute, identify
from soak.runner.targets.locate import declared_redelivery
from soak.runner.targets.queue.queue_adapter.target import QueueAdapter
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import LawResult, Verdict
from soak.schemas.language.load import load
from soak.simulation.plan import Plan

SCENARIO = """
version: 1
name: deaths
system: queue
duration: 1m
drain: 3m
seed: 5
workload: {arrivals: {rate: 60/min}, task: {duration: {distribution: constant, value: 2s}}}
queue: {workers: 6, poll_interval: 1s, watchdog_interval: 2s, worker_restart: 2s, lease: {duration: 10s, heartbeat: 3s}}
faults: [{name: crash, type: worker_crash, rate: 20%}]
slos: [success_rate >= 50%]
telemetry: {max_gap: 10m, max_lag: 10m}
"""
SPEED = 60.0


class NeverRecovers(queues.MemoryQueue):
    """Its watchdog is asleep: work of dead workers is IN_PROGRESS for ever."""

    def recover(self) -> list:
        return []


class SaysItIsSlow(NeverRecovers):
    redelivery_s = 600.0


def soak(kind: type[Queue], tmp_path: Path) -> Verdict:
    """The verdict on a real run of a queue."""
    path = tmp_path / "deaths.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    loaded = load(path)
    plan, target = Plan(loaded.scenario), QueueAdapter("queue", kind, SPEED)
    target.prepare(tmp_path)
    verdict, _ = execute(plan, target, identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=False))
    return verdict


def redelivery(verdict: Verdict) -> LawResult:
    """How the law came out."""
    return next(law for law in verdict.laws if law.law == "redelivery")


def test_work_that_a_queue_never_hands_out_again_is_lost(tmp_path: Path) -> None:
    verdict = soak(NeverRecovers, tmp_path)
    assert [objective.status for objective in verdict.objectives] == ["PASS"]
    assert (verdict.verdict, redelivery(verdict).status) == ("FAIL", "FAIL")
    assert redelivery(verdict).value == verdict.slis["lost_tasks"] == verdict.tasks["IN_PROGRESS"] > 3


def test_a_queue_that_declares_a_longer_redelivery_is_waited_for(tmp_path: Path) -> None:
    """Ten real minutes are ten hours at this speed; a drain of three minutes cannot tell."""
    verdict = soak(SaysItIsSlow, tmp_path)
    assert (verdict.verdict, redelivery(verdict).status) == ("INCONCLUSIVE", "INCONCLUSIVE")
    assert "that may take 10h" in redelivery(verdict).detail


def test_a_sound_queue_loses_nothing(tmp_path: Path) -> None:
    verdict = soak(queues.MemoryQueue, tmp_path)
    assert (redelivery(verdict).status, verdict.slis["lost_tasks"]) == ("PASS", 0)
    assert verdict.slis["redelivery_time_max"] > 10


@pytest.mark.parametrize("declared", ["10s", -1.0, float("nan"), float("inf"), True])
def test_a_redelivery_that_is_no_number_of_seconds_is_refused(declared: object) -> None:
    kind = type("Odd", (queues.MemoryQueue,), {"redelivery_s": declared})
    with pytest.raises(UsageError, match=r"odd:Odd: redelivery_s is .* \(write a number of seconds"):
        declared_redelivery("odd:Odd", kind)
