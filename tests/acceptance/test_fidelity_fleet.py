"""Workers that come and go, through YAML: against closed forms.

Bounds are 99.9 % ones of a normal approximation (3.29 standard deviations): counts of Poisson processes of this size are normal
to within a per cent of that.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from soak.schemas.language.load import load
from soak.schemas.stream.block import Block, merge
from soak.schemas.stream.events import NEW_STATE, Kind
from soak.schemas.stream.states import TaskState
from soak.simulation.plan import Plan
from soak.simulation.queue.forecast import forecast_queue
from soak.simulation.run import simulate

SURE = 3.29
SEEDS = range(4)
SCENARIO = """\
version: 1
name: theory
system: queue
duration: {duration}
drain: 1h
workload:
  arrivals: {arrivals}
  task: {{duration: {{distribution: exponential, mean: {mean}}}}}
queue: {queue}
faults: [{faults}]
"""


def plan_of(tmp_path: Path, seed: int, **words: str) -> Plan:
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO.format(**({"faults": "", "mean": "1s", "duration": "10m"} | words)))
    return Plan(load(path).scenario, seed)


def events(tmp_path: Path, seed: int, **words: str) -> Block:
    """All events of a simulated run."""
    return merge(list(simulate(plan_of(tmp_path, seed, **words))))


def pending_at(block: Block, *times_s: float) -> list[int]:
    """Tasks that are PENDING at times, counted from their changes of state."""
    states: dict[int, TaskState] = {}
    found, changes = [], [place for place in range(len(block)) if Kind(int(block.kind[place])) in NEW_STATE]
    place = 0
    for time_s in times_s:
        while place < len(changes) and block.t[changes[place]] <= time_s:
            states[int(block.task[changes[place]])] = NEW_STATE[Kind(int(block.kind[changes[place]]))]
            place += 1
        found.append(sum(state is TaskState.PENDING for state in states.values()))
    return found


def times(block: Block, kind: Kind) -> list[float]:
    return [float(t) for t in block.t[block.kind == kind]]


@pytest.mark.parametrize("seed", SEEDS)
def test_scaling_with_a_delay_has_its_fluid_limit(tmp_path: Path, seed: int) -> None:
    """From 100 s on 20 tasks a second meet 10 workers: the queue grows by 10 a second until 30 more are up, then falls by 20."""
    block = events(
        tmp_path,
        seed,
        arrivals="{rate: 8/s, stages: [{rate: 8/s, for: 100s}, {rate: 20/s, for: 500s}]}",
        queue="{workers: 10, poll_interval: 0s, scaling: {min: 10, max: 40, out: {queue_depth: 60, by: 30},"
        " every: 10s, delay: 100s}}",
    )
    started = times(block, Kind.PROCESS_STARTED)
    assert len(started) == 30
    up_s = started[0]
    assert set(started) == {up_s}
    # The depth passes 60 some 6 s after the step, is seen at the next multiple of 10 s, and 100 s later they are up.
    assert 200.0 < up_s <= 220.0
    falls_s = 25.0
    at_step, at_most, halfway = pending_at(block, 100.0, up_s, up_s + falls_s)
    grown = at_step + 10 * (up_s - 100)
    spread = np.sqrt((20 + 10) * (up_s - 100))
    assert abs(at_most - grown) <= SURE * spread
    assert abs(halfway - (at_most - 20 * falls_s)) <= SURE * np.sqrt((20 + 40) * falls_s)
    empty_s = up_s + 1.5 * at_most / 20
    assert pending_at(block, empty_s)[0] < 60


@pytest.mark.parametrize("seed", SEEDS)
def test_a_host_that_dies_takes_its_workers_capacity_for_the_restart_time(tmp_path: Path, seed: int) -> None:
    """Of 8 workers that are always busy 5 die for 200 s: 3 tasks end per second then, 8 before and after."""
    block = events(
        tmp_path,
        seed,
        arrivals="{rate: 12/s}",
        queue="{workers: 8, poll_interval: 0s}",
        faults="{name: host, type: worker_crash, at: 200s, workers: 5, restart_after: 200s}",
    )
    done = np.array(times(block, Kind.TASK_DONE))
    for begin_s, end_s, workers in ((10, 200, 8), (200, 400, 3), (400, 600, 8)):
        ended = int(((done > begin_s) & (done <= end_s)).sum())
        expected = workers * (end_s - begin_s)
        assert abs(ended - expected) <= SURE * np.sqrt(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_slow_tasks_lengthen_the_mean_service_time(tmp_path: Path, seed: int) -> None:
    """A tenth takes 5 times as long: the mean is 1 + 0.1 * 4 of what it was, the second moment 1 + 0.1 * 24 of that."""
    words = {
        "arrivals": "{rate: 10/s}",
        "queue": "{workers: 100, poll_interval: 0s}",
        "faults": "{name: slow, type: slow_task, rate: 10%, factor: 5}",
    }
    block = events(tmp_path, seed, **words)
    ran = block.value[block.kind == Kind.EXECUTION_ENDED]
    variance = 2 * (1 + 0.1 * 24) - 1.4**2
    assert abs(float(ran.mean()) - 1.4) <= SURE * np.sqrt(variance / len(ran))
    assert forecast_queue(plan_of(tmp_path, seed, **words)).mean_load == pytest.approx(14.0, rel=1e-3)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_slow_worker_takes_that_many_times_as_long_for_what_it_begins(tmp_path: Path, seed: int) -> None:
    words = {
        "arrivals": "{rate: 3/s}",
        "queue": "{workers: 4, poll_interval: 0s}",
        "faults": "{name: slow, type: slow_worker, at: 2m, for: 3m, workers: 2, factor: 4}",
    }
    block, plan = events(tmp_path, seed, **words), plan_of(tmp_path, seed, **words)
    slow = 0
    for place in np.flatnonzero(block.kind == Kind.EXECUTION_ENDED).tolist():
        start_s, ran_s = block.t[place] - block.value[place], block.value[place]
        planned_s, _, _ = plan.fate(int(block.task[place]), 1, start_s)
        is_slow = block.worker[place] < 2 and 120 <= round(start_s, 5) < 300
        slow += is_slow
        assert ran_s == pytest.approx(planned_s * (4 if is_slow else 1), abs=2e-6)
    assert int((block.kind == Kind.FAULT_SEEN).sum()) == slow > 20


def away(block: Block) -> Iterator[tuple[float, int]]:
    """How many workers are away after each exit or start."""
    count = 0
    for t, kind in zip(block.t.tolist(), block.kind.tolist(), strict=True):
        if kind in {Kind.PROCESS_EXITED, Kind.PROCESS_STARTED}:
            count += 1 if kind == Kind.PROCESS_EXITED else -1
            yield t, count


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("each", ["0s", "2s", "30s"])
def test_a_rolling_restart_has_one_worker_away_at_most(tmp_path: Path, seed: int, each: str) -> None:
    block = events(
        tmp_path,
        seed,
        arrivals="{rate: 5/s}",
        queue="{workers: 8, poll_interval: 0s, worker_restart: 5s}",
        faults=f"{{name: deploy, type: rolling_restart, at: 100s, each: {each}}}",
    )
    exits = block.kind == Kind.PROCESS_EXITED
    assert sorted(block.worker[exits].tolist()) == list(range(8))
    assert {count for _, count in away(block)} == {0, 1}
    assert not len(times(block, Kind.LEASE_EXPIRED))
    asked = np.array(times(block, Kind.FAULT_INJECTED))
    least_s = {"0s": 5.0, "2s": 5.0, "30s": 30.0}[each]
    assert (np.diff(asked) >= least_s - 1e-6).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_schedule_is_kept_and_nobody_who_leaves_loses_work(tmp_path: Path, seed: int) -> None:
    block = events(
        tmp_path,
        seed,
        arrivals="{rate: 6/s}",
        queue="{workers: 4, poll_interval: 0s,"
        " schedule: [{at: 100s, workers: 12}, {at: 300s, workers: 2}, {at: 400s, workers: 9}]}",
    )
    alive = {t: 4 - count for t, count in away(block)}
    assert alive[100.0] == 12
    assert alive[400.0] == 9
    down_s, down = max((t, count) for t, count in alive.items() if t < 400)
    assert down == 2
    # The longest of the attempts that they finish first, of 12 at most.
    assert 300 <= down_s < 320
    assert not len(times(block, Kind.LEASE_EXPIRED))
    assert int((block.kind == Kind.EXECUTION_STARTED).sum()) == len(times(block, Kind.TASK_DONE))
