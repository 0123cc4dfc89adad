"""Queues whose arrivals are not simply Poisson, through YAML: against their theory."""

from pathlib import Path

import numpy as np
import pytest
from test_fidelity import REPLICATIONS, assert_inside_interval

from soak.runner.api import simulate_scenario
from soak.schemas.language.load import load
from soak.schemas.stream.block import Floats
from soak.simulation.rate import ArrivalRate, rate_of

MEAN_S = 10.0
SCENARIO = """\
version: 1
name: theory
system: queue
duration: {hours}h
drain: 20h
workload:
  arrivals: {arrivals}
  task: {{duration: {{distribution: exponential, mean: 10s}}}}
queue: {{workers: {workers}, poll_interval: 0s}}
"""


def observed(tmp_path: Path, text: str, objective: str) -> list[float]:
    """What the objective observed, in each replication."""
    path = tmp_path / "scenario.yaml"
    path.write_text(f'{text}slos: ["{objective}"]\n')
    loaded = load(path)
    values = [simulate_scenario(loaded, seed=seed)[0].objectives[0].value for seed in range(REPLICATIONS)]
    assert None not in values
    return [value for value in values if value is not None]


def mean_waits(rate: ArrivalRate, workers: int, until_s: float, step_s: float) -> tuple[Floats, Floats]:
    """The mean wait of an arrival at each time in an M(t)/M/c queue that is empty at 0, and the times.

    The Kolmogorov forward equations of the number in the system, by the method of Runge and Kutta of the fourth order.
    """
    states = np.arange(800)
    ends = np.minimum(states, workers) / MEAN_S
    chance = (states == 0).astype(float)

    def change(t_s: float, now: Floats) -> Floats:
        arrive, leave = rate.at(t_s) * now, ends * now
        arrive[-1] = 0.0
        flow = -arrive - leave
        flow[1:] += arrive[:-1]
        flow[:-1] += leave[1:]
        return flow

    wait_s = np.maximum(0, states - workers + 1) / (workers / MEAN_S)
    times = np.arange(0.0, until_s, step_s)
    waits = np.empty(len(times))
    for place, t_s in enumerate(times.tolist()):
        waits[place] = chance @ wait_s
        one = change(t_s, chance)
        two = change(t_s + step_s / 2, chance + step_s / 2 * one)
        three = change(t_s + step_s / 2, chance + step_s / 2 * two)
        four = change(t_s + step_s, chance + step_s * three)
        chance = chance + step_s / 6 * (one + 2 * two + 2 * three + four)
    assert chance[-1] < 1e-6
    return waits, times


@pytest.mark.parametrize(("name", "from_h", "to_h"), [("up", 1, 3), ("peak", 3, 5), ("down", 5, 7)])
def test_a_queue_that_is_overloaded_for_an_hour(tmp_path: Path, name: str, from_h: int, to_h: int) -> None:
    """M(t)/M/2 of a capacity of 720 an hour, with ramps to 840 and back: the backlog outlasts the overload."""
    text = SCENARIO.format(
        hours=8, workers=2, arrivals="{rate: 200/h, stages: [{to: 840/h, for: 4h}, {to: 200/h, for: 4h}]}"
    )
    text += f"phases: [{{name: {name}, at: {from_h}h, for: {to_h - from_h}h}}]\n"
    values = observed(tmp_path, text, f"wait_mean{{phase={name}}} <= 10h")
    rate = rate_of(load(tmp_path / "scenario.yaml").scenario.workload)
    waits, times = mean_waits(rate, 2, 8 * 3600.0, 2.0)
    inside = (times >= from_h * 3600) & (times < to_h * 3600)
    weights = rate.at(times[inside])
    half = 3.106 * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    theory = float(weights @ waits[inside] / weights.sum())
    assert half < 0.6 * theory
    assert abs(float(np.mean(values)) - theory) <= half


@pytest.mark.parametrize(
    ("batch", "second_by_first"),
    [("size: 5", 5.0), ("mean: 3", (2 - 1 / 3) * 3), ("low: 1, high: 5", (1 + 4 + 9 + 16 + 25) / 15)],
)
def test_tasks_that_come_in_batches(tmp_path: Path, batch: str, second_by_first: float) -> None:
    """M^X/M/1: L = rho (1 + E[X^2] / E[X]) / (2 (1 - rho)) (Gross and Harris, Fundamentals of Queueing Theory, 3.1)."""
    text = SCENARIO.format(hours=100, workers=1, arrivals=f"{{rate: 216/h, batch: {{{batch}}}}}")
    load_ = 0.6
    number = load_ * (1 + second_by_first) / (2 * (1 - load_))
    assert_inside_interval(observed(tmp_path, text, "wait_mean <= 10h"), number / (216 / 3600) - MEAN_S)
