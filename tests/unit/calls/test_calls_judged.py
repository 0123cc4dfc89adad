"""What the judge makes of calls: indicators, gain, laws, and whether an observation contradicts a target."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from histories import judge, objective, scenario, sli, verdict

from soak.runner.api import simulate_scenario
from soak.runner.judge.calls.gain import Paired, gain_of, paired_difference
from soak.runner.targets import simulation
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.language.load import load
from soak.schemas.stream.block import Block, merge
from soak.schemas.stream.events import Kind
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

RESILIENCE = Path(__file__).resolve().parents[3] / "scenarios" / "resilience"
CALLS = """
system: calls
workload: {arrivals: {rate: 1/s}}
calls: {dependencies: [{name: a, latency: {distribution: constant, value: 1s}}]}
"""
RESCUED = """
0 enqueued 1
0 dispatched 1
0 call.started 1 to=a
2 call.failed 1 to=a error=timeout
2 retry 1 error=timeout due=5
5 dispatched 1
5 call.started 1 to=a
6 call.succeeded 1 to=a
6 done 1
"""
REJECTED = """
7 enqueued 2
7 dispatched 2
7 call.rejected 2 error=circuit_open
7 failed 2 error=circuit_open
"""
WELL = """
8 enqueued 3
8 dispatched 3
8 call.started 3 to=a
9 call.succeeded 3 to=a
9 degraded 3 name=chunks
9 done 3
"""
ALL = RESCUED + REJECTED + WELL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("success_rate", 2 / 3),
        ("first_call_success_rate", 1 / 3),
        ("call_success_rate", 2 / 3),
        ("calls", 3),
        ("timeouts", 1),
        ("rejections", 1),
        ("recovery_rate", 1 / 2),
        ("recovery_time_mean", 4.0),
        ("degraded_tasks", 1),
        ("backoff_violations", 0),
    ],
)
def test_indicators(name: str, value: float) -> None:
    assert sli(name, ALL, CALLS) == pytest.approx(value)


def test_recovery_counts_from_the_first_failure() -> None:
    twice = RESCUED.replace(
        "6 call.succeeded 1 to=a\n6 done 1\n",
        "6 call.failed 1 to=a error=reset\n6 retry 1 error=reset due=7\n7 dispatched 1\n7 call.started 1 to=a\n"
        "9 call.succeeded 1 to=a\n9 done 1\n",
    )
    assert sli("recovery_time_max", twice, CALLS) == 7.0


def test_times_of_dependencies() -> None:
    history = """
    5 process.exited error=crash name=a
    9 process.started name=a
    20 release.deployed error=bad
    31 release.rolled_back error=bad
    40 process.exited error=crash name=a
    """
    assert sli("heal_time_max", history, CALLS) == 4.0
    assert sli("rollback_time_mean", history, CALLS) == 11.0


def test_each_dependency_has_an_outage_of_its_own() -> None:
    history = """
    20 process.exited error=crash name=a
    25 process.exited error=crash name=b
    30 process.started name=a
    65 process.started name=b
    """
    assert [sli(f"heal_time_{which}", history, CALLS) for which in ("mean", "max")] == [25.0, 40.0]
    assert objective("heal_time_max <= 15s", history, CALLS).status is Status.FAIL


@pytest.mark.parametrize(
    ("begin", "end", "name"),
    [
        ("process.exited error=crash name=a", "process.started name=a", "heal_time_max"),
        ("release.deployed error=bad", "release.rolled_back error=bad", "rollback_time_max"),
    ],
)
def test_what_begins_twice_has_lasted_since_it_first_began(begin: str, end: str, name: str) -> None:
    assert sli(name, f"5 {begin}\n7 {begin}\n9 {end}\n20 {begin}\n22 {end}", CALLS) == 4.0


@pytest.mark.parametrize("cut", range(1, 20))
def test_nothing_depends_on_where_blocks_end(cut: int) -> None:
    whole, parts = judge(ALL, CALLS), judge(ALL, CALLS, cuts=[cut])
    assert parts.slis() == whole.slis()
    assert (
        parts.lifecycle.tracker.paired
        == whole.lifecycle.tracker.paired
        == Paired(both_well=1, rescued=1, spoilt=0, both_failed=1)
    )


def test_a_client_that_comes_too_early_breaks_its_backoff() -> None:
    assert sli("backoff_violations", RESCUED.replace("5 ", "4 ").replace("due=5", "due=4"), CALLS) == 0
    early = RESCUED.replace("5 dispatched", "4 dispatched").replace("5 call", "4 call")
    assert sli("backoff_violations", early, CALLS) == 1


def test_done_without_an_answer_breaks_a_law() -> None:
    text = f"{CALLS}slos: [success_rate >= 10%]\n"
    assert verdict(RESCUED, text).verdict is Outcome.PASS
    lied = verdict(RESCUED.replace("6 call.succeeded 1 to=a\n", "6 call.failed 1 to=a error=reset\n"), text)
    assert {law.law for law in lied.laws if law.status is Status.FAIL} == {"answers"}
    assert lied.verdict is Outcome.FAIL


# What the policies gain.


def test_the_gain_of_a_few_tasks() -> None:
    gain = gain_of(Paired(both_well=3, rescued=6, spoilt=0, both_failed=1))
    assert gain
    assert (gain.tasks, gain.before.share, gain.after.share, gain.improvement) == (10, 0.3, 0.9, pytest.approx(0.6))
    assert gain.before.interval == pytest.approx((0.1078, 0.6032), abs=1e-4)
    assert gain.interval[0] > 0
    assert gain_of(Paired()) is None


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((36, 12, 2, 0), (-0.3404, -0.0569)),
        ((0, 0, 0, 50), (-0.0713, 0.0713)),
        ((14, 5, 0, 22), (-0.2265, -0.0115)),
        ((10, 9, 11, 11), (-0.1609, 0.2525)),
        ((20, 10, 5, 15), (-0.2450, 0.0529)),
    ],
)
def test_intervals_of_paired_differences_as_published(
    counts: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    """The first is an example of the method's author; where nothing differs, both ends are Wilson's bound of 0 of 50.

    The rest is worked out by his formula. Both outcomes go together in them, which the correction for continuity makes less of
    (without it the third begins at -0.2168), and in the fourth nothing at all of (0.2498).
    """
    a, b, c, d = counts
    low, high = paired_difference(Paired(both_well=a, spoilt=b, rescued=c, both_failed=d))
    assert (low, high) == pytest.approx(expected, abs=1e-4)
    assert low <= (c - b) / sum(counts) <= high


def test_the_interval_of_the_improvement_holds_what_it_promises() -> None:
    generator = np.random.default_rng(3)
    shares = np.array([0.55, 0.35, 0.02, 0.08])
    draws = generator.multinomial(60, shares, size=4000)
    truth = shares[1] - shares[2]
    held = 0
    for a, c, b, d in draws.tolist():
        low, high = paired_difference(Paired(both_well=a, rescued=c, spoilt=b, both_failed=d))
        held += low <= truth <= high
    assert 0.935 <= held / len(draws) <= 0.985


def test_how_many_tasks_a_point_takes() -> None:
    """The textbook's n = z² p q / d²: about 9,604 at one half."""
    gain = gain_of(Paired(both_well=500, rescued=0, spoilt=0, both_failed=500))
    assert gain
    assert gain.tasks_for_a_point == math.ceil(1.959964**2 * 0.25 / 0.0001)


