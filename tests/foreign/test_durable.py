"""Durable execution: what Procrastinate, DBOS and Temporal do when workers die, and a database that goes away.

Each needs the environment of its system, as in `test_adapter_runs.py`, and PostgreSQL.
"""

from pathlib import Path

import msgspec
import pytest
from commands import soak

from soak.runner.selftest.truths import Side, run_cases, truths
from soak.runner.targets.adapters import environment_of
from soak.schemas.evidence.verdict import Outcome, Verdict

pytestmark = pytest.mark.foreign

TRUTHS = Path(__file__).parents[2] / "scenarios" / "truths"

# A killed attempt and a failed one are told apart, whichever way the system counts them.
SCENARIO = """
version: 1
name: mixed
system: queue
duration: 8s
drain: 40s
seed: 1
workload:
  arrivals: {process: constant, rate: 2/s}
  task: {duration: {distribution: constant, value: 300ms}}
queue:
  workers: 3
  worker_restart: 500ms
  retry: {max_attempts: 3, backoff: [500ms, 1s]}
faults:
  - {name: network, type: transient_error, rate: 40%, errors: [network]}
  - {name: crash, type: worker_crash, rate: 20%}
evidence: lenient
slos: [lost_tasks == 0, excess_attempts == 0, backoff_violations == 0, duplicate_executions == 0]
"""

FAILOVER = """
version: 1
name: failover
system: queue
duration: 12s
drain: 30s
seed: 1
workload:
  arrivals: {process: constant, rate: 2/s}
  task: {duration: {distribution: constant, value: 300ms}}
queue:
  workers: 2
  retry: {max_attempts: 3, backoff: [500ms]}
faults:
  - {name: database, type: %s, service: database, at: 5s%s}
evidence: lenient
slos: [lost_tasks == 0, excess_attempts == 0]
"""


def need(name: str) -> None:
    """Skip where the environment of an adapter is not there."""
    if not environment_of(name).python.exists():
        pytest.skip(f"no environment {name} (soak target env {name})")


def verdict_of(text: str, out: Path, *options: str) -> Verdict:
    """Of a run of a scenario into a directory."""
    scenario = out.with_suffix(".yaml")
    scenario.write_text(text, encoding="utf-8")
    done = soak("run", scenario, "--out", out, *options)
    assert (out / "verdict.json").exists(), done.stdout + done.stderr
    return msgspec.json.decode((out / "verdict.json").read_bytes(), type=Verdict)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", ["t11", "p1", "d1", "d2", "s1", "s2", "s3"])
def test_a_truth_and_its_control_come_out_as_meant(name: str, tmp_path: Path) -> None:
    cases = truths(TRUTHS, [name])
    need(cases[0].target)
    assert [case.side for case in cases] == [Side.TRUTH, Side.CONTROL]
    results = run_cases(cases, tmp_path, lambda result: None)
    assert [result.as_meant for result in results] == [True, True], results


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("name", "options"),
    [("dbos", {}), ("temporal", {"heartbeat": 2}), ("procrastinate", {"heartbeat": 1, "stalled": 3})],
)
def test_crashes_and_errors_together_leave_nothing_to_find(name: str, options: dict[str, int], tmp_path: Path) -> None:
    need(name)
    words = [word for option, value in options.items() for word in ("--option", f"{option}={value}")]
    verdict = verdict_of(SCENARIO, tmp_path / "run", "--target", name, *words)
    assert verdict.verdict is Outcome.PASS, verdict.reasons


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("fault", "more"), [("database_failover", ", for: 2s"), ("connections_kill", "")])
def test_procrastinate_outlives_its_database(fault: str, more: str, tmp_path: Path) -> None:
    need("procrastinate")
    options = ("--option", "heartbeat=1", "--option", "stalled=3")
    verdict = verdict_of(FAILOVER % (fault, more), tmp_path / "run", "--target", "procrastinate", *options)
    assert verdict.verdict is not Outcome.ABORTED
    assert {each.name for each in verdict.faults if each.injected} == {"database"}
