"""Workers that come and go for real: an attached queue, an attached system, the bundled orchestrator."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from soak.runner.targets.queue.orchestrator.system import OrchestratorSystem
from soak.runner.targets.queue.orchestrator.target import Orchestrator
from soak.runner.targets.queue.system_adapter.target import SystemAdapter
from soak.schemas.errors import UsageError
from soak.schemas.language.load import load

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "soak.runner.targets.queue.orchestrator.system:OrchestratorSystem"
LATE = ("--set", "telemetry.max_lag=10m")
SCENARIO = """\
version: 1
name: fleet
system: queue
duration: 10m
drain: 10m
workload:
  arrivals: {rate: 40/min}
  task: {duration: {distribution: exponential, mean: 5s}}
queue:
  workers: 6
  worker_restart: 10s
  lease: {duration: 2m, heartbeat: 15s}
%s
faults:
  - {name: host, type: worker_crash, at: 1m, workers: 4, restart_after: 30s}
  - {name: slow, type: slow_task, rate: 10%%, factor: 3}
  - {name: slow-worker, type: slow_worker, at: 200s, for: 2m, workers: 3, factor: 3}
%s
slos: [lost_tasks == 0, success_rate >= 90%%, workers_alive >= 2, workers_alive <= 2, queue_depth_max <= 100000]
telemetry: {max_gap: 30m}
"""
SCHEDULE = "  schedule: [{at: 3m, workers: 8}, {at: 5m, workers: 4}, {at: 6m, workers: 8}]"
RESTARTS = """\
  - {name: restart, type: worker_restart, at: 2m, workers: 2}
  - {name: deploy, type: rolling_restart, at: 7m, each: 10s}
"""
RULE = "  scaling: {min: 6, max: 12, out: {queue_depth: 10, by: 3}, in: {idle: 30s, by: 2}, every: 10s, delay: 20s}"


def scenario(tmp_path: Path, queue: str = "", faults: str = "") -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(SCENARIO % (queue, faults))
    return path


def ran(tmp_path: Path, path: Path, target: str, speed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The verdict and the events of a run."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "docs" / "examples")])}
    command = [sys.executable, "-m", "soak", "run", str(path), "--target", target, "--speed", str(speed), *LATE]
    out = tmp_path / "run"
    done = subprocess.run(
        [*command, "--out", str(out)], capture_output=True, text=True, check=False, env=environment, timeout=170
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [json.loads(line) for line in (out / "soak_fleet.jsonl").read_text().splitlines()[1:]]
    return json.loads((out / "verdict.json").read_text()), told


def exits(told: list[dict[str, Any]]) -> Counter[str]:
    """Workers that exited, by fault."""
    return Counter(event.get("fault", "") for event in told if event["type"] == "process.exited")


@pytest.mark.parametrize(("target", "speed"), [("memory_queue:MemoryQueue", 60), ("orchestrator", 30)])
def test_a_schedule_and_every_fault_of_workers(tmp_path: Path, target: str, speed: int) -> None:
    verdict, told = ran(tmp_path, scenario(tmp_path, SCHEDULE, RESTARTS), target, speed)
    assert {each["name"]: each["status"] for each in verdict["faults"]} == dict.fromkeys(
        ("host", "slow", "slow-worker", "restart", "deploy"), "PASS"
    )
    counts = {
        each["name"]: (each["expected"], each["injected"]) for each in verdict["faults"] if each["name"] != "slow"
    }
    assert counts == {"host": (4, 4), "slow-worker": (3, 3), "restart": (2, 2), "deploy": (8, 8)}
    assert exits(told) == {"host": 4, "restart": 2, "deploy": 8, "": 4}
    # Only the host's crash lets leases run out: who leaves or is restarted finishes first.
    assert {event["fault"] for event in told if event["type"] == "lease.expired"} <= {"host"}
    assert sum(event["type"] == "process.started" for event in told) == 4 + 2 + 8 + 2 + 4


@pytest.mark.parametrize(("target", "speed"), [("memory_queue:MemoryQueue", 60), ("orchestrator", 30)])
def test_a_rule_adds_workers_and_lets_them_go(tmp_path: Path, target: str, speed: int) -> None:
    path = scenario(tmp_path, RULE)
    stages = "{stages: [{rate: 40/min, for: 5m}, {rate: 2/min, for: 5m}]}"
    path.write_text(path.read_text().replace("{rate: 40/min}", stages))
    verdict, told = ran(tmp_path, path, target, speed)
    assert verdict["verdict"] == "PASS"
    # With two workers left for 30 s of 40 tasks a minute, more than 10 wait; later nobody of 9 has much to do.
    names = {event["name"] for event in told if event["type"] == "process.started"}
    assert {"w6", "w7", "w8"} <= names
    assert exits(told)[""] > 0
    assert not [event for event in told if event["type"] == "lease.expired" and event["fault"] != "host"]


def test_an_attached_system_whose_workers_die_at_once(tmp_path: Path) -> None:
    verdict, told = ran(tmp_path, scenario(tmp_path), SYSTEM, 30)
    assert {each["name"]: each["injected"] for each in verdict["faults"] if each["name"] != "slow"} == {
        "host": 4,
        "slow-worker": 3,
    }
    assert exits(told) == {"host": 4}


@pytest.mark.parametrize(
    ("queue", "faults", "told"),
    [
        (SCHEDULE, "", "queue.schedule: it owns its workers"),
        (RULE, "", "queue.scaling: it owns its workers"),
        ("", RESTARTS, "fault restart (worker_restart): the contract has no way to ask a worker to stop"),
    ],
)
def test_what_an_attached_system_cannot_do_is_refused_in_words(
    tmp_path: Path, queue: str, faults: str, told: str
) -> None:
    target = SystemAdapter("mine", OrchestratorSystem)
    with pytest.raises(UsageError) as refused:
        target.admit(load(scenario(tmp_path, queue, faults)).scenario)
    assert told in str(refused.value)


def test_a_run_whose_workers_come_and_go_cannot_be_resumed(tmp_path: Path) -> None:
    made = load(scenario(tmp_path, SCHEDULE)).scenario
    Orchestrator().admit(made)
    with pytest.raises(UsageError, match="come and go"):
        Orchestrator().admit(made, resumed=True)


def test_no_worker_outlives_the_runner(tmp_path: Path) -> None:
    """Also not one that a schedule added, or one that is about to leave."""
    command = [sys.executable, "-m", "soak", "run", str(scenario(tmp_path, "  schedule: [{at: 10s, workers: 9}]"))]
    runner = subprocess.Popen(
        [*command, "--target", "orchestrator", "--speed", "10", "--out", str(tmp_path / "run")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    stream = tmp_path / "run" / "soak_fleet.jsonl"
    until = time.monotonic() + 60
    while not (stream.exists() and '"name":"w8"' in stream.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    started = psutil.Process(runner.pid).children(recursive=True)
    assert len([each for each in started if "soak.systems.orchestrator.worker" in " ".join(each.cmdline())]) == 9
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []
