"""Workers that come and go: small runs whose every event can be worked out by hand, and laws that hold for any."""

from collections import Counter
from pathlib import Path

import pytest

from soak.runner.api import simulate_scenario
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.load import load
from soak.schemas.stream.events import SPECS, Kind
from soak.simulation.plan import Plan
from soak.simulation.run import simulate

SCENARIO = """\
version: 1
name: fleet
system: queue
duration: {duration}
drain: 2h
workload:
  arrivals: {{process: constant, rate: {rate}}}
  task: {{duration: {{distribution: constant, value: {service}}}}}
queue: {{poll_interval: 0s, watchdog_interval: 1s, lease: {{duration: 4s, heartbeat: 2s}}, {queue}}}
faults: [{faults}]
telemetry: {{sample_interval: 1h}}
"""
SHOWN = {"task.dispatched", "task.done", "task.retry", "lease.expired", "execution.ended"}


def story(
    tmp_path: Path,
    *,
    duration: str = "20s",
    rate: str = "6/min",
    service: str = "5s",
    queue: str = "workers: 2",
    faults: str = "",
) -> list[str]:
    """What happens to workers, and what tasks have to do with it."""
    path = tmp_path / "fleet.yaml"
    path.write_text(SCENARIO.format(duration=duration, rate=rate, service=service, queue=queue, faults=faults))
    told = []
    for block in simulate(Plan(load(path).scenario)):
        for t, kind, worker in zip(block.t.tolist(), block.kind.tolist(), block.worker.tolist(), strict=True):
            type_ = SPECS[Kind(kind)].type
            if type_ in SHOWN or type_.startswith(("process.", "fault.")):
                told.append(f"{t:g} {type_}" + (f" w{worker}" if worker >= 0 else ""))
    return told


def test_a_crash_at_a_time_kills_what_runs_and_what_does_not(tmp_path: Path) -> None:
    faults = "{name: host, type: worker_crash, at: 12s, workers: 2, restart_after: 3s}"
    assert story(tmp_path, faults=faults, duration="19s") == [
        "0 task.dispatched w0",
        "5 execution.ended w0",
        "5 task.done w0",
        "10 task.dispatched w0",
        "12 fault.injected w0",
        "12 execution.ended w0",
        "12 process.exited w0",
        "12 fault.injected w1",
        "12 process.exited w1",
        # Its last heartbeat was the claim: one at 12 s comes too late.
        "14 lease.expired w0",
        "14 task.retry w0",
        "15 process.started w0",
        "15 process.started w1",
        "15 fault.cleared",
        "15 task.dispatched w1",
        "20 execution.ended w1",
        "20 task.done w1",
    ]


def test_a_restart_waits_for_the_attempt(tmp_path: Path) -> None:
    faults = "{name: restart, type: worker_restart, at: 12s}"
    assert story(tmp_path, faults=faults, queue="workers: 1, worker_restart: 4s")[3:] == [
        "10 task.dispatched w0",
        "12 fault.injected w0",
        "15 execution.ended w0",
        "15 task.done w0",
        "15 process.exited w0",
        "19 process.started w0",
        "19 fault.cleared",
    ]


def test_a_schedule_lets_a_busy_worker_finish_and_starts_new_ones_at_once(tmp_path: Path) -> None:
    queue = "workers: 1, schedule: [{at: 2s, workers: 2}, {at: 8s, workers: 1}]"
    assert story(tmp_path, queue=queue, rate="30/min", service="5s", duration="9s") == [
        "0 task.dispatched w0",
        "2 process.started w1",
        "2 task.dispatched w1",
        "5 execution.ended w0",
        "5 task.done w0",
        "5 task.dispatched w0",
        "7 execution.ended w1",
        "7 task.done w1",
        "7 task.dispatched w1",
        "10 execution.ended w0",
        "10 task.done w0",
        "10 task.dispatched w0",
        "12 execution.ended w1",
        "12 task.done w1",
        "12 process.exited w1",
        "15 execution.ended w0",
        "15 task.done w0",
    ]


