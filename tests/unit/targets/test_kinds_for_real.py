"""Kinds of work against attached queues: what they are told, and what is refused of those that do not take it."""

import json
import textwrap
from pathlib import Path

import broken_queues as queues
import numpy as np
import pytest
from memory_queue import MemoryQueue

from soak.contract import Claim, System
from soak.runner.engine import execute, identify
from soak.runner.judge.judge import Judge
from soak.runner.targets.queue.orchestrator.target import Orchestrator
from soak.runner.targets.queue.queue_adapter.target import QueueAdapter
from soak.runner.targets.queue.system_adapter.target import SystemAdapter
from soak.schemas.errors import UsageError
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, merge
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan

SCENARIO = """
    version: 1
    name: quick
    system: queue
    duration: 3m
    drain: 5m
    workload:
      arrivals: {{process: constant, rate: 40/min}}
      task: {{duration: {{distribution: exponential, mean: 4s}}}}
      kinds:
        - {{name: small, share: 50%, {small}}}
        - {{name: big, share: 50%, {big}}}
    queue: {{poll_interval: 1s, retry: {{max_attempts: 3, backoff: [10s]}}, {queue}}}
    slos: [success_rate >= 0%, backoff_violations == 0, excess_attempts == 0]
    telemetry: {{max_gap: 30m, max_lag: 30m}}
"""
QUEUES = "queues: [{name: fast, workers: 2, kinds: [small]}, {name: slow, workers: 2}]"


def scenario(
    tmp_path: Path, *, small: str = "priority: 0", big: str = "priority: 0", queue: str = "workers: 4"
) -> Scenario:
    path = tmp_path / "quick.yaml"
    path.write_text(textwrap.dedent(SCENARIO).format(small=small, big=big, queue=queue))
    return load(path).scenario


class Blocks:
    """What a run recorded."""

    def __init__(self) -> None:
        self.all: list[Block] = []

    def append(self, block: Block, facts: object) -> None:
        self.all.append(block)


def soak(kind: type, of: Scenario, tmp_path: Path) -> tuple[Verdict, Judge, Plan, Block]:
    plan, target, blocks = Plan(of), QueueAdapter("x:X", kind, 300.0, 5.0), Blocks()
    target.prepare(tmp_path)
    verdict, judge = execute(plan, target, identify(of, "0" * 64, plan.seed, target, abort=True), [blocks])
    return verdict, judge, plan, merge(blocks.all)


class ByQueue(MemoryQueue):
    """Gives a worker what is in its queue."""

    takes = ("queues",)

    def claim(self, worker: str) -> Claim | None:
        mine = next(name for name, workers in self.settings.queues.items() if worker in workers)
        every = self.tasks
        self.tasks = [each for each in every if self.settings.kinds[json.loads(each.payload)["kind"]].queue == mine]
        try:
            return super().claim(worker)
        finally:
            self.tasks = every


def test_workers_of_a_queue_claim_what_is_in_it(tmp_path: Path) -> None:
    _, _, plan, events = soak(ByQueue, scenario(tmp_path, queue=QUEUES), tmp_path)
    assert plan.kinds
    started = events.kind == Kind.TASK_DISPATCHED
    kind, worker = plan.kinds.of(events.task[started]), events.worker[started]
    assert len(kind) > 100
    np.testing.assert_array_equal(worker >= 2, kind == 1)


def test_a_time_limit_is_kept_by_the_runner(tmp_path: Path) -> None:
    verdict, _, plan, events = soak(MemoryQueue, scenario(tmp_path, queue="workers: 40, time_limit: 6s"), tmp_path)
    late = np.array([cause.error == "time_limit" for cause in plan.vocabulary.causes])[events.cause]
    ended = (events.kind == Kind.EXECUTION_ENDED) & late
    again = np.isin(events.kind, (Kind.TASK_RETRY, Kind.TASK_FAILED)) & late
    assert ended.sum() == again.sum() > 10
    assert float(events.value[ended].min()) >= 5.9
    assert {each.sli: each.status.value for each in verdict.objectives}["backoff_violations"] == "PASS"


@pytest.mark.parametrize(
    ("asked", "missing"),
    [
        ({"small": "priority: 5"}, "workload.kinds[].priority"),
        ({"big": "retry: {max_attempts: 1}"}, "workload.kinds[].retry"),
        ({"queue": QUEUES}, "queue.queues"),
        (
            {"queue": "queues: [{name: a, workers: 1, rate_limit: 9/s}]"},
            "queue.queues or queue.queues[].rate_limit",
        ),
    ],
)
def test_what_a_class_does_not_take_is_refused(asked: dict[str, str], missing: str, tmp_path: Path) -> None:
    class Plain(queues.NewestFirst):
        pass

    with pytest.raises(UsageError) as refused:
        QueueAdapter("x:X", Plain).admit(scenario(tmp_path, **asked))
    assert str(refused.value) == (
        f"target x:X cannot run this scenario: it does not take {missing}"
        " (remove it, or declare in `takes` what the class heeds: see soak.contract)"
    )


def test_a_budget_by_kind_is_for_a_system_to_heed(tmp_path: Path) -> None:
    of = scenario(tmp_path, big="hard_tokens: 9000")
    QueueAdapter("x:X", MemoryQueue).admit(of)
    with pytest.raises(UsageError, match=r"does not take workload\.kinds"):
        SystemAdapter("x:X", System).admit(of)


def test_the_bundled_orchestrator_takes_all_but_prefetch(tmp_path: Path) -> None:
    queues = QUEUES.replace("workers: 2}", "workers: 2, rate_limit: 9/s}")
    Orchestrator().admit(scenario(tmp_path, small="priority: 5", big="retry: {max_attempts: 1}", queue=queues))
    ahead = scenario(tmp_path, queue="queues: [{name: a, workers: 1, prefetch: 2}]")
    with pytest.raises(UsageError, match=r"does not take queue.queues\[\].prefetch"):
        Orchestrator().admit(ahead)
