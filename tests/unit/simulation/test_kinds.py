"""Kinds of work in the plan: whose tasks they are, how long they take, and which faults strike them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from histories import scenario

from soak.runner.api import simulate_scenario
from soak.runner.judge.judge import Judge
from soak.schemas.language.distributions import Exponential, Mixture
from soak.schemas.stream.block import Block, merge
from soak.schemas.stream.events import COPY, KEY_SHIFT, Kind
from soak.simulation.distributions import spread
from soak.simulation.plan import Plan
from soak.simulation.run import simulate
from soak.simulation.streams import BLOCK

WORKLOAD = """
    duration: 2h
    seed: 5
    workload:
      arrivals: {{rate: 2/s}}
      task: {{duration: {{distribution: exponential, mean: 2s}}}}
      {more}
    queue: {{workers: 20}}
"""
KINDS = "kinds: [{name: thumbnail, share: 75%}, {name: video, share: 25%}]"
OWN = "kinds: [{name: thumbnail, share: 75%}, {name: video, share: 25%, task: {duration: {distribution: constant, value: 9s}}}]"
TENANTS = "tenants: [{name: A, share: 30%}, {name: B, share: 70%}]"


def plan(*more: str, faults: str = "") -> Plan:
    return Plan(scenario(WORKLOAD.format(more="\n      ".join(more)) + faults))


def events(of: Plan) -> Block:
    return merge(list(simulate(of)))


def numbers(count: int = 3 * BLOCK) -> np.ndarray:  # type: ignore[type-arg]
    return np.arange(count) << KEY_SHIFT


def test_each_kind_has_its_share() -> None:
    kinds = plan(KINDS).kinds
    assert kinds
    share = float((kinds.of(numbers()) == 0).mean())
    # Five standard deviations.
    assert abs(share - 0.75) < 5 * (0.75 * 0.25 / (3 * BLOCK)) ** 0.5
    assert [kinds.one(number) for number in numbers(50).tolist()] == kinds.of(numbers(50)).tolist()


def test_kinds_that_differ_in_nothing_shift_nothing() -> None:
    without, with_them = events(plan()), events(plan(KINDS))
    for column in ("t", "kind", "task", "worker", "value"):
        np.testing.assert_array_equal(getattr(without, column), getattr(with_them, column))


def test_tenants_keep_their_tasks_and_labels_tell_both() -> None:
    both, alone = plan(TENANTS, KINDS), plan(TENANTS)
    labels = [both.vocabulary.labels[n] for n in both.labels_of(numbers()).tolist()]
    assert [label.tenant for label in labels] == [
        alone.vocabulary.labels[n].tenant for n in alone.labels_of(numbers()).tolist()
    ]
    assert both.kinds
    names = np.array(["thumbnail", "video"])[both.kinds.of(numbers())].tolist()
    assert [label.kind for label in labels] == names


def test_a_kind_with_a_duration_of_its_own_shifts_no_other() -> None:
    of, without = plan(OWN), plan(KINDS)
    assert of.kinds
    video = of.kinds.of(numbers(BLOCK)) == 1
    service = np.array([of.fate(number, 1, 0.0)[0] for number in numbers(BLOCK).tolist()])
    before = np.array([without.fate(number, 1, 0.0)[0] for number in numbers(BLOCK).tolist()])
    assert (service[video] == 9.0).all()
    np.testing.assert_array_equal(service[~video], before[~video])


def test_the_source_of_an_arrival_may_say_its_kind() -> None:
    of = plan(OWN)
    assert of.kinds
    drawn = of.kinds.of(numbers(10))
    of.kinds.give(0, np.array([1, 0, -1]))
    assert of.kinds.of(numbers(10)).tolist() == [1, 0, *drawn[2:].tolist()]
    assert of.fate(0, 1, 0.0)[0] == 9.0
    assert of.labels_of(numbers(2)).tolist() == [1, 0]


def test_a_fault_strikes_its_kind_only_and_as_often_as_expected() -> None:
    faults = """
    faults:
      - {name: fails, type: transient_error, rate: 20%, kind: video}
      - {name: again, type: duplicate_enqueue, rate: 20%, kind: [thumbnail]}
      - {name: hangs, type: worker_hang, rate: 10%, hang_for: 1s, at: 10m, for: 1h, kind: [video, thumbnail]}
    """
    of = plan(OWN, faults=faults)
    judge = Judge(of.scenario, of.vocabulary)
    found: Counter[tuple[str, int]] = Counter()
    assert of.kinds
    for block in simulate(of):
        list(judge.observe(block))
        struck = (block.kind == Kind.FAULT_INJECTED) | (block.kind == Kind.TASK_DUPLICATE)
        causes = [of.vocabulary.causes[cause].fault for cause in block.cause[struck].tolist()]
        found.update(zip(causes, of.kinds.of(block.task[struck]).tolist(), strict=True))
    assert {name: {kind for n, kind in found if n == name} for name, _ in found} == {
        "fails": {1},
        "again": {0},
        "hangs": {0, 1},
    }
    for result in judge.faults.results(of.scenario.duration_s):
        seen = sum(count for (name, _), count in found.items() if name == result.name)
        assert abs(seen - result.expected) < 5 * result.expected**0.5, result


def test_a_second_submission_is_of_the_kind_of_the_first() -> None:
    kinds = plan(KINDS).kinds
    assert kinds
    np.testing.assert_array_equal(kinds.of(numbers()), kinds.of(numbers() | COPY))


def test_the_time_of_any_task_is_the_mixture() -> None:
    mixed = Mixture(((0.25, Exponential(4.0)), (0.75, Exponential(1.0))))
    assert mixed.mean_s == 1.75
    points = spread(mixed, 4000)
    assert len(points) == 4000
    assert (np.diff(points) >= 0).all()
    assert float(points.mean()) == pytest.approx(1.75, rel=0.01)


def test_a_fault_of_calls_strikes_those_of_its_kind() -> None:
    of = Plan(
        scenario("""
    system: calls
    duration: 2h
    workload: {arrivals: {rate: 1/s}, kinds: [{name: read, share: 80%}, {name: write, share: 20%}]}
    calls:
      dependencies: [{name: primary, latency: {distribution: exponential, mean: 100ms}}]
      policy: [{retry: {max_attempts: 3}}]
    faults: [{name: fails, type: server_error, rate: 30%, kind: write}]
    """)
    )
    judge, kinds = Judge(of.scenario, of.vocabulary), set[int]()
    assert of.kinds
    for block in simulate(of):
        list(judge.observe(block))
        struck = np.array([cause.fault == "fails" for cause in of.vocabulary.causes])[block.cause]
        kinds |= set(of.kinds.of(block.task[struck & (block.task >= 0)]).tolist())
    assert kinds == {1}
    [result] = judge.faults.results(of.scenario.duration_s)
    assert result.expected > 300
    assert abs(result.seen - result.expected) < 5 * result.expected**0.5


def test_the_example_of_the_documentation_passes() -> None:
    verdict, _ = simulate_scenario(Path(__file__).resolve().parents[3] / "docs" / "examples" / "kinds.yaml")
    assert verdict.verdict.value == "PASS"
    assert all(law.status.value == "PASS" for law in verdict.laws)


def test_a_worker_that_dies_gives_back_what_it_has_reserved() -> None:
    text = """
    duration: 20m
    drain: 20m
    seed: 2
    workload:
      arrivals: {rate: 30/min}
      task: {duration: {distribution: exponential, mean: 6s}}
      kinds: [{name: any, share: 100%}]
    queue: {queues: [{name: all, workers: 4, prefetch: 3}], poll_interval: 0s, worker_restart: 5m}
    faults: [{name: dies, type: worker_crash, rate: 2%}]
    """
    of = Plan(scenario(text))
    found, judge = events(of), Judge(of.scenario, of.vocabulary)
    list(judge.observe(found))
    died = found.kind == Kind.PROCESS_EXITED
    assert died.sum() > 3
    started = found.kind == Kind.TASK_DISPATCHED
    # Nothing starts on a worker while it is down, and in the end everything has been done.
    for t_s, worker in zip(found.t[died].tolist(), found.worker[died].tolist(), strict=True):
        mine = found.t[started & (found.worker == worker)]
        assert not ((mine > t_s) & (mine < t_s + 299.9)).any()
    assert not judge.lifecycle.unfinished().tasks
