"""Delivery in real runs against attached queues: visibility timeouts, jitter, early acknowledgement, dead letters."""

import textwrap
from pathlib import Path

import pytest
from broken_queues import MemoryQueue
from broken_systems import ThreadSystem

from soak.contract import Claim, Expired, Failed, Queue, QueueSettings, Retry, Snapshot
from soak.runner.engine import execute, identify
from soak.runner.targets.queue.queue_adapter.target import QueueAdapter
from soak.runner.targets.queue.settings import queue_settings
from soak.runner.targets.queue.system_adapter.target import SystemAdapter
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.load import Loaded, load
from soak.simulation.plan import Plan

SCENARIO = """
    version: 1
    name: quick
    system: queue
    duration: 3m
    drain: 5m
    workload:
      arrivals: {{process: constant, rate: 20/min}}
      task: {{duration: {{distribution: constant, value: {service}}}}}
    queue:
      workers: 20
      poll_interval: 1s
      watchdog_interval: 1s
      {queue}
    faults: [{faults}]
    slos: [success_rate >= 0%, backoff_violations == 0]
    telemetry: {{max_gap: 30m, max_lag: 30m}}
"""
SPEED = 120.0
TIMEOUT = "lease: {duration: 10s, heartbeat: none}"
FAILS = "{name: fails, type: transient_error, rate: 100%}"
CRASH = "{name: crash, type: worker_crash, rate: 30%}"


class EarlyQueue(MemoryQueue):
    """Acknowledges a task as it is claimed."""

    acks_early = True

    def claim(self, worker: str) -> Claim | None:
        claim = super().claim(worker)
        if claim and self.settings.ack_early:
            self.tasks[int(claim.task_id)].state = "acknowledged"
        return claim

    def snapshot(self) -> Snapshot:
        known = [task.state for task in self.tasks if task.state != "acknowledged"]
        return Snapshot(**{state: known.count(state) for state in known})


class DeadLetters(MemoryQueue):
    """Says which tasks it sets aside."""

    def again(self, task: object, wait: float | None) -> Retry | Failed:
        answer = super().again(task, wait)  # type: ignore[arg-type]
        return Failed(dead_lettered=True) if isinstance(answer, Failed) and wait is not None else answer


class Redelivers(EarlyQueue):
    """Says that it acknowledges early, and does not."""

    def claim(self, worker: str) -> Claim | None:
        return MemoryQueue.claim(self, worker)

    def recover(self) -> list[Expired]:
        return MemoryQueue.recover(self)

    snapshot = MemoryQueue.snapshot


def loaded(tmp_path: Path, queue: str, faults: str = "", service: str = "4s") -> Loaded:
    path = tmp_path / "quick.yaml"
    text = textwrap.dedent(SCENARIO).format(queue=queue.replace("; ", "\n  "), faults=faults, service=service)
    path.write_text(text, encoding="utf-8")
    return load(path)


def soaked(kind: type[Queue], tmp_path: Path, queue: str, faults: str = "", service: str = "4s") -> Verdict:
    made = loaded(tmp_path, queue, faults, service)
    target, plan = QueueAdapter("x:X", kind, SPEED), Plan(made.scenario)
    target.prepare(tmp_path)
    return execute(plan, target, identify(made.scenario, made.sha256, plan.seed, target, abort=True))[0]


def laws(found: Verdict) -> dict[str, str]:
    return {each.law: each.status for each in found.laws if each.status != "PASS"}


def test_no_heartbeat_renews_a_visibility_timeout(tmp_path: Path) -> None:
    found = soaked(MemoryQueue, tmp_path, f"{TIMEOUT}; retry: {{max_attempts: 2}}", service="25s")
    assert (found.tasks["DONE"], found.tasks["FAILED"]) == (0, 60)
    assert 50 <= (found.slis["duplicate_executions"] or 0) <= 60
    assert laws(found) == {}


def test_jitter_is_left_to_the_queue_and_its_answer_counts(tmp_path: Path) -> None:
    retry = "retry: {max_attempts: 3, backoff: {initial: 5s, max: 20s}, jitter: equal}"
    found = soaked(MemoryQueue, tmp_path, retry, faults=FAILS)
    assert (found.tasks["FAILED"], found.slis["backoff_violations"]) == (60, 0)


def test_a_crash_loses_what_was_acknowledged(tmp_path: Path) -> None:
    found = soaked(EarlyQueue, tmp_path, "ack: early", faults=CRASH)
    assert 5 <= found.tasks["LOST"] <= 35
    assert found.tasks["LOST"] + found.tasks["DONE"] == 60
    assert found.slis["lost_tasks"] == found.tasks["LOST"]
    assert laws(found) == {}


def test_a_queue_that_delivers_again_in_spite_of_it_breaks_laws(tmp_path: Path) -> None:
    found = soaked(Redelivers, tmp_path, "ack: early; lease: {duration: 10s, heartbeat: 5s}", faults=CRASH)
    assert laws(found).keys() >= {"redelivery", "legal_transitions"}


def test_a_queue_says_what_it_sets_aside(tmp_path: Path) -> None:
    found = soaked(DeadLetters, tmp_path, "max_deliveries: 2; retry: {backoff: [5s]}", faults=FAILS)
    assert (found.slis["dead_lettered"], found.tasks["FAILED"], found.slis["excess_attempts"]) == (60, 60, 0)


@pytest.mark.parametrize("adapter", [QueueAdapter("x:X", MemoryQueue), SystemAdapter("x:X", ThreadSystem)])
def test_early_acknowledgement_has_to_be_declared(tmp_path: Path, adapter: QueueAdapter | SystemAdapter) -> None:
    with pytest.raises(UsageError, match=r"queue\.ack: early: x:X does not declare .* acks_early = True in the class"):
        adapter.admit(loaded(tmp_path, "ack: early").scenario)


def test_a_class_is_told_in_real_seconds(tmp_path: Path) -> None:
    queue = f"{TIMEOUT}; max_deliveries: 3; retry: {{backoff: {{initial: 10s, max: 30s}}, jitter: decorrelated}}"
    told: QueueSettings = queue_settings(loaded(tmp_path, queue).scenario, tmp_path, speed=10.0)
    assert (told.heartbeat_s, told.lease_s, told.backoff_s, told.backoff_max_s) == (float("inf"), 1.0, (1.0, 2.0), 3.0)
    assert (told.max_attempts, told.max_deliveries, told.decorrelated, told.ack_early) == (3, 3, True, False)
    listed = loaded(tmp_path, "retry: {backoff: [10s, 20s], jitter: 20%}").scenario
    assert queue_settings(listed, tmp_path, speed=10.0).backoff_s == (1.0, 2.0)
    assert queue_settings(listed, tmp_path, speed=10.0).jitter == 0.2
