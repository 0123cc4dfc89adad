"""Queues that several threads may call are called by several during a run: what two workers get at once is found."""

from collections import Counter
from pathlib import Path

import broken_queues as queues
import numpy as np
import pytest
from test_contract_runs import OVER, SCENARIO, SPEED, TRANSIENT, TWICE, broken

from soak.contract import Queue
from soak.runner.engine import BrokenOffError, execute, identify
from soak.runner.judge.samples import Facts
from soak.runner.targets.caller import ContractError
from soak.runner.targets.queue.queue_adapter.caller import AT_ONCE
from soak.runner.targets.queue.queue_adapter.target import QueueAdapter
from soak.schemas.evidence.verdict import Outcome, Verdict
from soak.schemas.language.load import load
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan

ONCE = (
    SCENARIO.replace("success_rate >= 0%", "success_rate >= 0%, duplicate_executions == 0")
    .replace("{{process: constant, rate: 20/min}}", "{{rate: 20/min}}")
    .replace("{{distribution: constant, value: 4s}}", "{{distribution: lognormal, median: 4s, p95: 8s}}")
    .replace("{{duration: 1m, heartbeat: 15s}}", "{{duration: 3m, heartbeat: 3s}}")
    .replace("drain: 5m", "drain: 30m")
)
PATIENT = ("telemetry.max_lag=30m", "telemetry.max_gap=30m")
TWINS = "{name: twins, type: duplicate_enqueue, rate: 30%, delay: {distribution: constant, value: 0s}}"
CRASH = "{name: crash, type: worker_crash, rate: 10%}"
OTHERS = {"enqueue", "heartbeat", "complete", "fail", "block", "recover", "snapshot"}


