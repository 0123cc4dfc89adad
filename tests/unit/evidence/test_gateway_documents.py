"""The files of a gateway's evidence, of a run: sealed, verified, shown in the report."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pages import tables

from soak.reports.data import read_run
from soak.reports.look.svg import draw
from soak.reports.plots.canvas import within
from soak.reports.render import render
from soak.reports.run_page.objective_charts import objective_charts
from soak.runner.cli import run_command
from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.verify import verify
from soak.runner.job_summary import job_summary_of
from soak.runner.summary import summary_lines
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.language.load import load

SCENARIO = """
version: 1
name: two
system: gateway
duration: 2m
seed: 1
workload:
  users: {think: {distribution: exponential, mean: 1s}}
  tenants: [{name: A}, {name: B}]
  kinds: [{name: reads, share: 100%, request: {path: /}}]
phases:
  - {name: calm, for: 1m, users: {A: 5, B: 5}}
  - {name: burst, for: 1m, users: {A: 60, B: 5}}
gateway: {workers: 2, limits: {rate: 20/s, burst: 5}}
slos: [requests >= 1, "jain_index{phase=*} >= 0.5"]
"""
FILES = ("latency.json", "comparison.json", "errors.log")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / "two.yaml").write_text(SCENARIO, encoding="utf-8")
    run_command(["run", str(folder / "two.yaml"), "--out", str(folder / "out")])
    return folder / "out"


def test_all_are_there_and_sealed_and_computed_again(run: Path) -> None:
    assert set(FILES) <= RunDirectory(run).read_checksums().keys()
    found = {each.what: each.problem for each in verify(RunDirectory(run))[0]}
    assert not any(found.values()) and all(f"{name} recomputed" in found for name in FILES)


def test_a_line_that_was_changed_is_found(run: Path) -> None:
    path = run / "errors.log"
    before = path.read_bytes()
    assert b"throttled" in before
    path.write_bytes(before.replace(b"throttled", b"timeout", 1))
    try:
        found = {each.what: each.problem for each in verify(RunDirectory(run))[0]}
    finally:
        path.write_bytes(before)
    assert found["errors.log recomputed"].startswith("line ")


def test_no_request_waits_to_be_sent(run: Path) -> None:
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows and all(float(row["queue_depth"]) == float(row["queue_depth_max"]) == 0 for row in rows)


def test_the_report_has_the_tenants_of_each_phase(run: Path) -> None:
    report = json.loads((run / "comparison.json").read_text(encoding="utf-8"))
    summary, page = ((run / name).read_text(encoding="utf-8") for name in ("soak_summary.md", "report.html"))
    assert "## Tenants by phase" in summary and "Tenants by phase" in page
    for phase in report["phases"]:
        for tenant in phase["tenants"]:
            assert f"| {phase['phase']} | {tenant['tenant']} | {tenant['requests']:,} |" in summary
    assert {"tenants_latency.svg", "tenants_throughput.svg"} <= {path.name for path in (run / "plots").iterdir()}


PLAIN = """
version: 1
name: plain
system: gateway
duration: 90s
seed: 1
workload:
  arrivals: {rate: 20/s}
  kinds:
    - {name: reads, share: 70%, request: {path: /}}
    - {name: writes, share: 30%, request: {path: /w}}
