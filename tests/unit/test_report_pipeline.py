"""The report of a pipeline: its tables and panels, and words that fit a system without tasks."""

import re
from pathlib import Path

import pytest

from soak.reports.data import read_run
from soak.runner.cli import run_command

SCENARIO = """\
version: 1
name: flow
system: pipeline
duration: 6m
drain: 1m
workload: {arrivals: {rate: 10/s}, kinds: [{name: A, share: 70%}, {name: B, share: 30%}]}
pipeline:
  processes:
    - {name: harvest, reads: source, writes: raw}
    - {name: signal, reads: raw, writes: signals, guarantee: at_most_once}
    - {name: broker, reads: signals, writes: orders, passes: confirmed}
  sinks: [{name: file, of: signals}, {name: db, of: signals, batch: {}}]
  alerts: {no_records: {for: 1m}}
faults:
  - {name: kill, type: process_kill, process: signal, at: 69s}
  - {name: quiet, type: source_silence, at: 2m, for: 2m}
checkpoints: {every: 3m}
slos: [health_green >= 90%, lost_records <= 100]
"""
ABORT = "abort: [{name: down, when: health_green < 95%, window: 20s}]\n"


def run(path: Path, text: str, code: int) -> Path:
    """The evidence of a run."""
    (path / "flow.yaml").write_text(text, encoding="utf-8")
    assert run_command(["run", str(path / "flow.yaml"), "--out", str(path / "run")]) == code
    return path / "run"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("flow"), SCENARIO, 0)


def summary(directory: Path) -> str:
    return (directory / "soak_summary.md").read_text(encoding="utf-8")


def test_records_are_counted_and_not_tasks(directory: Path) -> None:
    text, page = summary(directory), (directory / "report.html").read_text(encoding="utf-8")
    load = read_run(directory).verdict.load
    assert load.offered == load.planned == load.answered > 2000
    assert f"| records | {load.offered:,} sent of {load.offered:,} planned, {load.answered:,} stored |" in text
    assert f"<dt>records</dt><dd>{load.offered:,} sent of" in page
    for words in (text, re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)):
        assert not re.search(r"\b[Tt]asks?\b|\bDONE\b|\battempts?\b", words.partition("All indicators")[0])


def test_the_console_counts_records(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", str(directory.parent / "flow.yaml"), "--out", str(directory.parent / "again")]) == 0
    load = read_run(directory).verdict.load
    assert (
        f"  {load.offered:,} records sent, {load.answered:,} stored, 4 lost (in all sinks together)\n"
        in capsys.readouterr().out
    )


def test_the_console_says_what_was_lost_missed_and_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SCENARIO.replace("pipeline:\n", "pipeline:\n  source: {resume: false}\n").replace(
        "process_kill, process: signal, at: 69s", "source_disconnect, at: 69s, for: 5s"
    )
    run(tmp_path, text.replace("lost_records <= 100", "lost_records <= 200"), 0)
    assert re.search(r" stored, 104 lost \(in all sinks together\), 52 missed\n", capsys.readouterr().out)


def test_the_rows_of_the_console_are_aligned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, SCENARIO.replace("slos: [", "slos: ['sink_difference{figure=strong_ratio} <= 12.345%', "), 0)
    lines = capsys.readouterr().out.splitlines()
    (head,) = (line for line in lines if line.endswith("margin"))
    rows = lines[lines.index(head) + 1 :][:3]
    place = head.index("margin")
    assert all(row.startswith("  PASS") and row[place - 2 : place] == "  " and row[place] != " " for row in rows), rows


def test_there_are_tables_of_processes_sinks_alerts_and_the_shutdown(directory: Path) -> None:
    text = summary(directory)
    assert "| signal | 1 | 1 | 2s | 1s (1s) | 97.22% of 36 |" in text
    assert re.search(r"\| file \| [0-9,]+ \|", text)
    assert re.search(r"\| no_records \| no records for 1m \| 3m \| 5m \| 3m1s \| 5m1s \| 1s \| 0 \| 0 \|", text)
    assert "| 1 | broker | broker |\n| 2 | signal | signal |\n| 3 | harvest | harvest |" in text
    page = (directory / "report.html").read_text(encoding="utf-8")
    assert all(f">{title}</h2>" in page for title in ("Processes", "Sinks", "Alerts of the pipeline", "Shutdown"))


def test_what_a_fault_cost_is_told_in_records(directory: Path) -> None:
    text = summary(directory)
    assert "| fault | injected | lost | duplicated |" in text
    assert re.search(r"\| kill \| 69s \| 0s \|.*\| after ", text)
    assert re.search(r"\| kill \|.*\| \d+ records lost", text)
    assert "the moment at which it was healthy again and had passed something on" in text


def test_panels_are_of_records_by_sink_and_process(directory: Path) -> None:
    drawn = (directory / "plots" / "throughput.svg").read_text(encoding="utf-8")
    words = ("records per minute", "in file", "in db", "Records waiting for each process", "harvest", "Processes up")
    assert all(each in drawn for each in words)
    # A silence of the source is a fault: it is shaded, and no burst.
    assert ">burst<" not in drawn
    assert not (directory / "plots" / "errors.svg").exists()


def test_metrics_have_the_records_of_each_minute(directory: Path) -> None:
    run = read_run(directory)
    columns, sent = run.metrics.columns, run.verdict.load.offered
    assert columns["records_sent"].sum() == columns["stored:file"].sum() == sent
    # What the killed process held of a batch is in one of the sinks only.
    assert columns["records_lost"].sum() == sent - columns["stored:db"].sum() > 0
    assert columns["records_sent"][2] == columns["records_sent"][3] == 0
    assert columns["processes_up_max"].max() == 3
    assert columns["backlog:signal"].max() > 0


def test_an_incident_tells_of_records_and_names_parts(tmp_path: Path) -> None:
    text = (run(tmp_path, SCENARIO + ABORT, 4) / "incident.md").read_text(encoding="utf-8")
    assert re.search(r"\| extent \| [0-9,]+ records sent, [0-9,]+ stored \|", text)
    assert "Affected tasks" not in text
    assert re.search(r"\| process_kill \| \d+ \| .* \| signal \| due at 70s, fault kill \|", text)
    assert re.search(r"\| process.exited signal fault kill process_kill \|", text)
    assert re.search(r"\| probe.failed signal fault kill process_kill \|", text)
