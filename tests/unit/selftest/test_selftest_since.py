"""Since when an objective was broken."""

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.verify import recompute
from soak.runner.judge.judge import Judge
from soak.runner.selftest import since
from soak.runner.selftest.since import broken_since
from soak.schemas.stream.identity import Identity

SCENARIO = """
    version: 1
    name: broken
    system: queue
    duration: 30m
    drain: 30m
    workload:
      arrivals: {process: constant, rate: 10/min}
      task: {duration: {distribution: constant, value: 4s}}
    queue: {workers: 4}
    faults:
      - {name: permanent, type: permanent_error, rate: 20%}
      - {name: twice, type: duplicate_enqueue, rate: 20%}
    slis:
      skipped: {count: task.skipped}
    slos:
      - success_rate >= 90%
      - latency_p95 <= 1h
      - skipped <= 10
      - skipped >= 1000
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("since")
    (path / "broken.yaml").write_text(textwrap.dedent(SCENARIO))
    assert run_command(["run", str(path / "broken.yaml"), "--out", str(path / "run")]) == 3
    return path / "run"


def test_it_is_judged_as_the_run_was(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[Identity | None] = []

    class Kept(Judge):
        """Keeps what it is told of the run."""

        def __init__(self, *scenario: Any, identity: Identity | None = None, **how: Any) -> None:
            known.append(identity)
            super().__init__(*scenario, identity=identity, **how)

    monkeypatch.setattr(since, "Judge", Kept)
    broken_since(RunDirectory.open(run), recompute(RunDirectory.open(run))[0])
    assert [each and (each.target, each.speed) for each in known] == [("simulation", 1.0)]


def test_it_is_the_instant_from_which_on_it_stayed_broken(run: Path) -> None:
    events = [json.loads(line) for line in (run / "soak_broken.jsonl").read_text().splitlines()]
    skipped = [event["t"] for event in events if event["type"] == "task.skipped"]
    good, broken_at_s = 0, None
    for place, event in enumerate(event for event in events if event["type"] in {"task.done", "task.failed"}):
        good += event["type"] == "task.done"
        if good / (place + 1) >= 0.9:
            broken_at_s = None
        elif broken_at_s is None:
            broken_at_s = event["t"]
    directory = RunDirectory.open(run)
    since_s = broken_since(directory, recompute(directory)[0])
    assert since_s == {"success_rate >= 90%": broken_at_s, "skipped <= 10": skipped[10]}