gateway: {limits: {rate: 10/s, burst: 5}}
slos: [requests >= 1, success_rate == 100%]
"""


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without tenants or phases, some of whose requests are refused."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "plain.yaml").write_text(PLAIN, encoding="utf-8")
    run_command(["run", str(folder / "plain.yaml"), "--out", str(folder / "out")])
    return folder / "out"


def test_the_report_has_the_requests_of_each_kind(plain: Path) -> None:
    found = json.loads((plain / "latency.json").read_text(encoding="utf-8"))["latencies"]
    summary, page = ((plain / name).read_text(encoding="utf-8") for name in ("soak_summary.md", "report.html"))
    assert "## Requests\n" in summary and ">Requests</h2>" in page
    assert "Tenants by phase" not in summary + page and "Latency by tenant" not in page
    for kind in ("reads", "writes", None):
        (each,) = (one for one in found if (one["tenant"], one["kind"], one["phase"]) == (None, kind, None))
        assert each["errors"] == each["by_error"]["throttled"] > 0
        line = f"| {kind or 'all'} | {each['count']:,} | "
        assert line in summary and f" | throttled {each['errors']:,} | " in summary.split(line)[1].split("\n")[0]
        (row,) = (row for row in tables(page)["Requests by kind"] if row[0] == (kind or "all"))
        assert row[1] == f"{each['count']:,}" and row[3] == f"throttled {each['errors']:,}"


def test_requests_that_failed_are_told_as_requests(plain: Path) -> None:
    verdict = json.loads((plain / "verdict.json").read_text(encoding="utf-8"))
    summary, page = ((plain / name).read_text(encoding="utf-8") for name in ("soak_summary.md", "report.html"))
    (why,) = (each for each in verdict["explanation"] if each["subject"] == "success_rate == 100%")
    (cases,) = why["cases"]
    first = cases["first"][0]
    assert cases["cause"] == "throttled" and first["before"] == first["after"] == ""
    assert first["detail"] in {"status 429, kind reads", "status 429, kind writes"}
    assert f"First: request {first['task']} at " in why["text"] and first["detail"] in why["text"]
    assert f"| {first['task']} | {first['detail']} |" in summary
    failed, well = verdict["tasks"]["FAILED"], verdict["tasks"]["DONE"]
    said = f"{well:,} well, {failed:,} failed"
    assert f"| requests | {well + failed:,} sent: {said} |" in summary and said in page
    line = f"{well + failed:,} requests: {said}"
    loaded = load(plain / "scenario.yaml")
    made = decode_evidence((plain / "verdict.json").read_bytes(), Verdict, plain)
    console, job = summary_lines(loaded, made, plain), job_summary_of(made, loaded.scenario)
    assert f"\n  {line}\n" in console and line in job
    assert f"throttled, {failed:,}: request {first['task']} at " in console and "PENDING" not in console
    simulated = "imulated: a model answered the requests, no service was asked"
    assert all(simulated in text for text in (console, job, summary, page))
    assert "IN_PROGRESS" not in summary and "<th>worker</th>" not in page and "Slowest requests" in page


def test_reasons_that_a_real_run_keeps_are_shown_with_their_files(plain: Path, tmp_path: Path) -> None:
    copy = tmp_path / "out"
    shutil.copytree(plain, copy)
    (copy / "system").mkdir()
    line = '{"t": %s, "task": "%s", "error": "%s", "status": %s, "reason": "%s"}\n'
    said = [(3, "5", "server_error", 500, "status 500, <b>"), (1, "2", "timeout", 0, "none in 10s")]
    said += [(2, "4", "server_error", 500, "status 500, <b>")]
    (copy / "system" / "errors.jsonl").write_text("".join(line % each for each in said) + '{"t"', encoding="utf-8")
    files = render(copy)
    summary, page = files["soak_summary.md"].decode(), files["report.html"].decode()
    assert "| server_error | status 500, &lt;b> | 2 | 2s | 4 |\n| timeout | none in 10s | 1 | 1s | 2 |\n" in summary
    assert "[errors.log](errors.log), [system/errors.jsonl](system/errors.jsonl)" in summary
    assert "status 500, &lt;b&gt;</td>" in page and '<a href="system/errors.jsonl">' in page
    assert '<a href="errors.log">' in (plain / "report.html").read_text(encoding="utf-8")


def test_plots_of_a_short_run_end_with_it_and_name_no_window_that_is_longer(plain: Path) -> None:
    [chart] = [each for each in objective_charts(read_run(plain)) if each.word == "latency" or "Latency" in each.title]
    assert chart.title == "Latency, since the start"
    assert ">30s</text>" in draw(chart)
    metrics = read_run(plain)
    points_s, values = within(metrics, np.array([60.0, 120.0]), np.array([1.0, 2.0]))
    assert points_s.tolist() == [60.0, metrics.verdict.ended_s] and values.tolist() == [1.0, 2.0]
    points_s, values = within(metrics, np.array([120.0]), np.array([3.0]))
    assert points_s.tolist() == [0.0, metrics.verdict.ended_s] and values.tolist() == [3.0, 3.0]
    for name in ("latency.svg", "success.svg", "tenants_latency.svg"):
        drawn = (plain / "plots" / name).read_text(encoding="utf-8")
        assert "scenario time [s]" in drawn and "30 min window" not in drawn


def test_the_title_of_a_growth_plot_leaves_room_for_its_legend(plain: Path) -> None:
    drawn = (plain / "plots" / "growth.svg").read_text(encoding="utf-8")
    assert ">Latency</text>" in drawn and "fitted to means of tasks: " in drawn and "medians of up to 30 min" in drawn