def test_a_worker_that_leaves_is_replaced_by_one_of_another_number_while_it_is_busy(tmp_path: Path) -> None:
    queue = "workers: 2, schedule: [{at: 11s, workers: 1}, {at: 12s, workers: 2}]"
    told = story(tmp_path, queue=queue, rate="60/min", service="8s", duration="20s")
    assert [line for line in told if "process" in line] == ["12 process.started w2", "17 process.exited w1"]


RULE = "workers: 1, scaling: {min: 1, max: 3, out: {queue_depth: 2, by: 5}, in: {idle: 10s}, every: 4s, delay: 6s}"


def test_a_rule_scales_out_after_its_delay_and_in_after_idling(tmp_path: Path) -> None:
    """Tasks come at 0, 1, … 9 s. At 4 s three are PENDING, which is more than 2; 2 workers are asked for, not 5."""
    told = story(tmp_path, queue=RULE, rate="60/min", service="10s", duration="10s")
    assert [line for line in told if "process" in line][:2] == ["10 process.started w1", "10 process.started w2"]
    # Three at a time: the last of 10 tasks is done at 10 + 3 * 10 s, and the run is over then.
    assert told[-1] == "40 task.done w1"


def test_a_rule_takes_one_worker_at_a_time_and_leaves_the_fewest(tmp_path: Path) -> None:
    queue = RULE.replace("workers: 1", "workers: 3").replace("max: 3", "max: 5")
    told = story(tmp_path, queue=queue, rate="1/min", service="1s", duration="60s")
    assert [line for line in told if "process" in line] == ["12 process.exited w2", "16 process.exited w1"]


def test_a_slow_task_takes_longer_and_keeps_its_lease(tmp_path: Path) -> None:
    faults = "{name: slow, type: slow_task, rate: 100%, factor: 3}"
    assert story(tmp_path, faults=faults, duration="9s") == [
        "0 task.dispatched w0",
        "0 fault.injected w0",
        "15 fault.seen",
        "15 execution.ended w0",
        "15 task.done w0",
    ]


def test_a_slow_task_outlasts_its_visibility_timeout_and_is_to_blame(tmp_path: Path) -> None:
    """10 % of the attempts take 15 s instead of 5: their timeout of 12 s runs out, that of no other."""
    path = tmp_path / "timeout.yaml"
    faults = "{name: slow, type: slow_task, rate: 10%, factor: 3}"
    text = SCENARIO.format(duration="20m", rate="6/min", service="5s", queue="workers: 8", faults=faults)
    path.write_text(text.replace("lease: {duration: 4s, heartbeat: 2s}", "lease: {duration: 12s, heartbeat: none}"))
    plan = Plan(load(path).scenario)
    slow, expired = set[tuple[int, int]](), set[tuple[int, int]]()
    for block in simulate(plan):
        places = zip(
            block.kind.tolist(), block.task.tolist(), block.attempt.tolist(), block.cause.tolist(), strict=True
        )
        for kind, task, attempt, cause in places:
            if kind == Kind.FAULT_INJECTED:
                slow.add((task, attempt))
            elif kind == Kind.LEASE_EXPIRED:
                expired.add((task, attempt))
                assert plan.vocabulary.causes[cause].fault == "slow"
    assert expired == slow
    assert len(slow) > 5


