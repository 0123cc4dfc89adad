"""Kinds of work through YAML: priorities, queues of their own, rate limits and time limits, against theory."""

import math
from pathlib import Path

import numpy as np
import pytest
from test_fidelity import REPLICATIONS, assert_inside_interval, erlang_c

from soak.runner.api import simulate_scenario
from soak.runner.judge.samples import Facts
from soak.schemas.language.load import load
from soak.schemas.stream.block import Block, Floats
from soak.schemas.stream.events import Kind

SCENARIO = """\
version: 1
name: theory
system: queue
duration: {hours}h
drain: 20h
warmup: 1h
workload:
  arrivals: {{rate: {rate}/h}}
  kinds:
{kinds}
queue: {queue}
slos: ["{objective}"]
"""
SHARES = {"a": 0.2, "b": 0.3, "c": 0.5}
PRIORITIES = {"a": 9, "b": 4, "c": 0}


def kind(name: str, mean_s: float, more: str = "", *, share: float | None = None) -> str:
    task = f"task: {{duration: {{distribution: exponential, mean: {mean_s}s}}}}"
    return f"    - {{name: {name}, share: {SHARES[name] if share is None else share}, {task}{more}}}\n"


def observed(tmp_path: Path, objective: str, **scenario: object) -> dict[str, list[float]]:
    """What the objective observed in each replication, by value of its label."""
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO.format(objective=objective, **scenario))
    loaded, values = load(path), dict[str, list[float]]()
    for seed in range(REPLICATIONS):
        for each in simulate_scenario(loaded, seed=seed)[0].objectives:
            assert each.value is not None
            values.setdefault(next(iter(each.labels.values())), []).append(each.value)
    return values


def cobham(first_s: float, loads: dict[str, float], name: str) -> float:
    """Mean wait by priority without preemption: W0 / ((1 - load above) (1 - load above and own)) (Cobham 1954)."""
    above = sum(load for other, load in loads.items() if PRIORITIES[other] > PRIORITIES[name])
    return first_s / ((1 - above) * (1 - above - loads[name]))


def test_waits_by_priority_with_four_workers(tmp_path: Path) -> None:
    workers, mean_s, rate = 4, 10.0, 1224
    load = rate / 3600 * mean_s / workers
    loads = {each: share * load for each, share in SHARES.items()}
    kinds = "".join(kind(each, mean_s, f", priority: {PRIORITIES[each]}") for each in SHARES)
    queue = f"{{workers: {workers}, poll_interval: 0s}}"
    waits = observed(tmp_path, "wait_mean{kind=*} <= 1h", hours=40, rate=rate, kinds=kinds, queue=queue)
    first_s = erlang_c(workers, rate / 3600 * mean_s) * mean_s / workers
    for name in SHARES:
        assert_inside_interval(waits[name], cobham(first_s, loads, name))


def test_waits_by_priority_of_kinds_that_take_differently_long(tmp_path: Path) -> None:
    """One worker: W0 is half of the arrival rate times the second moment of any service time."""
    means, rate = {"a": 2.0, "b": 8.0, "c": 4.0}, 504
    loads = {each: SHARES[each] * rate / 3600 * means[each] for each in SHARES}
    kinds = "".join(kind(each, means[each], f", priority: {PRIORITIES[each]}") for each in SHARES)
    queue = "{workers: 1, poll_interval: 0s}"
    waits = observed(tmp_path, "wait_mean{kind=*} <= 1h", hours=60, rate=rate, kinds=kinds, queue=queue)
    second_moment = sum(SHARES[each] * 2 * means[each] ** 2 for each in SHARES)
    for name in SHARES:
        assert_inside_interval(waits[name], cobham(rate / 3600 * second_moment / 2, loads, name))