# Objectives that ask whether an observation contradicts a target.


def many(good: int, bad: int) -> str:
    lines = [
        f"{n} enqueued {n}\n{n} dispatched {n}\n{n} {'done' if n < good else 'failed'} {n}" for n in range(good + bad)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("target", "confidence", "status"),
    [
        ("90%", "95%", "PASS"),
        ("60%", "95%", "PASS"),
        ("59%", "95%", "FAIL"),
        ("59%", "99%", "PASS"),
        ("99%", "95%", "FAIL"),
    ],
)
def test_about(target: str, confidence: str, status: str) -> None:
    """Nine of ten: the 95 % interval is 59.6 % to 98.2 %."""
    result = objective(f"{{objective: success_rate ~ {target}, confidence: {confidence}, note: why}}", many(9, 1))
    assert (result.status, result.note) == (status, "why")
    assert result.interval and result.margin is not None
    assert (result.margin >= 0) is (status == "PASS")


def test_about_nothing_is_inconclusive() -> None:
    assert objective("success_rate ~ 90%", "1 enqueued 1").status is Status.INCONCLUSIVE
    few = objective("{objective: latency_p95 ~ 9s, confidence: 95%}", many(3, 0))
    assert (few.status, few.detail) == (Status.INCONCLUSIVE, "too few observations for a 95% interval")


