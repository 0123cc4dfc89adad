"""Every adapter: a short run of the system it is for passes, and nothing of it is left.

Each needs the environment of its system: `soak target env NAME` makes one, `$SOAK_ENVS` says where they are.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from commands import soak

from soak.runner.targets.adapters import adapters, environment_of
from soak.schemas.evidence.verdict import Outcome, Status, Verdict

pytestmark = pytest.mark.foreign

SCENARIO = """
version: 1
name: short
title: Tasks of which some fail, and some of those permanently
system: queue
duration: 4s
drain: 25s
seed: 3
workload:
  arrivals: {process: constant, rate: 5/s}
  task: {duration: {distribution: lognormal, median: 50ms, p95: 150ms}}
queue:
  workers: 2
  retry: {max_attempts: 3, backoff: [1s, 1s]}
faults:
  - {name: transient, type: transient_error, rate: 25%, errors: [network]}
  - {name: permanent, type: permanent_error, rate: 15%}
evidence: lenient
slos: [success_rate >= 50%, lost_tasks == 0, duplicate_executions == 0, excess_attempts == 0, backoff_violations == 0]
telemetry: {sample_interval: 1s, max_gap: 10s, max_lag: 10s}
"""


@pytest.mark.parametrize("name", adapters())
def test_a_short_run_passes_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    if not environment_of(name).python.exists():
        pytest.skip(f"no environment {name} (soak target env {name})")
    scenario, out = tmp_path / "short.yaml", tmp_path / "run"
    scenario.write_text(SCENARIO, encoding="utf-8")

    done = soak("run", scenario, "--target", name, "--out", out)
    left = list(processes_of(out))
    for pid in left:
        os.kill(pid, signal.SIGKILL)

    assert done.returncode == Outcome.PASS.exit_code, done.stdout + done.stderr
    verdict = msgspec.json.decode((out / "verdict.json").read_bytes(), type=Verdict)
    assert {each.status for each in verdict.objectives} <= {Status.PASS, Status.NOT_APPLICABLE}
    assert verdict.tasks["DONE"] + verdict.tasks["FAILED"] == 20
    assert verdict.tasks["FAILED"] > 0
    assert left == []


def processes_of(directory: Path) -> Iterator[int]:
    """Processes that were started for a run: they know where its settings are."""
    said = f"SOAK_CONFIG={directory.absolute()}/".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if said in path.read_bytes():
                yield int(path.parent.name)
        except OSError:
            continue