EVERYTHING = """\
version: 1
name: everything
system: queue
duration: 30m
drain: 1h
workload:
  arrivals: {rate: 40/min}
  task: {duration: {distribution: exponential, mean: 6s}}
queue:
  workers: 6
  %s
  lease: {duration: 20s, heartbeat: 5s}
  retry: {max_attempts: 20, backoff: [5s]}
faults:
  - {name: transient, type: transient_error, rate: 10%%}
  - {name: lock, type: db_lock, rate: 5%%}
  - {name: hang, type: worker_hang, rate: 5%%, hang_for: 40s}
  - {name: crash, type: worker_crash, rate: 3%%}
  - {name: slow, type: slow_task, rate: 5%%, factor: 4}
  - {name: twice, type: duplicate_enqueue, rate: 5%%}
  - {name: outage, type: db_outage, at: 4m, every: 7m, for: 30s}
  - {name: hosts, type: worker_crash, every: 61s, workers: 3, restart_after: 20s}
  - {name: restarts, type: worker_restart, every: 47s, workers: 2}
  - {name: slow-worker, type: slow_worker, every: 5m, for: 1m, workers: 2, factor: 3}
  - {name: deploy, type: rolling_restart, at: 12m, each: 10s}
slos: [lost_tasks == 0, duplicate_executions <= 1000, illegal_transitions == 0, workers_alive >= 0]
"""


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    "queue",
    [
        "schedule: [{at: 5m, workers: 9}, {at: 11m, workers: 3}, {at: 20m, workers: 7}]",
        "scaling: {min: 3, max: 12, out: {queue_depth: 5, by: 3}, in: {idle: 20s, by: 2}, every: 10s, delay: 20s}",
    ],
)
def test_whatever_happens_the_laws_hold(tmp_path: Path, queue: str, seed: int) -> None:
    path = tmp_path / "everything.yaml"
    path.write_text(EVERYTHING % queue)
    verdict, _ = simulate_scenario(load(path), seed=seed)
    assert [law for law in verdict.laws if law.status is not Status.PASS] == []
    assert {each.name: each.detail for each in verdict.faults if each.status is not Status.PASS} == {}
    assert all(each.status is Status.PASS for each in verdict.objectives)
    # 29 times in 30 minutes, 3 workers each; 38 times 2; 5 times 2.
    expected = {each.name: each.expected for each in verdict.faults}
    assert [expected[name] for name in ("hosts", "restarts", "slow-worker")] == [29 * 3, 38 * 2, 5 * 2]


@pytest.mark.parametrize("seed", range(3))
def test_every_execution_ends_once_whenever_its_worker_dies(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "everything.yaml"
    path.write_text(EVERYTHING % "schedule: [{at: 5m, workers: 9}, {at: 11m, workers: 3}]")
    started: Counter[tuple[int, int]] = Counter()
    ended: Counter[tuple[int, int]] = Counter()
    for block in simulate(Plan(load(path).scenario, seed)):
        for kind, task, attempt in zip(block.kind.tolist(), block.task.tolist(), block.attempt.tolist(), strict=True):
            if kind == Kind.EXECUTION_STARTED:
                started[task, attempt] += 1
            elif kind == Kind.EXECUTION_ENDED:
                ended[task, attempt] += 1
    assert set(started.values()) == set(ended.values()) == {1}
    # One that lost its lease may still run when the last task is done.
    assert ended.keys() <= started.keys()
    assert len(started) - len(ended) < 10


def test_samples_of_busy_workers_are_what_runs(tmp_path: Path) -> None:
    path = tmp_path / "busy.yaml"
    queue = "workers: 3, schedule: [{at: 70s, workers: 6}, {at: 200s, workers: 2}]"
    faults = "{name: host, type: worker_crash, every: 40s, workers: 2, restart_after: 15s}"
    text = SCENARIO.format(duration="5m", rate="30/min", service="7s", queue=queue, faults=faults)
    path.write_text(text.replace("sample_interval: 1h", "sample_interval: 3713ms"))
    running, seen = set[int](), 0
    for block in simulate(Plan(load(path).scenario)):
        for kind, worker, value in zip(block.kind.tolist(), block.worker.tolist(), block.value.tolist(), strict=True):
            if kind == Kind.EXECUTION_STARTED:
                running.add(worker)
            elif kind == Kind.EXECUTION_ENDED:
                running.remove(worker)
            elif kind == Kind.SAMPLE_BUSY_WORKERS:
                seen += 1
                assert value == len(running)
    assert seen > 80
