"""The way of a user who attaches a queue, as docs/attach-your-orchestrator.md goes it, with exactly its files."""

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from soak.runner.api import simulate_scenario
from soak.schemas.language.load import load

LATE = ("--set", "telemetry.max_lag=10m")
"""Ten seconds of real time: a busy machine is no matter of these tests."""
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SCENARIO = EXAMPLES / "attached.yaml"
PAGE = ROOT / "docs" / "attach-your-orchestrator.md"
QUEUE = "memory_queue:MemoryQueue"
BROKEN = ROOT / "tests" / "unit" / "targets"


def soak(*words: str | Path, cwd: Path = EXAMPLES) -> subprocess.CompletedProcess[str]:
    """A command as the `soak` script runs it: the current directory is importable only if soak makes it so."""
    command = [sys.executable, "-P", "-m", "soak", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, env=environment, timeout=120)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of the example, shared by the tests that only look at it."""
    out = tmp_path_factory.mktemp("attached") / "run"
    done = soak("run", SCENARIO, "--target", QUEUE, "--speed", "60", "--patience", "20s", *LATE, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_the_example_passes_its_soak(run: Path) -> None:
    verdict = json.loads((run / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["target"], verdict["clock"]) == ("PASS", QUEUE, "real")
    assert all(fault["seen"] == fault["injected"] > 0 for fault in verdict["faults"])
    assert soak("verify", run).returncode == 0
    manifest = json.loads((run / "run_manifest.json").read_text())
    assert manifest["reproduce"].endswith(f"--target {QUEUE} --speed 60 --patience 20s")


def test_a_system_that_owns_its_workers_passes_its_soak(tmp_path: Path) -> None:
    words = "--target", "thread_system:ThreadSystem", "--speed", "60", *LATE, "--out", tmp_path / "run"
    done = soak("run", EXAMPLES / "owned.yaml", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert soak("verify", tmp_path / "run").returncode == 0


def test_the_orchestrator_can_be_attached_as_any_other_system(tmp_path: Path) -> None:
    system = "soak.runner.targets.queue.orchestrator.system:OrchestratorSystem"
    done = soak("run", SCENARIO, "--target", system, "--speed", "60", *LATE, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert all(fault["seen"] == fault["injected"] > 0 for fault in verdict["faults"])
    assert verdict["slis"]["rss"] > 2**20
    with (tmp_path / "run" / "system" / "processes.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert {row["process"] for row in rows} == {*(f"w{n}" for n in range(5)), "dispatcher0", "watchdog", "runner"}
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["t_s"]] += int(row["rss_bytes"]) if row["process"] != "runner" else 0
    assert max(sums.values()) == verdict["slis"]["rss"]
    assert (tmp_path / "run" / "plots" / "processes.svg").exists()


def test_tasks_meet_the_fate_that_the_model_gives_them(run: Path) -> None:
    simulated, _ = simulate_scenario(load(SCENARIO))
    real = json.loads((run / "verdict.json").read_text())
    assert real["tasks"]["accepted"] == simulated.tasks["accepted"]
    for state in ("DONE", "FAILED", "BLOCKED"):
        assert abs(real["tasks"][state] - simulated.tasks[state]) <= 2
    for fault, other in zip(real["faults"], simulated.faults, strict=True):
        assert abs(fault["injected"] - other.injected) <= 3


@pytest.mark.parametrize(
    ("name", "check"),
    [
        (
            "IdempotencyOff",
            "failed  a key is refused while it is PENDING: expected Refused() for a key that is PENDING",
        ),
        ("OwnerNotChecked", "failed  a worker that lost its lease is refused: expected"),
        ("Hangs", "failed  a key is refused while it is IN_PROGRESS: Hangs.claim has not answered for 0.5 s"),
    ],
)
def test_a_broken_queue_is_told_what_it_broke(name: str, check: str) -> None:
    patience = ("--patience", "0.5") if name == "Hangs" else ()
    done = soak("target", "check", f"broken_queues:{name}", *patience, cwd=BROKEN)
    assert done.returncode == 3, done.stdout + done.stderr
    assert check in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("memory_queue:MemoryQue",), 2, "memory_queue has no 'MemoryQue' (did you mean 'MemoryQueue'?)"),
        (("memoryqueue:MemoryQueue",), 2, "no module 'memoryqueue'"),
        (("broken_queues:Raises", "--speed", "600"), 1, "Raises.claim raised KeyError: 'no such row'"),
        (("broken_queues:Hangs", "--patience", "300ms", "--speed", "60"), 1, "Hangs.claim has not answered for 0.3 s"),
        (("memory_queue:MemoryQueue", "--patience", "soon"), 2, "'soon' is not a duration (write 500ms, 10s or 1m)"),
        (("memory_queue:MemoryQueue", "--patience", "0"), 2, "'--patience': 0.0 is not in the range"),
        (("simulation", "--patience", "10s"), 2, "--patience applies to attached classes only, not to simulation"),
        (("orchestrator", "--patience", "10s"), 2, "applies to attached classes only, not to orchestrator"),
        (("calls", "--patience", "10s"), 2, "applies to attached classes only, not to calls"),
    ],
)
def test_a_run_that_cannot_be(words: tuple[str, ...], code: int, message: str, tmp_path: Path) -> None:
    done = soak("run", SCENARIO, "--out", tmp_path / "run", "--target", *words, cwd=EXAMPLES if code == 2 else BROKEN)
    assert done.returncode == code, done.stdout + done.stderr
    assert message in done.stderr
    assert (tmp_path / "run").exists() == (code == 1)


def test_a_fault_that_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    scenario = tmp_path / "dark.yaml"
    dark = "faults:\n  - {name: dark, type: db_outage, at: 1m, for: 30s}"
    scenario.write_text(SCENARIO.read_text().replace("faults:", dark))
    done = soak("run", scenario, "--out", tmp_path / "run", "--target", QUEUE)
    assert done.returncode == 2
    assert "fault dark (db_outage): the runner cannot lock a database that it does not know" in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_page_shows_the_files_and_the_output_as_they_are() -> None:
    page = PAGE.read_text()
    assert (EXAMPLES / "memory_queue.py").read_text() in page
    assert (EXAMPLES / "thread_system.py").read_text() in page
    assert SCENARIO.read_text() in page
    shown = re.search(r"```\n(  ok  .*?\n)```", page, re.DOTALL)
    done = soak("target", "check", QUEUE)
    assert shown
    assert (done.returncode, done.stdout) == (0, shown[1])
