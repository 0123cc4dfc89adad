"""The bundled pipeline for real, ten times as fast: faults strike and are undone, a model agrees, and a killed run goes on."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from killing import SOAK, end, events, start, stream_of, wait_until
from servers import until

from soak.runner.cli import run_command

SCENARIO = """
version: 1
name: signals
system: pipeline
duration: 90s
drain: 60s
seed: 15
workload:
  arrivals: {rate: 40/s, process: constant}
  kinds: [{name: BTCUSDT, share: 70%}, {name: ETHUSDT, share: 30%}]
pipeline:
  processes:
    - {name: harvest, reads: source, writes: raw, start: {distribution: constant, value: 4s}}
    - {name: signal, reads: raw, writes: signals, start: {distribution: constant, value: 4s}}
    - {name: broker, reads: signals, writes: orders, passes: confirmed}
    - {name: report, reads: signals}
  sinks:
    - {name: jsonl, of: signals}
    - {name: sqlite, of: signals, batch: {rows: 50, every: 5s}}
  supervisor:
    health: {every: 10s}
    restart: {backoff: {initial: 5s}, max_restarts: 9}
  alerts: {low_consistency: {above: 80%}, tolerance: 30s}
  export: {every: 15s}
faults:
  - {name: odd, type: consistency_drop, at: 0s, for: 60s, to: 95%}
  - {name: kill, type: process_kill, process: signal, at: 12s}
  - {name: term, type: term_during_batch, process: signal, at: 40s}
  - {name: lock, type: sink_lock, sink: sqlite, at: 60s, for: 20s}
slos:
  - restarts == 2
  - lost_records{sink=*} == 0
  - duplicate_records{sink=*} == 0
  - phantom_records{sink=*} == 0
  - gap_records == 0
  - sink_difference{figure=*} <= 0.5%
  - duplicate_orders == 0
  - left_in_queues{process=*} == 0
  - orphans == 0
  - shutdown_order_violations == 0
  - export_errors == 0
telemetry: {sample_interval: 5s, max_gap: 1m, max_lag: 10s}
"""
RECORDS = 90 * 40


def command(folder: Path, out: Path) -> list[str]:
    """A real run of the scenario."""
    return ["run", str(folder / "signals.yaml"), "--target", "pipeline", "--speed", "10", "--out", str(out)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scenario is."""
    path = tmp_path_factory.mktemp("real")
    (path / "signals.yaml").write_text(SCENARIO)
    return path


@pytest.fixture(scope="module")
def whole(folder: Path) -> Path:
    """A run that nobody ends."""
    start(command(folder, folder / "whole")).communicate()
    return folder / "whole"


@pytest.fixture(scope="module")
def resumed(folder: Path) -> Iterator[Path]:
    """A run whose runner was killed, after the first restart and two seconds or so before the second, and which goes on."""
    out = folder / "killed"
    process = start(command(folder, out))
    wait_until(lambda: outputs(out) == 2, process)
    assert end(process, signal.SIGKILL) == -signal.SIGKILL
    until(lambda: not left(out))
    start(["resume", str(out)]).communicate()
    yield out


def outputs(out: Path) -> int:
    """How often the process that a fault kills had new output so far: at its start, and when it was restarted."""
    stream = stream_of(out)
    lines = stream.read_text().splitlines() if stream else []
    return sum('"type":"process.output"' in line and '"name":"signal"' in line for line in lines)


def left(out: Path) -> list[str]:
    """Processes of a run that are there."""
    lines = (" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
    return [line for line in lines if str(out) in line and "pytest" not in line]


def verdict(out: Path) -> dict[str, Any]:
    """What was made of a run."""
    found: dict[str, Any] = json.loads((out / "verdict.json").read_text())
    return found


def verified(out: Path) -> str:
    """What `soak verify` says at its end."""
    done = subprocess.run([*SOAK, "verify", str(out)], capture_output=True, text=True, check=False)
    return done.stdout.strip().rpartition("; ")[2]


def test_a_real_run_passes_and_can_be_verified(whole: Path) -> None:
    found = verdict(whole)
    assert (found["verdict"], found["reasons"]) == ("PASS", [])
    assert {law["law"]: law["status"] for law in found["laws"]}["records"] == "PASS"
    assert sum(event["value"] for event in events(whole) if event["type"] == "records.sent") == RECORDS
    assert verified(whole) == "the evidence agrees"
    assert left(whole) == []


def test_every_fault_is_brought_about_seen_and_undone(whole: Path) -> None:
    for fault in verdict(whole)["faults"]:
        assert (fault["name"], fault["status"]) == (fault["name"], "PASS")
    for kind in ("fault.injected", "fault.cleared"):
        assert sorted(event["fault"] for event in events(whole) if event["type"] == kind) == [
            "kill",
            "lock",
            "odd",
            "term",
        ]
    exits = [event for event in events(whole) if event["type"] == "process.exited"]
    assert [(event["name"], event.get("fault")) for event in exits] == [
        ("signal", "kill"),
        ("signal", "term"),
        *((name, None) for name in ("report", "broker", "signal", "harvest")),
    ]


def test_what_happened_to_processes_is_known_exactly(whole: Path) -> None:
    told = {"process.exited", "process.started", "process.healthy", "process.output"}
    happened = [event["type"] for event in events(whole) if event["type"] in told and event.get("name") == "signal"]
    assert happened[:3] == ["process.started", "process.healthy", "process.output"]
    restart = happened[3:7]
    assert restart[:2] == ["process.exited", "process.started"]
    assert sorted(restart[2:]) == ["process.healthy", "process.output"]


def test_a_simulated_run_agrees(folder: Path, whole: Path) -> None:
    simulated = folder / "simulated"
    run_command(["run", str(folder / "signals.yaml"), "--out", str(simulated)])
    compared = folder / "parity"
    assert run_command(["compare", str(simulated), str(whole), "--parity", "--out", str(compared)]) == 0
    parity = json.loads((compared / "parity.json").read_text())
    names = {figure["name"]: figure["status"] for figure in parity["figures"] if figure["topic"] == "system"}
    assert names["restart_times{process=signal}"] == names["alerts_fired{alert=low_consistency}"] == "AGREES"
    assert names["sink_total{sink=sqlite}"] == names["total_by_minute"] == "AGREES"


def test_a_killed_runner_leaves_nothing_behind_and_its_run_goes_on(resumed: Path) -> None:
    found = verdict(resumed)
    assert (found["verdict"], found["reasons"]) == ("PASS", [])
    assert len(found["resumes"]) == 1
    stored = [event for event in events(resumed) if event["type"] == "records.stored"]
    for sink in (4, 5):
        assert sum(event["records"] for event in stored if event["worker"] == sink) == RECORDS
    assert verified(resumed) == "the evidence agrees"
    assert left(resumed) == []
