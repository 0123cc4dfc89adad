"""Simulated shares against the laws of probability, and published figures against what the model predicts for so few tasks."""

from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from soak.runner.api import simulate_scenario
from soak.runner.judge.interval import wilson
from soak.runner.replications.replication import Job, Replication, jobs, replicate
from soak.schemas.language.load import Loaded, load
from soak.simulation.calls.theory import expected

ROOT = Path(__file__).resolve().parents[3]
RESILIENCE = ROOT / "scenarios" / "resilience"


def test_the_theory_of_the_report() -> None:
    """What the failure simulation report expects: 56 % and 91.5 %; 63 % and 94.6 %."""
    network, queue = (
        expected(load(RESILIENCE / f"{name}.yaml").scenario) for name in ("network-retry", "queue-fallback")
    )
    assert network and queue
    assert (network.first_call, network.success, network.calls) == pytest.approx(
        (0.56, 1 - 0.44**3, 1 + 0.44 + 0.44**2)
    )
    assert (queue.first_call, queue.success, queue.calls) == pytest.approx((0.63, 1 - 0.37 * 0.145, 1.37))


@pytest.mark.parametrize("name", ["network-retry", "queue-fallback", "permission-denied"])
def test_the_targets_in_the_files_are_those_of_the_theory(name: str) -> None:
    scenario = load(RESILIENCE / f"{name}.yaml").scenario
    theory = expected(scenario)
    assert theory
    known = {"success_rate": theory.success, "first_call_success_rate": theory.first_call}
    told = [o for o in scenario.objectives if o.note.startswith("theory") and o.comparison.sli.name in known]
    assert told
    for objective in told:
        assert objective.comparison.target == pytest.approx(known[objective.comparison.sli.name], abs=5e-6)


@pytest.mark.parametrize("name", ["network-retry", "queue-fallback"])
def test_many_tasks_come_to_what_theory_says(name: str) -> None:
    """Each simulated share lies inside the 99 % interval; the tier's objectives say so of 20,000 tasks."""
    verdict, _ = simulate_scenario(load(RESILIENCE / f"{name}.yaml", tier="sharp"))
    assert verdict.verdict.value == "PASS", verdict.reasons
    shares = [each for each in verdict.objectives if each.op == "~"]
    assert len(shares) >= 2
    for each in shares:
        assert each.value is not None and each.target is not None
        low, high = wilson(each.target * each.samples, each.samples, 0.99)
        assert low <= each.value <= high


CHAIN = """\
version: 1
name: chain
system: calls
drain: 1h
seed: {seed}
workload: {{tasks: 4000, arrivals: {{process: constant, rate: 100/s}}}}
calls:
  dependencies:
    - {{name: a, latency: {{distribution: exponential, mean: 100ms}}}}
    - {{name: b, latency: {{distribution: constant, value: 10ms}}}}
  policy: [{policy}]
faults:
  - {{name: one, type: connection_error, rate: {one}%}}
  - {{name: two, type: permission_denied, rate: {two}%}}
  - {{name: three, type: server_error, rate: {three}%, dependency: b}}
"""
RETRY = "{retry: {max_attempts: %d, backoff: {initial: 1ms}}}"


@pytest.mark.parametrize("seed", range(12))
def test_any_chain_of_timeout_retry_and_fallback(tmp_path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    one, two, three = draw.integers(0, 60, 3).tolist()
    policy = [f"{{timeout: {draw.integers(50, 500)}ms}}", RETRY % draw.integers(1, 5)]
    policy += ["{fallback: {to: b}}"] if draw.random() < 0.5 else []
    policy += [RETRY % 2] if draw.random() < 0.5 else []
    path = tmp_path / "chain.yaml"
    path.write_text(CHAIN.format(seed=seed, policy=", ".join(policy), one=one, two=two, three=three))
    loaded = load(path)
    theory = expected(loaded.scenario)
    assert theory
    verdict, _ = simulate_scenario(loaded)
    tasks = verdict.tasks["accepted"]
    assert tasks == 4000
    for share, name in ((theory.first_call, "first_call_success_rate"), (theory.success, "success_rate")):
        # One in ten thousand by chance: many chains are tried.
        low, high = wilson((verdict.slis[name] or 0.0) * tasks, tasks, 1 - 1e-4)
        assert low <= share <= high, (policy, name)
    assert (verdict.slis["calls"] or 0.0) / tasks == pytest.approx(theory.calls, rel=0.08)


def test_what_calls_have_in_common_has_no_closed_form() -> None:
    for name in ("circuit-breaker", "bulkhead", "rate-limit", "race-condition", "auto-healing", "rollback"):
        assert expected(load(RESILIENCE / f"{name}.yaml").scenario) is None


# What was published, against the distribution that the model predicts for as many tasks.


@cache
def replications(name: str) -> tuple[Loaded, list[Replication]]:
    loaded = load(RESILIENCE / f"{name}.yaml")
    return loaded, list(map(replicate, islice(jobs(loaded.scenario, 7), 300)))


def predicted(name: str, objective: str) -> np.ndarray:
    loaded, made = replications(name)
    place = [each.comparison.text for each in loaded.scenario.objectives].index(objective)
    return np.array([each.objectives[place].value for each in made])


@pytest.mark.parametrize(
    ("name", "objective", "published"),
    [
        ("network-retry", "call_success_rate ~ 47.4%", 9 / 19),
        ("network-retry", "success_rate ~ 90%", 0.9),
        ("network-retry", "calls <= 30", 19),
        ("queue-fallback", "first_call_success_rate ~ 70%", 0.7),
        ("queue-fallback", "success_rate ~ 95%", 0.95),
    ],
)
def test_published_figures_lie_inside_what_is_predicted(name: str, objective: str, published: float) -> None:
    values = predicted(name, objective)
    low, high = np.quantile(values, [0.005, 0.995])
    assert low <= published <= high
    assert len(set(values.tolist())) >= 4, "so few tasks leave a wide distribution"


def test_the_seed_of_the_file_gives_just_the_published_run() -> None:
    verdict, _ = simulate_scenario(RESILIENCE / "network-retry.yaml")
    found = {fault.name: fault.seen for fault in verdict.faults}
    assert (verdict.slis["calls"], verdict.slis["timeouts"]) == (19, 3)
    assert found == {"slow": 3, "refused": 7}
    assert (verdict.tasks["DONE"], verdict.tasks["FAILED"]) == (9, 1)


def test_memory_is_exact_whatever_the_seed() -> None:
    scenario = load(RESILIENCE / "memory-degradation.yaml").scenario
    assert {replicate(Job(0, seed, scenario)).verdict.value for seed in range(5)} == {"PASS"}