def test_a_queue_of_its_own_is_a_queue_of_its_own(tmp_path: Path) -> None:
    kinds = kind("a", 8.0, share=0.25) + kind("b", 8.0, share=0.75)
    queue = "{poll_interval: 0s, queues: [{name: few, workers: 2, kinds: [a]}, {name: many, workers: 4}]}"
    waits = observed(tmp_path, "wait_mean{queue=*} <= 1h", hours=30, rate=1600, kinds=kinds, queue=queue)
    for name, workers, share in (("few", 2, 0.25), ("many", 4, 0.75)):
        offered = share * 1600 / 3600 * 8.0
        assert_inside_interval(waits[name], erlang_c(workers, offered) * 8.0 / (workers - offered))


class Dispatched:
    """When tasks were dispatched to workers below a number."""

    def __init__(self, below: int) -> None:
        self._below, self.t_s = below, list[float]()

    def append(self, block: Block, facts: Facts) -> None:
        mine = (block.kind == Kind.TASK_DISPATCHED) & (block.worker < self._below)
        self.t_s += block.t[mine].tolist()


def dispatched(tmp_path: Path, rate_limit: str, poll_interval: str) -> Floats:
    queues = f"[{{name: limited, workers: 40, kinds: [a], rate_limit: {rate_limit}}}, {{name: others, workers: 4}}]"
    path, times = tmp_path / "scenario.yaml", Dispatched(40)
    path.write_text(
        SCENARIO.format(
            hours=3,
            rate=3000,
            kinds=kind("a", 5.0, share=0.9) + kind("b", 5.0, share=0.1),
            queue=f"{{poll_interval: {poll_interval}, queues: {queues}}}",
            objective="success_rate >= 0%",
        )
    )
    simulate_scenario(path, sinks=[times])
    return np.array(times.t_s)


@pytest.mark.parametrize(("poll_interval", "at_once"), [("0s", 1), ("10s", 6)])
def test_a_rate_limit_holds_in_every_window(tmp_path: Path, poll_interval: str, at_once: int) -> None:
    rate_per_s, times = 0.5, dispatched(tmp_path, "30/min", poll_interval)
    for window_s in (1.0, 3.0, 10.0, 60.0, 600.0):
        most = int((np.searchsorted(times, times + window_s, side="left") - np.arange(len(times))).max())
        assert most <= at_once + rate_per_s * window_s
    # Work is always waiting: the limit is used to the full.
    assert len(times) / 3600 / 3 > 0.98 * rate_per_s


def test_a_time_limit_ends_attempts_that_would_take_longer(tmp_path: Path) -> None:
    """Each attempt is in time with the chance 1 - exp(-limit / mean), and then takes as long as a truncated exponential."""
    mean_s, limit_s, attempts = 10.0, 15.0, 3
    in_time = 1 - math.exp(-limit_s / mean_s)
    kinds = kind("a", mean_s, f", time_limit: {limit_s}s", share=1.0)
    queue = f"{{workers: 50, poll_interval: 0s, retry: {{max_attempts: {attempts}, backoff: [0s]}}}}"
    settings = {"hours": 10, "rate": 600, "kinds": kinds, "queue": queue}
    done = observed(tmp_path, "success_rate{kind=a} >= 0%", **settings)
    assert_inside_interval(done["a"], 1 - (1 - in_time) ** attempts)
    # E[min(S, limit)] of each attempt that is made.
    each_s, made = mean_s * in_time, sum((1 - in_time) ** n for n in range(attempts))
    took = observed(tmp_path, "latency_mean{kind=a} >= 0s", **settings)
    assert_inside_interval(took["a"], each_s * made)


def test_short_tasks_wait_behind_long_ones_that_a_worker_has_reserved(tmp_path: Path) -> None:
    """With more reserved tasks the mean wait of short ones rises, although the load is the same."""
    kinds = kind("a", 1.0, share=0.9) + kind("b", 60.0, share=0.1)
    waits = []
    for prefetch in (0, 1, 8):
        queue = f"{{poll_interval: 0s, queues: [{{name: all, workers: 4, prefetch: {prefetch}}}]}}"
        found = observed(tmp_path, "wait_mean{kind=a} <= 1h", hours=6, rate=1000, kinds=kinds, queue=queue)
        waits.append(float(np.mean(found["a"])))
    assert waits[0] * 1.3 < waits[1] < waits[2]