def test_what_can_contradict_nothing_is_inconclusive() -> None:
    """One observation: neither outcome of it leaves 56 % out."""
    one = objective("{objective: success_rate ~ 56%, confidence: 99%}", many(1, 0))
    assert (one.status, one.detail) == (
        Status.INCONCLUSIVE,
        "1 independent observations cannot contradict any target at 99% confidence",
    )
    assert objective("{objective: success_rate ~ 1%, confidence: 95%}", many(1, 0)).status is Status.FAIL


def test_tasks_that_never_arrived_keep_from_pass(tmp_path: Path) -> None:
    text = (
        (RESILIENCE / "memory-degradation.yaml").read_text().replace("tasks: 10\n", "tasks: 100\n  # all of them\n", 1)
    )
    path = tmp_path / "cut.yaml"
    path.write_text(text + "duration: 10s\n")
    made, _ = simulate_scenario(path)
    assert made.verdict is Outcome.INCONCLUSIVE
    assert made.reasons == ["only 10 of 100 tasks arrived within 10s (raise duration)"]
    assert [reason.kind for reason in made.typed_reasons] == ["tasks"]


# Runs that are made again.


def test_runs_that_are_made_again_are_identical() -> None:
    made, seen = simulate_scenario(RESILIENCE / "memory-degradation.yaml")
    assert seen.repeats == [0, 0]
    assert next(law.status for law in made.laws if law.law == "consistency") is Status.PASS


def test_a_model_that_is_not_the_same_twice_breaks_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    true = simulation.simulate
    times = []

    def fickle(plan: Plan, *words: Any) -> object:
        times.append(plan)
        late = 1e-6 * (len(times) - 1)
        for block in true(plan, *words):
            moved = {
                name: getattr(block, name) for name in ("kind", "task", "attempt", "worker", "cause", "label", "value")
            }
            yield Block(t=block.t + late, until_s=block.until_s + late, **moved)

    monkeypatch.setattr(simulation, "simulate", fickle)
    made, _ = simulate_scenario(load(RESILIENCE / "memory-degradation.yaml"))
    law = next(law for law in made.laws if law.law == "consistency")
    assert law.status is Status.FAIL
    assert law.value and law.value > 50
    assert made.verdict is Outcome.FAIL


def test_of_several_memory_limits_the_fullest_counts() -> None:
    """The first dependency holds 8 of 10 MB; what the other takes of its 100 MB does not hide that."""
    text = """
        system: calls
        workload: {tasks: 4, arrivals: {process: constant, rate: 1/s}, task: {memory: [{size: 8MB, hold: true}]}}
        calls:
          dependencies:
            - {name: small, memory: 10MB, latency: {distribution: constant, value: 100ms}}
            - {name: large, memory: 100MB, latency: {distribution: constant, value: 100ms}}
          policy: [{fallback: {to: large}}]
    """
    plan = Plan(scenario(text))
    seen = [
        [value for kind, value in zip(block.kind.tolist(), block.value.tolist(), strict=True) if kind == wanted]
        for wanted in (Kind.SAMPLE_MEMORY, Kind.SAMPLE_MEMORY_HELD)
        for block in [merge(list(simulate(plan)))]
    ]
    assert seen == [[0.8] * 4, [0.8] * 4]
