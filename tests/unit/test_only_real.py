"""Objectives for real runs only, and runs that judge what was recorded elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from soak.runner.cli import run_command

SCENARIO = """
version: 1
name: short
system: queue
duration: 2m
drain: 1m
seed: 3
workload: {arrivals: {rate: 30/min}, task: {duration: {distribution: constant, value: 1s}}}
slos:
  - success_rate >= 99%
  - {objective: rss <= 1MB, only: real}
"""


def document(directory: Path, name: str = "verdict.json") -> Any:
    return json.loads((directory / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    (folder / "short.yaml").write_text(SCENARIO, encoding="utf-8")
    assert run_command(["run", str(folder / "short.yaml"), "--out", str(folder / "run")]) == 0
    return folder / "run"


def test_a_simulation_passes_without_them_and_names_them(simulated: Path) -> None:
    verdict = document(simulated)
    assert verdict["verdict"] == "PASS"
    assert [each["objective"] for each in verdict["objectives"]] == ["success_rate >= 99%"]
    assert verdict["not_judged"] == ["rss <= 1MB"]
    assert "not judged in a simulation: `rss <= 1MB`" in (simulated / "soak_summary.md").read_text(encoding="utf-8")
    assert run_command(["verify", str(simulated)]) == 0


def test_replications_are_judged_without_them(simulated: Path, tmp_path: Path) -> None:
    scenario = str(simulated / "scenario.yaml")
    assert run_command(["predict", scenario, "-n", "2", "--out", str(tmp_path / "predicted")]) == 0
    found = document(tmp_path / "predicted", "prediction.json")["objectives"]
    assert [each["objective"] for each in found] == ["success_rate >= 99%"]


def test_what_was_recorded_is_judged_by_all_of_them(simulated: Path, tmp_path: Path) -> None:
    """The events are those of the simulation, which has no memory: not knowing it keeps the run from PASS."""
    scenario, stream = str(simulated / "scenario.yaml"), simulated / "soak_short.jsonl"
    assert run_command(["run", scenario, "--replay", str(stream), "--out", str(tmp_path / "again")]) == 5
    again, before = document(tmp_path / "again"), document(simulated)
    assert (again["target"], again["clock"]) == ("recorded", "recorded")
    assert [each["status"] for each in again["objectives"]] == ["PASS", "INCONCLUSIVE"]
    assert "not_judged" not in again
    assert (again["slis"], again["tasks"], again["load"]) == (before["slis"], before["tasks"], before["load"])
    assert run_command(["verify", str(tmp_path / "again")]) == 0
    assert document(tmp_path / "again", "run_manifest.json")["reproduce"] == (
        "soak run scenario.yaml --seed 3 --out ../short-again --replay soak_short.jsonl"
    )


def test_events_need_no_header(simulated: Path, tmp_path: Path) -> None:
    lines = (simulated / "soak_short.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "events.jsonl").write_text("".join(lines[1:]), encoding="utf-8")
    scenario, events = str(simulated / "scenario.yaml"), str(tmp_path / "events.jsonl")
    assert run_command(["run", scenario, "--replay", events, "--out", str(tmp_path / "again")]) == 5
    assert document(tmp_path / "again")["slis"] == document(simulated)["slis"]


@pytest.mark.parametrize(
    ("options", "content", "code", "words"),
    [
        (["--target", "orchestrator"], "", 2, "--replay judges what was recorded"),
        (["--engine", "compiled"], "", 2, "--replay judges what was recorded"),
        ([], None, 2, "(give a file of events, as JSON lines)"),
        ([], "nonsense\n", 1, "events.jsonl:1: not an event"),
        ([], '{"t": 1, "type": "task.finished"}\n', 1, "events.jsonl:1: unknown event type 'task.finished'"),
    ],
)  # fmt: skip
def test_what_cannot_be_replayed_is_refused(
    simulated: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    content: str | None,
    code: int,
    words: str,
) -> None:
    events = tmp_path / "events.jsonl"
    if content is not None:
        events.write_text(content, encoding="utf-8")
    command = ["run", str(simulated / "scenario.yaml"), "--replay", str(events), "--out", str(tmp_path / "again")]
    assert run_command([*command, *options]) == code
    assert words in capsys.readouterr().err
