"""What faults of attempts could have struck: compiled code and NumPy agree, wherever blocks end, on streams of any content."""

import numpy as np
import pytest

from soak.runner.judge.queue.compiled_exposure import CompiledAttempts
from soak.runner.judge.queue.exposure import Attempts
from soak.schemas.language.load import load
from soak.schemas.stream.block import Block, make_block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.simulation.plan import Plan

SCENARIO = """version: 1
name: budgets
system: queue
duration: 2h
workload: {arrivals: {rate: 10/min}, task: {duration: {distribution: exponential, mean: 14s}}}
queue: {workers: 4}
faults:
  - {name: network, type: transient_error, rate: 10%}
  - {name: always, type: guardrail_exceed, rate: 10%}
  - {name: sometimes, type: guardrail_exceed, rate: 10%, at: 10m, for: 30m}
slos:
  - success_rate >= 10%
"""
END_S = 7200.0


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    path = tmp_path_factory.mktemp("budgets") / "scenario.yaml"
    path.write_text(SCENARIO)
    return Plan(load(path).scenario)


def drawn(seed: int, causes: int) -> Block:
    """Starts and retries of a few tasks, in no sensible order; some without an attempt, as only a damaged stream has them."""
    rng = np.random.default_rng(seed)
    count = 240
    return make_block(
        np.sort(rng.random(count) * END_S),
        rng.choice([int(Kind.TASK_DISPATCHED), int(Kind.TASK_RETRY)], count),
        task=rng.integers(0, 12, count),
        attempt=rng.integers(0, 4, count),
        cause=rng.integers(0, causes, count),
        until_s=END_S,
    )


def expected(attempts: Attempts, blocks: list[Block]) -> list[float]:
    for block in blocks:
        attempts.observe(block)
    return [attempts.expected(place, END_S) for place in range(len(attempts.contest.faults))]


@pytest.mark.parametrize("seed", range(20))
def test_any_block_cut_anywhere_counts_the_same(seed: int, plan: Plan) -> None:
    block = drawn(seed, len(plan.vocabulary.causes))
    cuts = np.sort(np.random.default_rng(seed).random(3) * END_S).tolist()
    parts, rest = list[Block](), block
    for cut in cuts:
        part, rest = rest.split(cut)
        parts.append(part)
    found = [
        expected(kind(plan.scenario, plan.vocabulary), blocks)
        for kind in (Attempts, CompiledAttempts)
        for blocks in ([block], [*parts, rest])
    ]
    assert found == [found[0]] * 4
    assert all(value > 0 for value in found[0])


def test_an_event_without_an_attempt_shows_nothing(plan: Plan) -> None:
    retry, start = Kind.TASK_RETRY, Kind.TASK_DISPATCHED
    # The second attempt ended by something else, so the task is within its budget: the third could not have been over it.
    block = make_block(
        [1.0, 2.0, 3.0, 4.0],
        [retry, retry, start, start],
        task=[0, 0, 0, 2],
        attempt=[0, 2, 3, 1],
        cause=[NO_CAUSE] * 4,
        until_s=5.0,
    )
    for kind in (Attempts, CompiledAttempts):
        assert expected(kind(plan.scenario, plan.vocabulary), [block]) == pytest.approx([0.2, 0.09, 0.0])