class Kept:
    """The events of a run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.kinds: Counter[Kind] = Counter()
        self.refusals: Counter[str] = Counter()
        self.attempts: Counter[tuple[Kind, int, int]] = Counter()

    def append(self, block: Block, facts: Facts) -> None:
        kinds = [Kind(kind) for kind in block.kind.tolist()]
        self.kinds.update(kinds)
        self.attempts.update(zip(kinds, block.task.tolist(), block.attempt.tolist(), strict=True))
        for place in np.flatnonzero(block.kind == Kind.LEASE_REFUSED):
            cause = self._plan.vocabulary.causes[int(block.cause[place])]
            self.refusals[cause.fault or cause.error] += 1

    def most(self, kind: Kind) -> int:
        """How many events of a kind there are of one attempt, at most."""
        return max((count for (other, *_), count in self.attempts.items() if other is kind), default=0)


def soak(
    kind: type[Queue],
    tmp_path: Path,
    *faults: str,
    speed: float = SPEED,
    settings: tuple[str, ...] = (),
    patience_s: float | None = None,
) -> tuple[Verdict, Kept]:
    """A run, and its events."""
    path = tmp_path / "quick.yaml"
    path.write_text(ONCE.format(faults=", ".join(faults)))
    loaded, target = load(path, settings=(*PATIENT, *settings)), QueueAdapter("x:X", kind, speed, patience_s)
    plan = Plan(loaded.scenario)
    target.prepare(tmp_path)
    kept = Kept(plan)
    identity = identify(loaded.scenario, loaded.sha256, plan.seed, target, abort=True)
    return execute(plan, target, identity, [kept])[0], kept


def noting(kind: type[queues.Overlapping], made: list[queues.Overlapping]) -> type[Queue]:
    """The class, with every object of it kept."""

    class Noting(kind):
        def __init__(self, settings: object) -> None:
            super().__init__(settings)
            made.append(self)

    return Noting


@pytest.mark.parametrize(
    "kind", [queues.SelectThenUpdate, queues.SelectThenUpdateAndRead, queues.SelectThenUpdateForAll]
)
def test_a_task_that_two_workers_get_is_executed_twice(kind: type[Queue], tmp_path: Path) -> None:
    verdict, kept = soak(kind, tmp_path, TRANSIENT, OVER)
    assert verdict.verdict is Outcome.FAIL
    assert "duplicate_executions == 0" in broken(verdict)
    assert "legal_transitions" in broken(verdict)
    assert kept.most(Kind.EXECUTION_STARTED) > 1
    assert kept.most(Kind.EXECUTION_ENDED) > 1


def test_those_who_come_second_are_refused_and_it_is_told_why(tmp_path: Path) -> None:
    _, kept = soak(queues.SelectThenUpdate, tmp_path)
    assert kept.refusals["claimed_twice"] > 0
    assert kept.most(Kind.TASK_DONE) == 1


def test_a_queue_that_refuses_nobody_closes_a_task_twice(tmp_path: Path) -> None:
    _, kept = soak(queues.SelectThenUpdateForAll, tmp_path)
    assert kept.most(Kind.TASK_DONE) > 1
    assert kept.refusals["claimed_twice"] == 0


def test_a_queue_that_one_thread_may_call_does_not_meet_a_second(tmp_path: Path) -> None:
    verdict, kept = soak(queues.SelectThenUpdateOneByOne, tmp_path, TRANSIENT, OVER, TWICE)
    assert (verdict.verdict, broken(verdict)) == (Outcome.PASS, set())
    assert kept.most(Kind.EXECUTION_STARTED) == 1


@pytest.mark.parametrize("kind", [queues.Locked, queues.Overlapping])
def test_a_sound_queue_breaks_nothing(kind: type[Queue], tmp_path: Path) -> None:
    verdict, kept = soak(kind, tmp_path, TRANSIENT, OVER, CRASH, TWICE, TWINS)
    assert (verdict.verdict, broken(verdict)) == (Outcome.PASS, set())
    assert kept.most(Kind.EXECUTION_STARTED) == 1
    assert kept.kinds[Kind.LEASE_EXPIRED] > 0
    assert kept.refusals["claimed_twice"] == 0


def test_claims_come_at_once_and_with_every_other_call(tmp_path: Path) -> None:
    made: list[queues.Overlapping] = []
    settings = ("workload.arrivals.rate=60/min", "queue.workers=12", "telemetry.sample_interval=5s")
    verdict, _ = soak(
        noting(queues.Overlapping, made), tmp_path, TRANSIENT, OVER, TWICE, speed=100.0, settings=settings
    )
    assert (verdict.verdict, broken(verdict)) == (Outcome.PASS, set())
    [queue] = made
    assert {other for other in OTHERS if queue.together[frozenset({"claim", other})]} == OTHERS
    assert len(queue.threads["claim"]) == AT_ONCE
    assert queue.together[frozenset({"claim"})] >= 100
    assert len({thread for name in OTHERS for thread in queue.threads[name]}) == 1


def test_calls_come_one_at_a_time_where_nothing_else_is_said(tmp_path: Path) -> None:
    made: list[queues.Overlapping] = []
    soak(noting(queues.OverlappingNot, made), tmp_path, TRANSIENT, OVER, TWINS)
    [queue] = made
    assert (queue.most, queue.together) == (1, Counter())
    assert len({thread for threads in queue.threads.values() for thread in threads}) == 1


def test_a_key_that_is_offered_twice_at_once_is_taken_once(tmp_path: Path) -> None:
    verdict, _ = soak(queues.Locked, tmp_path, TWINS)
    assert verdict.slis["duplicate_block_rate"] == 1.0


def test_a_key_that_is_taken_twice_is_found(tmp_path: Path) -> None:
    verdict, _ = soak(queues.KeyTakenTwice, tmp_path, TWINS)
    assert "duplicate_block_rate == 100%" in broken(verdict)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (queues.RaisesForOne, r"^RaisesForOne\.claim raised KeyError: 'w0' \(broken_queues\.py, line \d+\)$"),
        (queues.HangsForOne, r"^HangsForOne\.claim has not answered for 0\.3 s"),
        (queues.GarbageForOne, r"^GarbageForOne\.claim returned str 'w0', not Claim or None$"),
    ],
)
def test_what_one_does_is_named_and_what_the_others_got_is_kept(
    kind: type[Queue], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BrokenOffError) as broken_off:
        soak(kind, tmp_path, patience_s=0.3)
    with pytest.raises(ContractError, match=message):
        raise broken_off.value.__cause__
    assert broken_off.value.judge.kinds_seen[Kind.EXECUTION_STARTED] >= 1
