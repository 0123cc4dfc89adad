"""Real runs that are killed or interrupted and resumed: nothing is lost, nothing twice, and the restart costs no verdict."""

import json
import random
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest
from killing import Finding, count, differences, end, events, look, start, wait_until

from soak.runner.cli import run_command

SCENARIO = """
version: 1
name: resumed
system: queue
duration: 10m
drain: 30m
seed: 8
workload:
  arrivals: {process: constant, rate: 20/min}
  task: {duration: {distribution: lognormal, median: 4s, p95: 10s}}
queue:
  workers: 4
  watchdog_interval: 5s
  lease: {duration: 1m, heartbeat: 15s}
  retry: {max_attempts: 6, backoff: [30s]}
faults:
  - {name: transient, type: transient_error, rate: 10%, errors: [network, timeout]}
  - {name: twice, type: duplicate_enqueue, rate: 5%}
  - {name: locked, type: db_outage, at: 3m, for: 1m}
slos:
  - success_rate >= 90%
  - duplicate_executions == 0
  - backoff_violations == 0
  - lost_tasks == 0
telemetry: {max_gap: 3m, max_lag: 1m}
"""
SPEED = 60.0


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scenario") / "resumed.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def whole(scenario: Path, tmp_path_factory: pytest.TempPathFactory) -> Finding:
    """What becomes of the run when nobody ends it."""
    out = tmp_path_factory.mktemp("whole") / "run"
    start(command(scenario, out)).communicate()
    return look(out)


def command(scenario: Path, out: Path) -> list[str]:
    return ["run", str(scenario), "--target", "orchestrator", "--speed", f"{SPEED:g}", "--out", str(out)]


def done(out: Path) -> int:
    return count(out, "task.done")


def test_a_run_that_is_killed_twice(scenario: Path, whole: Finding, tmp_path: Path) -> None:
    """Resumed at once, and after four seconds: as scenario time they would be more than the gap that is allowed."""
    out, chance = tmp_path / "run", random.Random(5)
    process = start(command(scenario, out))
    for most, delay_s in ((80, 0.0), (160, 4.0)):
        wanted = chance.randint(most - 70, most)
        wait_until(lambda wanted=wanted: done(out) >= wanted, process)
        assert end(process, signal.SIGKILL) == -signal.SIGKILL
        time.sleep(delay_s)
        process = start(["resume", str(out)])
    complaint = process.communicate()[1]
    assert process.returncode == 0, complaint
    found = look(out)
    assert (found.verdict, found.wrong, differences(whole, found)) == (whole.verdict, [], [])
    first, second = found.resumes
    manifest = json.loads((out / "run_manifest.json").read_text())
    began, ended = (datetime.fromisoformat(manifest[name]) for name in ("started_at", "finished_at"))
    paused_s = first["pause_s"] + second["pause_s"]
    # Both are told in whole seconds.
    assert manifest["wall_s"] == pytest.approx((ended - began).total_seconds() - paused_s, abs=2.0)
    assert max(first["gap_s"], second["gap_s"]) < 180 < 4.0 * SPEED <= second["pause_s"] * SPEED


def test_an_interrupted_run_goes_on(scenario: Path, whole: Finding, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(command(scenario, out))
    wait_until(lambda: done(out) >= 40, process)
    assert end(process, signal.SIGINT) == 130
    first = json.loads((out / "verdict.json").read_text())
    assert (first["verdict"], first["end"], run_command(["verify", str(out)])) == ("INCONCLUSIVE", "interrupted", 0)
    sealed = {name: (out / name).read_bytes() for name in ("verdict.json", "soak_summary.md", "junit.xml")}
    stream = (out / "soak_resumed.jsonl").read_bytes()
    process = start(["resume", str(out)])
    wait_until(lambda: done(out) >= 60, process)
    # It goes on: what was sealed no longer is, and what was said of the first end is still there.
    assert not (out / "SHA256SUMS").exists()
    assert {name: (out / name).read_bytes() for name in sealed} == sealed
    complaint = process.communicate()[1]
    assert process.returncode == 0, complaint
    found = look(out)
    assert (found.verdict, found.wrong, differences(whole, found)) == (whole.verdict, [], [])
    assert {name: (out / name).read_bytes() == content for name, content in sealed.items()} == dict.fromkeys(
        sealed, False
    )
    assert (out / "soak_resumed.jsonl").read_bytes().startswith(stream)
    told = [event["type"] for event in events(out) if event["type"].startswith("run.")]
    assert told == ["run.started", "run.interrupted", "run.paused", "run.resumed", "run.ended"]
    assert json.loads((out / "verdict.json").read_text())["end"] == "completed"
    assert run_command(["resume", str(out)]) == 2
