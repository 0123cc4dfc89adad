"""Comparisons of two runs of a pipeline, which works on records: nothing is said of tasks, and rates are compared by parts."""

from pathlib import Path

import pytest

from soak.runner.cli import run_command

SCENARIO = """\
version: 1
name: flow
system: pipeline
duration: {duration}
drain: 1m
workload: {{arrivals: {{rate: 5/s}}}}
pipeline:
  processes: [{{name: harvest, reads: source, writes: raw}}]
  sinks: [{{name: file, of: raw}}]
  supervisor: {{health: {{every: 2s}}}}
faults: [{{name: kill, type: process_kill, process: harvest, at: 5s}}]
slos: [gap_records == 0]
"""


def run(folder: Path, duration: str, seed: int) -> Path:
    """The evidence of a run."""
    path, out = folder / "flow.yaml", folder / f"run-{duration}-{seed}"
    path.write_text(SCENARIO.format(duration=duration), encoding="utf-8")
    assert run_command(["run", str(path), "--seed", str(seed), "--out", str(out)]) == 0
    return out


def compared(folder: Path, base: Path, other: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The exit code, what the console says and what changes.md does."""
    capsys.readouterr()
    code = run_command(["compare", str(base), str(other), "--out", str(folder / "out")])
    return code, capsys.readouterr().out, (folder / "out" / "changes.md").read_text(encoding="utf-8")


def test_rates_of_a_pipeline_are_compared_by_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, text = compared(tmp_path, run(tmp_path, "10m", 1), run(tmp_path, "10m", 2), capsys)
    assert code == 0
    assert "NOT REGRESSED  flow\n" in said
    assert "not compared record by record: records of a pipeline are not followed one by one" in said
    assert "| UNCHANGED | `latency_p95` |" in text
    assert "| UNCHANGED | `health_green` |" in text
    assert "## Record by record" in text
    assert "tasks are due" not in said + text


def test_where_nothing_was_compared_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, text = compared(tmp_path, run(tmp_path, "6s", 1), run(tmp_path, "10m", 1), capsys)
    assert code == 5
    assert said.startswith("NOTHING COMPARED  flow\n  0 SLIs tested")
    assert "# flow: nothing compared\n\nNothing could be compared: " in text


def test_parity_of_pipelines_does_not_speak_of_tasks(tmp_path: Path) -> None:
    base = run(tmp_path, "10m", 1)
    assert run_command(["compare", "--parity", str(base), str(base), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "parity.md").read_text(encoding="utf-8")
    assert "AGREES" in text
    assert "task" not in text.lower()
