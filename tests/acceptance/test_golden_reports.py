"""Reports as they are: a change shows as a difference. `pytest --update-expected` writes them anew; read what it wrote."""

from pathlib import Path

import msgspec
import pytest

from soak.reports.data import RunData, read_run
from soak.reports.plots import PLOTS
from soak.reports.summary import render_incident, render_summary
from soak.runner.cli import run_command
from soak.runner.summary import summary_lines
from soak.schemas.language.load import load

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"

REPORTS = {
    "db-lock": ("scenarios/failures/db-lock.yaml", 0),
    "abort-stalled": ("scenarios/aborts/stalled.yaml", 4),
    "two-workers": ("scenarios/72h.yaml", 3),
    "pipeline-hang": ("scenarios/pipeline/hang.yaml", 0),
}
SETTINGS = {"two-workers": ["--set", "queue.workers=2", "--duration", "24h"]}


def run(name: str, out: Path) -> RunData:
    """The run with what differs from machine to machine made the same."""
    path, exit_code = REPORTS[name]
    assert run_command(["run", str(ROOT / path), "--out", str(out), *SETTINGS.get(name, [])]) == exit_code
    data = read_run(out)
    manifest = msgspec.structs.replace(
        data.manifest,
        started_at="2026-01-01T00:00:00Z",
        wall_s=1.5,
        user="someone",
        host="somewhere",
        platform="some system",
        python="3.11",
        versions={"soak": "0"},
        git=None,
    )
    return msgspec.structs.replace(data, manifest=manifest)


def assert_golden(request: pytest.FixtureRequest, path: Path, text: str) -> None:
    if request.config.getoption("--update-expected", default=False):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REPORTS)
def test_report(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    data = run(name, tmp_path / "run")
    assert_golden(
        request,
        GOLDEN / f"{name}.md",
        render_summary(data, [name for name in PLOTS if name != "processes.svg"]),
    )
    loaded = load(tmp_path / "run" / "scenario.yaml")
    assert_golden(request, GOLDEN / f"{name}.txt", summary_lines(loaded, data.verdict, Path("runs", name)) + "\n")
    if data.verdict.end.value == "aborted":
        assert_golden(request, GOLDEN / f"{name}.incident.md", render_incident(data, tmp_path / "run"))
