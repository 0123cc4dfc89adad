"""The examples of the page on delivery pass, and are what the page shows; the bundled orchestrator delivers likewise."""

import json
import re
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from commands import soak

from soak.runner.api import simulate_scenario

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLES = sorted((DOCS / "examples" / "delivery").glob("*.yaml"))
PAGE = (DOCS / "load-delivery.md").read_text(encoding="utf-8")
REAL = """
version: 1
name: real
system: queue
duration: 10m
drain: 10m
seed: 4
workload:
  arrivals: {{process: constant, rate: 20/min}}
  task: {{duration: {{distribution: exponential, mean: 5s}}}}
queue:
  workers: 12
  poll_interval: 1s
  watchdog_interval: 1s
  {queue}
faults:
  - {{name: flaky, type: transient_error, rate: 20%}}
  - {{name: crash, type: worker_crash, rate: 5%}}
slos: [backoff_violations == 0, {slo}]
telemetry: {{max_gap: 30m, max_lag: 10m}}
"""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_passes(path: Path) -> None:
    verdict, _ = simulate_scenario(path)
    assert verdict.verdict.value == "PASS", verdict.reasons
    assert all(law.status.value == "PASS" for law in verdict.laws)


def test_the_page_shows_the_examples() -> None:
    shown = [yaml.safe_load(dedent(block)) for block in re.findall(r"^    queue:.*\n(?:      .*\n)+", PAGE, re.M)]
    queues = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["queue"] for path in EXAMPLES}
    assert [each["queue"] for each in shown] == [queues[name] for name in ("celery-redis", "sqs", "rabbitmq")]
    assert "celery-early.yaml" in PAGE


def real(tmp_path: Path, queue: str, slo: str) -> dict[str, dict[str, float]]:
    """The verdict of a run of the bundled orchestrator."""
    path, out = tmp_path / "real.yaml", tmp_path / "run"
    path.write_text(REAL.format(queue=queue.replace("; ", "\n  "), slo=slo), encoding="utf-8")
    said = soak("run", path, "--target", "orchestrator", "--speed", "60", "--out", out)
    assert said.returncode == 0, said.stdout + said.stderr
    assert soak("verify", out).returncode == 0
    found: dict[str, dict[str, float]] = json.loads((out / "verdict.json").read_text(encoding="utf-8"))
    return found


def test_the_orchestrator_has_visibility_timeouts_jitter_and_dead_letters(tmp_path: Path) -> None:
    queue = (
        "lease: {duration: 8s, heartbeat: none}; "
        "retry: {max_attempts: 2, backoff: {initial: 2s, max: 1m}, jitter: decorrelated}; max_deliveries: 2"
    )
    found = real(
        tmp_path, queue, "duplicate_executions >= 5, dead_lettered >= 5, excess_attempts == 0, lost_tasks == 0"
    )
    assert found["tasks"]["FAILED"] == found["slis"]["dead_lettered"]
    assert found["slis"]["lease_recovery_rate"] > 0


def test_the_orchestrator_loses_what_it_acknowledged_early(tmp_path: Path) -> None:
    found = real(tmp_path, "ack: early; retry: {backoff: [2s, 4s], jitter: full}", "lost_tasks >= 1, lost_tasks <= 30")
    tasks = found["tasks"]
    assert tasks["LOST"] == found["slis"]["lost_tasks"]
    assert tasks["DONE"] + tasks["FAILED"] + tasks["LOST"] == tasks["accepted"] == 200
