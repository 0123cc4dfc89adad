"""Tails in reports: a table and a plot of what is stated, a reason where nothing is, and nothing for earlier evidence."""

from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from pages import tables

from soak.reports.data import RunData, read_run
from soak.reports.plots import render_plots
from soak.reports.run_page.page import render_page
from soak.reports.summary import render_summary
from soak.reports.tails import basis, often
from soak.runner.cli import run_command
from soak.schemas.evidence.tails import ReturnLevel, Tail

SCENARIO = """
version: 1
name: short
system: queue
duration: 10m
workload:
  arrivals: {rate: 6/min}
  task: {duration: {distribution: constant, value: 5s}}
slos: [success_rate >= 90%]
"""
STATED = Tail(
    sli="latency_max",
    labels={"tenant": "A"},
    unit="duration",
    samples=20_000,
    span_s=86_400.0,
    clusters=300,
    withheld="",
    threshold=60.0,
    extremal_index=0.8,
    scale=30.0,
    shape=-0.1,
    shape_interval=(-0.2, -0.01),
    fit_p=0.9,
    end=360.0,
    p999=90.0,
    p999_interval=(80.0, 101.0),
    levels=[ReturnLevel(86_400.0, 190.0, (170.0, 240.0)), ReturnLevel(2_592_000.0, 240.0, (200.0, 330.0))],
    peaks=[200.0, 180.0, 170.0],
)


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run."""
    path = tmp_path_factory.mktemp("tails")
    (path / "short.yaml").write_text(SCENARIO)
    assert run_command(["run", str(path / "short.yaml"), "--out", str(path / "run")]) == 0
    return path / "run"


def with_tails(directory: Path, *tails: Tail) -> RunData:
    """The run, as if its verdict had these tails."""
    run = read_run(directory)
    return replace(run, verdict=msgspec.structs.replace(run.verdict, tails=list(tails)))


def test_both_reports_state_it(run_directory: Path) -> None:
    run = with_tails(run_directory, STATED, Tail("wait_max", {}, "duration", 60, 600.0, 3, "3 of at least 50"))
    plots = render_plots(run)
    assert "tails.svg" in plots
    assert b"latency_max{tenant=A}" in plots["tails.svg"]
    summary = render_summary(run, list(plots))
    assert "| SLI | 99.9 % are at most | once a day | once a month (30 d) |" in summary
    assert "| `latency_max{tenant=A}` | 90s (80s to 101s) | 190s (170s to 240s) | 240s (200s to 330s) |" in summary
    assert "- `wait_max`: no statement: 3 of at least 50." in summary
    page = render_page(run, run_directory, plots)
    assert ["latency_max{tenant=A}", "90s (80s to 101s)", "190s (170s to 240s)", "240s (200s to 330s)"] in tables(page)[
        "Tails"
    ]
    assert "<code>wait_max</code>: no statement: 3 of at least 50." in page
    assert 'alt="values passed once in a period' in page


def test_nothing_stated_is_no_table_and_no_plot(run_directory: Path) -> None:
    run = with_tails(run_directory, Tail("wait_max", {}, "duration", 60, 600.0, 3, "3 of at least 50"))
    assert "tails.svg" not in render_plots(run)
    summary = render_summary(run, [])
    assert "- `wait_max`: no statement: 3 of at least 50." in summary
    assert "99.9 % are at most" not in summary


def test_earlier_evidence_has_no_section(run_directory: Path) -> None:
    run = with_tails(run_directory)
    assert "Tails" not in render_summary(run, [])
    assert "Tails" not in render_page(run, run_directory, {})


def test_what_a_statement_rests_on() -> None:
    assert basis(STATED) == (
        "300 independent peaks above 60s, shape -0.1 (-0.2 to -0.01), p of fit 0.9 or more; "
        "no value above 360s if the shape is right"
    )
    assert often(1800.0) == "once in 30m"
