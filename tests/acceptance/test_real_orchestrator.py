"""The same scenario against real processes: it agrees with the model, meets real faults, and outlives its runner's death."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from soak.runner.api import simulate_scenario
from soak.runner.targets.queue.orchestrator.disk import can_mount
from soak.runner.targets.queue.orchestrator.target import Orchestrator
from soak.schemas.errors import UsageError
from soak.schemas.language.load import load

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = """
version: 1
name: small
system: queue
duration: 10m
drain: 20m
seed: 8
workload:
  arrivals: {process: constant, rate: 12/min}
  task: {duration: {distribution: lognormal, median: 4s, p95: 10s}}
queue:
  workers: 4
  poll_interval: 1s
  watchdog_interval: 5s
  lease: {duration: 2m, heartbeat: 15s}
  retry: {max_attempts: 4, backoff: [30s]}
  guardrail: {soft_tokens: 2000, hard_tokens: 3500}
faults:
  - {name: transient, type: transient_error, rate: 10%, errors: [network, timeout]}
  - {name: db-lock, type: db_lock, rate: 3%}
  - {name: twice, type: duplicate_enqueue, rate: 5%}
  - {name: over-budget, type: guardrail_exceed, rate: 4%}
  - {name: crash, type: worker_crash, rate: 3%}
slos:
  - success_rate >= 90%
  - duplicate_block_rate == 100%
  - duplicate_executions == 0
  - guardrail_unblocked == 0
  - backoff_violations == 0
  - lost_tasks == 0
telemetry: {max_gap: 30m, max_lag: 10m}
"""
SPEED = "60"
LATE = ("--set", "telemetry.max_lag=10m")
Directory = Path


def start(scenario: Path, out: Path, *more: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """A real run in a process of its own."""
    command = [sys.executable, "-m", "soak", "run", str(scenario), "--target", "orchestrator", "--speed", SPEED]
    return subprocess.Popen(
        [*command, "--out", str(out), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )


def outcome(process: subprocess.Popen[str]) -> int:
    """Its exit code; what it said is shown when the test fails."""
    said, complained = process.communicate(timeout=150)
    sys.stderr.write(said + complained)
    return process.returncode


def verdict_of(run: Path) -> dict[str, object]:
    """What verdict.json holds."""
    held: dict[str, object] = json.loads((run / "verdict.json").read_text())
    return held


def events(run: Path) -> Iterator[dict[str, object]]:
    """The events of a run."""
    for line in (run / "soak_small.jsonl").read_text().splitlines():
        yield json.loads(line)


def closed(run: Path) -> dict[object, object]:
    """How each task ended."""
    ends = {"task.done", "task.failed", "task.blocked"}
    return {event["task"]: event["type"] for event in events(run) if event["type"] in ends}


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "small.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def run(scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One real run, shared by the tests that only look at it."""
    out = tmp_path_factory.mktemp("real") / "run"
    assert outcome(start(scenario, out)) == 0
    return out


def verify(run: Path) -> int:
    """The exit code of `soak verify`."""
    return subprocess.run([sys.executable, "-m", "soak", "verify", str(run)], cwd=ROOT, check=False).returncode


def test_a_real_run_passes_and_can_be_verified(run: Path) -> None:
    assert verdict_of(run)["verdict"] == "PASS"
    assert verify(run) == 0
    manifest = json.loads((run / "run_manifest.json").read_text())
    assert (manifest["target"], manifest["clock"], manifest["speed"]) == ("orchestrator", "real", 60)
    assert f"--target orchestrator --speed {SPEED}" in manifest["reproduce"]


def test_tasks_meet_the_fate_that_the_model_gives_them(run: Path, scenario: Path) -> None:
    simulated, _ = simulate_scenario(load(scenario))
    real = verdict_of(run)
    tasks = real["tasks"]
    assert isinstance(tasks, dict)
    for state in ("accepted", "DONE", "FAILED", "BLOCKED"):
        assert abs(tasks[state] - simulated.tasks[state]) <= 2
    for fault, other in zip(real["faults"], simulated.faults, strict=True):  # type: ignore[call-overload]
        assert abs(fault["injected"] - other.injected) <= 3
        assert fault["seen"] == fault["injected"] > 0


def test_samples_of_memory_files_and_database_are_taken(run: Path) -> None:
    seen = {event["type"] for event in events(run)}
    assert {"sample.rss", "sample.open_files", "sample.db_size", "sample.queue_depth"} <= seen


