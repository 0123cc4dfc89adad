"""Replications are judged by compiled code, and the verdict is the same to the last bit; mistakes in that code are found."""

import os
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.generated import scenario_of
from engines.judges import LEAN, both, cut, differences, is_followed, judge_of, without_compiled
from soak.runner.evidence.stream import NEEDS_TASK
from soak.runner.judge.need import EVERYTHING, Need, NotFollowedError
from soak.runner.judge.queue import compiled, compiled_exposure, follow
from soak.runner.judge.queue.duplicates import AFTER_DONE, CLAIMED_TWICE, LEASE_EXPIRED, SUBMITTED_TWICE
from soak.runner.judge.queue.exposure import Attempts
from soak.runner.judge.queue.follow import Follower
from soak.runner.judge.samples import Facts
from soak.runner.judge.sweep import swept
from soak.runner.replications.replication import Job
from soak.schemas.language.load import load
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, make_block, merge
from soak.schemas.stream.events import Kind
from soak.simulation.compiled import library
from soak.simulation.compiled.library import Unavailable
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(follow.__file__).with_name("follow.c")
SEEDS = range(12)
SHIPPED = ("72h", "aborts/success-collapse", "aborts/stalled", "failures/lease-contention", "failures/retry-storm")

MISTAKES = {
    "latencies count from the last wait": ("quantised(e->t - task->due)", "quantised(e->t - task->since)"),
    "a wait that forgets the attempts before": ("quantised(task->wait + larger(", "quantised(larger("),
    "a stall that begins with the last change": (
        "double start = larger(f->now.changed_s, waiting_since(f));",
        "double start = f->now.changed_s;",
    ),
    "what has ended still runs": ("if (task->running > 0) task->running--;", ";"),
    "the last attempt is one too many": ("e->attempt > f->most[row]", "e->attempt >= f->most[row]"),
    "a block that is not taken back": ("f->states[kept->number] = kept->state;", ";"),
    "work that waits no longer is the oldest": ("&& f->state[f->states[work.number]] & WAITING", ""),
}
"""By what is wrong, what of the follower is replaced and by what."""

UNTOLD = {
    "the slowest must be far slower": ("e->latency_s >= f->slow_s", "e->latency_s >= 1.5 * f->slow_s"),
    "an end is no sign of an execution": (
        "if (task->running > 0) task->running--;\n        task->executed = f->block;",
        "if (task->running > 0) task->running--;",
    ),
    "what started runs for good": ("f->ring[key & (f->ring_size - 1)].running > 0)", "1)"),
    "the other task is the same": ("f->states[e->number ^ 1]", "f->states[e->number]"),
    "the state of the copy": (
        "uint8_t state = f->states[e->number & ~(int64_t)1];",
        "uint8_t state = f->states[e->number];",
    ),
    "failures are illegal": ("e->noted |= ILLEGAL;", "e->noted |= NOT_DONE;"),
    "what recovered did not": ("task->transient > 0 ? NOT_DONE | NOT_RECOVERED : NOT_DONE", "NOT_DONE | NOT_RECOVERED"),
    "leases of what is DONE are lost": ("task->expired > 0 && !(what & DONE)", "task->expired > 0"),
    "what was blocked was not": (
        "if (what & UNBLOCKED && task->over_budget",
        "if (what & CLOSING && task->over_budget",
    ),
    "no mismatch is told": ("        e->noted |= MISMATCHED;\n", ""),
    "no dead letter is told": ("if (what & DEAD_LETTERED) e->noted |= LETTERED;", ""),
    "no excess is told": ("if (excess) e->noted |= EXCESS;", ""),
    "all starts are early": ("if (early) e->noted |= EARLY;", "e->noted |= EARLY;"),
    "no lost claim is told": ("e->noted |= CLAIM_LOST;", ";"),
}
"""The same of what is told of violations."""

VIOLATED = """
version: 1
name: violated
system: queue
duration: 100m
drain: 20m
warmup: 5m
seed: 3
workload:
  arrivals: {rate: 20/min}
  task: {duration: {distribution: lognormal, median: 8s, p95: 20s}}
  tenants: [{name: large, share: 75%}, {name: small, share: 25%}]
phases: [{name: early, at: 0s, for: 30m}, {name: late, at: 30m, for: 70m}]
queue:
  workers: 8
  dispatchers: 3
  claim_time: 100ms
  lease: {duration: 30s, heartbeat: 10s}
  retry: {max_attempts: 5, backoff: [30s, 1m]}
  max_deliveries: 4
  guardrail: {soft_tokens: 2000, hard_tokens: 3500}
faults:
  - {name: budget, type: guardrail_exceed, rate: 3%}
  - {name: flaky, type: transient_error, rate: 10%, errors: [network, timeout]}
  - {name: dead, type: worker_crash, rate: 10%}
  - {name: hung, type: worker_hang, rate: 2%, hang_for: 2m}
  - {name: twice, type: duplicate_enqueue, rate: 10%, delay: {distribution: uniform, low: 0s, high: 2m}}
checkpoints: {every: 10m}
slos: [success_rate >= 50%, dead_lettered <= 5, "success_rate{tenant=small} >= 50%"]
alerts: [{name: slow, when: latency_p95 > 1m, window: 10m}]
"""

