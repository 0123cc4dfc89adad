"""The run before, of those with which a run can be compared like for like."""

import json
import os
import re
from pathlib import Path

import pytest

from soak.runner.cli import run_command
from soak.runner.evidence.directory import MANIFEST
from soak.runner.last_run import last_run

pytestmark = pytest.mark.usefixtures("undrawn")

SCENARIO = """version: 1
name: brief
system: queue
duration: 10m
seed: {seed}
tiers:
  short: {{duration: 8m}}
workload: {{arrivals: {{rate: 6/min}}, task: {{duration: {{distribution: constant, value: 2s}}}}}}
queue: {{workers: 2}}
slos: [success_rate >= 50%]
"""


def soak(place: Path, at: int, *words: str) -> Path:
    """A run whose verdict was written at `at`, which is its seed, too."""
    scenario = place.parent / "brief.yaml"
    scenario.write_text(SCENARIO.format(seed=at))
    assert run_command(["run", str(scenario), "--out", str(place), *words]) == 0
    os.utime(place / "verdict.json", (at, at))
    return place


def test_only_a_comparable_run_is_the_run_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, older = soak(tmp_path / "first", 1), soak(tmp_path / "older", 2)
    soak(tmp_path / "set", 3, "--set", "queue.workers=3")
    soak(tmp_path / "tier", 4, "--tier", "short")
    damaged = soak(tmp_path / "damaged", 5)
    (damaged / MANIFEST).write_text("{}")
    own = soak(tmp_path / "own", 6)
    assert last_run(own, "brief") == older
    assert last_run(tmp_path / "set", "brief") is None
    assert last_run(tmp_path / "tier", "brief") is None
    assert last_run(damaged, "brief") is None
    assert last_run(own, "another") is None
    told = capsys.readouterr().out
    found = re.findall(r"soak compare (\S+) (\S+) +# against the run before", told)
    pairs = [(first, older), (older, damaged), (older, own)]
    assert found == [(str(before), str(after)) for before, after in pairs]


def test_runs_of_another_speed_are_not_compared(tmp_path: Path) -> None:
    older, own = soak(tmp_path / "older", 1), soak(tmp_path / "own", 2)
    assert last_run(own, "brief") == older
    manifest = json.loads((own / MANIFEST).read_text())
    (own / MANIFEST).write_text(json.dumps({**manifest, "speed": 60.0}))
    assert last_run(own, "brief") is None
    (own / MANIFEST).write_text(json.dumps({**manifest, "verdict": None}))
    assert last_run(own, "brief") is None