def our_processes(out: Path) -> list[psutil.Process]:
    """Processes of the system that belong to a run."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if (process.info["cwd"] or "").startswith(str(out)) and process.info["cmdline"]
    ]


def wait_for(condition: object, seconds: float = 30.0) -> None:
    """Until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_killed_runner_takes_its_processes_along_and_the_run_goes_on(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    first = start(scenario, out)
    stream = out / "soak_small.jsonl"
    wait_for(lambda: stream.exists() and stream.read_bytes().count(b"task.done") > 30)
    assert our_processes(out)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    wait_for(lambda: not our_processes(out))
    with stream.open("ab") as file:
        file.write(b'{"t":99')
    resumed = subprocess.run(
        [sys.executable, "-m", "soak", "resume", str(out)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert [event["type"] for event in events(out)].count("run.resumed") == 1
    [gap] = verdict_of(out)["resumes"]  # type: ignore[misc]
    assert gap["gap_s"] > 0
    assert "The runner was down from" in (out / "soak_summary.md").read_text()
    assert verdict_of(out)["slis"]["backoff_violations"] == 0  # type: ignore[index]
    assert verify(out) == 0
    simulated, _ = simulate_scenario(load(scenario))
    tasks = verdict_of(out)["tasks"]
    assert isinstance(tasks, dict)
    assert len(closed(out)) == tasks["accepted"]
    # What ran when the runner died has lost an attempt, and a key that is blocked a little later refuses its duplicate.
    for state in ("accepted", "DONE", "FAILED", "BLOCKED"):
        assert abs(tasks[state] - simulated.tasks[state]) <= 4


def test_two_runners_on_one_directory(scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / "busy"
    first = start(scenario, out)
    try:
        wait_for((out / "soak_small.jsonl").exists)
        second = subprocess.run(
            [sys.executable, "-m", "soak", "resume", str(out)], cwd=ROOT, check=False, capture_output=True, text=True
        )
        assert second.returncode == 2
        assert "another runner is using" in second.stderr
    finally:
        first.send_signal(signal.SIGINT)
        assert outcome(first) == 130
    assert verdict_of(out)["verdict"] == "INCONCLUSIVE"
    assert not our_processes(out)


def test_what_cannot_be_resumed(run: Path, scenario: Path, tmp_path: Path) -> None:
    def resume(path: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "soak", "resume", str(path)], cwd=ROOT, check=False, capture_output=True, text=True
        )

    ended = resume(run)
    assert (ended.returncode, "this run has ended" in ended.stderr) == (2, True)
    assert resume(tmp_path).returncode == 2


@pytest.mark.parametrize(
    ("defect", "check"),
    [("guardrail_ignored", "guardrail_unblocked == 0"), ("backoff_ignored", "backoff_violations == 0")],
)
def test_a_planted_defect_is_found(defect: str, check: str, scenario: Path, tmp_path: Path) -> None:
    out = tmp_path / defect
    assert outcome(start(scenario, out, environment={"ORCHESTRATOR_DEFECT": defect})) == 3
    objectives = verdict_of(out)["objectives"]
    assert isinstance(objectives, list)
    assert {each["objective"] for each in objectives if each["status"] == "FAIL"} == {check}


@pytest.mark.skipif(not can_mount(), reason="this machine lets us mount no file system")
def test_a_full_disk_is_real_and_goes_away(tmp_path: Path) -> None:
    out = tmp_path / "full"
    scenario = ROOT / "scenarios" / "processes" / "disk-full.yaml"
    assert (
        outcome(start(scenario, out, "--duration", "25m", "--set", "drain=10m", "--set", "evidence=lenient", *LATE))
        == 0
    )
    [fault] = verdict_of(out)["faults"]  # type: ignore[misc]
    assert fault["seen"] >= 1
    assert "the disk is full" in "".join(log.read_text() for log in (out / "system").glob("w*.log"))
    assert not (out / "system" / "disk").exists()
    assert (out / "system" / "queue.db").exists()


def test_a_fault_that_the_machine_does_not_allow_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soak.runner.targets.queue.orchestrator.disk.can_mount", lambda: False)
    full = load(ROOT / "scenarios" / "processes" / "disk-full.yaml").scenario
    with pytest.raises(UsageError, match="mount"):
        Orchestrator().admit(full)
    Orchestrator().admit(load(ROOT / "scenarios" / "72h.yaml").scenario)