BUDGETS = """
version: 1
name: budgets
system: queue
duration: 2h
seed: 3
workload:
  arrivals: {rate: 10/min}
  task: {duration: {distribution: lognormal, median: 8s, p95: 20s}}
queue:
  workers: 10
  retry: {max_attempts: 4, backoff: [1m, 3m, 10m]}
faults:
  - {name: budget, type: guardrail_exceed, rate: 10%}
  - {name: later, type: guardrail_exceed, rate: 10%, at: 20m, for: 30m}
  - {name: transient, type: transient_error, rate: 30%, errors: [network, timeout]}
  - {name: often, type: transient_error, rate: 10%, errors: [refused], at: 1h, for: 20m}
slos: [success_rate >= 50%]
"""


@pytest.fixture(autouse=True, scope="module")
def compiler() -> None:
    """Skips all where nothing can be compiled, unless that is required."""
    try:
        follow.LIBRARY.load()
    except Unavailable as reason:
        (pytest.fail if os.environ.get("SOAK_TEST_SERVERS") == "required" else pytest.skip)(str(reason))


@cache
def generated(seed: int, folder: Path) -> Scenario:
    """A random scenario, as a simulation is judged by it."""
    place = folder / str(seed)
    place.mkdir()
    return load(scenario_of(seed).write(place)).scenario.judged(simulated=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where scenarios are written."""
    return tmp_path_factory.mktemp("scenarios")


@pytest.fixture
def violated(tmp_path: Path) -> Scenario:
    """Of whose simulation a spoiled stream has violations of all kinds."""
    path = tmp_path / "violated.yaml"
    path.write_text(VIOLATED, encoding="utf-8")
    return load(path).scenario.judged(simulated=True)


@cache
def shipped(name: str) -> Scenario:
    """A shipped scenario, two hours of it at most."""
    tier = "pr" if name == "72h" else None
    return load(ROOT / "scenarios" / f"{name}.yaml", tier=tier).scenario.judged(simulated=True)


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("in_full", [False, True])
def test_shipped_scenarios_are_judged_alike(name: str, in_full: bool) -> None:
    scenario = shipped(name)
    assert is_followed(scenario)
    fast, usual = both(Job(0, 31, scenario, in_full=in_full, detailed=in_full))
    assert fast == usual


@pytest.mark.parametrize("seed", SEEDS)
def test_random_scenarios_are_judged_alike(seed: int, folder: Path) -> None:
    fast, usual = both(Job(0, seed, generated(seed, folder), in_full=seed % 2 == 1, detailed=seed % 3 == 0))
    assert fast == usual


@pytest.mark.parametrize("need", [LEAN, EVERYTHING])
@pytest.mark.parametrize("seed", SEEDS)
def test_the_facts_are_the_same_wherever_blocks_end(seed: int, need: Need, folder: Path) -> None:
    assert not differences(generated(seed, folder), seed, need)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenarios_are_explained_alike(name: str) -> None:
    assert not differences(shipped(name), 31, EVERYTHING)


@pytest.mark.parametrize("need", [LEAN, EVERYTHING])
@pytest.mark.parametrize("seed", SEEDS)
def test_spoiled_streams_are_judged_alike(seed: int, need: Need, folder: Path) -> None:
    assert not differences(generated(seed, folder), seed, need, spoil=True)


def test_violations_of_each_kind_are_told_alike(violated: Scenario) -> None:
    noted: set[str] = set()
    assert not [each for seed in range(3) for each in differences(violated, seed, EVERYTHING, spoil=True, noted=noted)]
    assert {each.partition(":")[0] for each in noted} == {
        *(
            "illegal_transitions",
            "success",
            "recovery",
            "lease_recovery",
            "guardrail_unblocked",
            "law ledger_agreement",
        ),
        *("dead_lettered", "excess_attempts", "backoff_violations", "lease_contentions", "duplicate_block"),
        "duplicate_executions",
    }
    assert {cause for each in noted for of, _, cause in [each.partition(": ")] if of == "duplicate_executions"} == {
        *(CLAIMED_TWICE, LEASE_EXPIRED, SUBMITTED_TWICE, AFTER_DONE)
    }


def test_a_replication_that_compiled_code_gives_up_is_judged_by_the_ordinary_judge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def given_up(follower: Follower, block: Block, **asked: object) -> None:
        raise NotFollowedError

    monkeypatch.setattr(Follower, "follow", given_up)
    fast, usual = both(Job(0, 31, shipped("aborts/success-collapse")))
    assert fast == usual


def test_a_reader_refuses_what_compiled_code_does_not_follow() -> None:
    """So that a run of which findings are asked is never given up in its middle."""
    refused = set()
    for kind in Kind:
        lifecycle, block = judge_of(shipped("72h")).lifecycle, make_block([0.0], [kind], until_s=0.0, value=[0.0])
        try:
            lifecycle.observe(block, Facts(0.0))
        except NotFollowedError:
            refused.add(kind)
    assert Kind.TASK_DONE in refused
    assert all(NEEDS_TASK[kind] for kind in refused)


def test_many_of_the_random_scenarios_are_followed_by_compiled_code(folder: Path) -> None:
    assert sum(is_followed(generated(seed, folder)) for seed in SEEDS) >= len(SEEDS) // 3


def test_without_a_compiler_the_ordinary_judge_is_used() -> None:
    with without_compiled():
        assert not is_followed(shipped("72h"))


@pytest.fixture
def mistaken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Replaces something in what is compiled."""

    def replaced(old: str, new: str) -> None:
        text = SOURCE.read_text(encoding="utf-8")
        assert text.count(old) == 1
        wrong = tmp_path / SOURCE.name
        wrong.write_text(text.replace(old, new), encoding="utf-8")
        monkeypatch.setenv(library.CACHE_VARIABLE, str(tmp_path / "cache"))
        monkeypatch.setattr(follow.LIBRARY, "source", wrong)

    return replaced


@pytest.mark.parametrize("what", list(UNTOLD))
def test_mistakes_in_what_is_told_are_found(
    what: str, mistaken: Callable[[str, str], None], violated: Scenario
) -> None:
    mistaken(*UNTOLD[what])
    # Where executions too many are seldom, what runs is carried on from block to block.
    asked = [(violated, True), (shipped("72h"), False)]
    assert any(differences(each, seed, EVERYTHING, spoil=spoil) for each, spoil in asked for seed in range(3))


@pytest.mark.parametrize("what", list(MISTAKES))
def test_mistakes_are_found(what: str, mistaken: Callable[[str, str], None]) -> None:
    """A mistake in what is compiled shows in the comparison."""
    mistaken(*MISTAKES[what])
    name = "aborts/success-collapse" if "taken back" in what else "72h"
    assert any(differences(shipped(name), seed) for seed in range(31, 36))


def test_memory_is_bounded_while_one_task_waits_and_another_is_tried_again() -> None:
    """Work is in line again after each attempt, behind the task that has waited longest."""
    judge = judge_of(shipped("72h"))
    retries = np.tile([Kind.TASK_DISPATCHED, Kind.TASK_RETRY], 50_000)
    list(judge.observe(make_block([0.0, 0.0], [Kind.TASK_ENQUEUED] * 2, until_s=0.0, task=[0, 2], value=[0.0, 0.0])))
    resident: list[int] = []
    for each in range(1, 31):
        t = each + np.arange(len(retries)) * 1e-6
        columns = {"task": np.full(len(t), 2), "attempt": np.full(len(t), 9), "value": t}
        list(judge.observe(make_block(t, retries, until_s=each + 0.5, **columns)))
        resident.append(
            int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
        )
    assert isinstance(judge.lifecycle, compiled.CompiledLifecycle)
    assert judge.until_s == 30.5
    assert resident[-1] - resident[5] < 8_000_000


@pytest.mark.parametrize("seed", range(3))
def test_what_faults_could_have_struck_is_counted_alike(seed: int, tmp_path: Path) -> None:
    """Also where a task is known to be within its budget, once another fault has struck it."""
    path = tmp_path / "budgets.yaml"
    path.write_text(BUDGETS, encoding="utf-8")
    scenario = load(path).scenario
    plan = Plan(scenario, seed)
    fast, usual = compiled_exposure.attempts(scenario, plan.vocabulary), Attempts(scenario, plan.vocabulary)
    assert isinstance(fast, compiled_exposure.CompiledAttempts)
    for block in cut(merge(list(simulate(plan))), random.Random(seed)):
        fast.observe(block)
        usual.observe(block)
    places = range(len(scenario.faults))
    assert [fast.expected(place, 7200) for place in places] == [usual.expected(place, 7200) for place in places]
    assert len(dict(usual.contest.items())) > 4


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=30),
    st.integers(1, 20),
    st.integers(0, 30),
    st.integers(0, 40),
    st.sets(st.integers(0, 50), max_size=3),
)
def test_a_window_is_swept_alike(times: list[int], window: int, fresh: int, from_s: int, more: set[int]) -> None:
    """Instants, places and sums: also where many observations come or leave at once, and values are no numbers."""
    t = np.sort(np.array(times, dtype=float))
    part = np.where(np.arange(len(t)) % 7 == 6, np.nan, np.arange(len(t)) / 3)
    asked = (
        t,
        t + window,
        part,
        np.ones(len(t)),
        min(fresh, len(t)),
        np.array(sorted(more), dtype=float),
        from_s,
        45.0,
    )
    found = swept(*asked)
    with without_compiled():
        expected = swept(*asked)
    for one, two in zip(found, expected, strict=True):
        assert np.array_equal(one, two, equal_nan=True)
