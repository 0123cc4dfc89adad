"""The same file, seed and version give the same bytes; a fault or a worker more moves no draw."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from soak.schemas.language.load import load
from soak.simulation.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = ROOT / "scenarios" / "72h.yaml"
SHORT = ("--duration", "6h")


def run(out: Path, hash_seed: str, *more: str, exit_code: int = 0) -> Path:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "soak", "run", str(SCENARIO), *SHORT, "--out", str(out), *more]
    done = subprocess.run(command, env=environment, cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == exit_code
    return out


def events(directory: Path, type_: str) -> list[dict[str, Any]]:
    lines = (directory / "soak_72h.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["type"] == type_]


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    one, other = run(tmp_path / "one", "1"), run(tmp_path / "other", "2")
    for name in ("soak_72h.jsonl", "verdict.json", "alerts.json", "checkpoints.json", "metrics.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    for plot in (one / "plots").iterdir():
        assert plot.read_bytes() == (other / "plots" / plot.name).read_bytes(), plot.name


def test_another_seed_gives_another_run(tmp_path: Path) -> None:
    one, other = run(tmp_path / "one", "1"), run(tmp_path / "other", "1", "--seed", "15")
    assert events(one, "task.enqueued") != events(other, "task.enqueued")


def plan_of(*settings: str) -> Plan:
    return Plan(load(SCENARIO, settings=["duration=6h", *settings]).scenario)


def arrivals(plan: Plan) -> np.ndarray:
    return np.concatenate([chunk.due_s[chunk.number % 2 == 0] for chunk in plan.submissions()])


MORE_FAULTS = (
    "faults=[{name: crash, type: worker_crash, rate: 5%}, {name: transient, type: transient_error, rate: 10%}]"
)


@pytest.mark.parametrize("setting", [MORE_FAULTS, "faults=[]", "queue.workers=3", "workload.task.duration.p95=30s"])
def test_no_arrival_moves(setting: str) -> None:
    assert np.array_equal(arrivals(plan_of()), arrivals(plan_of(setting)))


def test_a_fault_added_at_the_end_changes_no_earlier_fate() -> None:
    before = plan_of("faults=[{name: transient, type: transient_error, rate: 10%}]")
    after = plan_of(
        "faults=[{name: transient, type: transient_error, rate: 10%}, {name: crash, type: worker_crash, rate: 5%}]"
    )
    for number in range(0, 4000, 2):
        for attempt in (1, 2):
            service_s, cause, within = before.fate(number, attempt, 0.0)
            changed = after.fate(number, attempt, 0.0)
            assert changed[0] == service_s
            assert not cause or changed == (service_s, cause, within)


def test_fates_do_not_depend_on_the_order_in_which_they_are_asked_for() -> None:
    one, other = plan_of(), plan_of()
    asked = [(number, attempt) for number in range(0, 200_000, 4_001) for attempt in (1, 2, 3)]
    fates = {ask: one.fate(ask[0] & ~1, ask[1], 0.0) for ask in asked}
    assert fates == {ask: other.fate(ask[0] & ~1, ask[1], 0.0) for ask in reversed(asked)}


def test_the_number_of_workers_changes_no_service_time(tmp_path: Path) -> None:
    many, few = (
        run(tmp_path / "many", "1"),
        run(tmp_path / "few", "1", "--set", "queue.workers=2", "--set", "evidence=lenient", exit_code=3),
    )

    def service(directory: Path) -> dict[tuple[str, int], float]:
        return {(event["task"], event["attempt"]): event["ran"] for event in events(directory, "execution.ended")}

    one, other = service(many), service(few)
    shared = one.keys() & other.keys()
    assert len(shared) > 2000
    assert all(one[key] == pytest.approx(other[key], abs=3e-6) for key in shared)
