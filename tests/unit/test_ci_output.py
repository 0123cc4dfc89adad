"""What a CI service is told of a run: annotations at the lines of the scenario, and a chart in its summary."""

import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from soak.runner.ci_annotations import annotations_of
from soak.runner.cli import run_command
from soak.runner.job_chart import chart_of
from soak.runner.job_summary import job_summary_of
from soak.schemas.evidence.verdict import Status, Verdict
from soak.schemas.evidence.versions import decode_evidence
from soak.schemas.language.load import Loaded, load

SCENARIO = """version: 1
name: failing
system: queue
duration: 2h
workload: {arrivals: {rate: 10/min}, task: {duration: {distribution: exponential, mean: 14s}}}
queue: {workers: 4}
slos:
  - success_rate >= 90%
  - objective: latency_p95 <= 10s
    note: a promise
  - {objective: latency_p50 <= 60s, warn: "<= 1s"}
alerts:
  - name: never
    when: latency_p95 > 1h
    expect: fires
abort:
  - {name: slow, when: latency_p99 > 20s, window: 30m, then: fail}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ci")
    (folder / "failing.yaml").write_text(SCENARIO)
    assert run_command(["run", str(folder / "failing.yaml"), "--out", str(folder / "run")]) in {3, 4}
    return folder


def verdict_of(folder: Path) -> Verdict:
    path = folder / "run" / "verdict.json"
    return decode_evidence(path.read_bytes(), Verdict, path)


def loaded_from(folder: Path, *settings: str) -> Loaded:
    return load(folder / "failing.yaml", settings=settings)


def test_each_reason_is_at_its_line(ran: Path) -> None:
    found = list(
        annotations_of(verdict_of(ran), loaded_from(ran), {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(ran)})
    )
    lines = SCENARIO.splitlines()
    placed = {
        match[4]: (match[1], match[2], lines[int(match[3]) - 1])
        for match in (
            re.match(r"::(\w+) file=([^,]+),line=(\d+),col=\d+,title=soak ([^:]*)::.", each) for each in found
        )
        if match
    }
    assert len(placed) == len(found)
    objective = next(value for title, value in placed.items() if "latency_p95 <= 10s" in title)
    assert objective == ("error", "failing.yaml", "  - objective: latency_p95 <= 10s")
    alert = next(value for title, value in placed.items() if title.endswith(" never"))
    assert alert[2] == "  - name: never"
    abort = next(value for title, value in placed.items() if title.endswith(" slow"))
    assert abort[2].startswith("  - {name: slow")
    warning = placed["warning level%3A latency_p50 <= 60s"]
    assert warning == ("warning", "failing.yaml", '  - {objective: latency_p50 <= 60s, warn: "<= 1s"}')


def test_elsewhere_nothing_is_printed(ran: Path) -> None:
    assert list(annotations_of(verdict_of(ran), loaded_from(ran), {})) == []


def test_what_would_end_a_command_is_escaped(ran: Path) -> None:
    verdict = verdict_of(ran)
    [reason, *_] = verdict.typed_reasons
    hostile = type(reason)(reason.kind, "a,b:c\n::error::x", reason.status, "100 % at\r\nline: 1, 2\n::set-env::x")
    import msgspec

    changed = msgspec.structs.replace(verdict, typed_reasons=[hostile])
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(ran)}
    first = next(iter(annotations_of(changed, loaded_from(ran), environment)))
    assert first.endswith("::100 %25 at%0D%0Aline: 1, 2%0A::set-env::x")
    assert "a%2Cb%3Ac%0A%3A%3Aerror%3A%3Ax" in first
    assert "\n" not in first


def test_a_run_prints_them_beside_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    (tmp_path / "failing.yaml").write_text(SCENARIO)
    words = ["run", str(tmp_path / "failing.yaml"), "--set", "duration=30m", "--out", str(tmp_path / "run"), "--json"]
    run_command(words)
    said = capsys.readouterr()
    assert "::error file=failing.yaml,line=9,col=5,title=" in said.err
    assert "::error" not in said.out


def test_the_chart_has_the_broken_objective_with_its_limit(ran: Path) -> None:
    chart = chart_of(verdict_of(ran), ran / "run" / "metrics.csv")
    _, kind, title, across, up, values, limit, end = chart.splitlines()[1:]
    assert (kind, end) == ("xychart-beta", "```")
    assert 'title "latency_p95 ≤ 10s, worst minute of each ' in title
    assert across == '    x-axis "hours" 0 --> 2'
    low, high = map(float, up.split('y-axis "seconds" ')[1].split(" --> "))
    drawn = [float(each) for each in values.split("[")[1].rstrip("]").split(", ")]
    assert len(drawn) <= 60
    assert low <= 10 <= max(drawn) <= high
    assert {float(each) for each in limit.split("[")[1].rstrip("]").split(", ")} == {10.0}


@pytest.mark.parametrize(
    ("statuses", "drawn"),
    [
        ({"latency_p50": "INCONCLUSIVE", "latency_p95": "FAIL"}, "latency_p95 ≤ 10s"),
        ({"latency_p50": "INCONCLUSIVE"}, "latency_p50 ≤ 60s"),
        ({}, "latency_p95 ≤ 10s"),
    ],
)
def test_the_chart_has_what_is_broken_or_in_doubt_or_has_the_smallest_margin(
    ran: Path, statuses: dict[str, str], drawn: str
) -> None:
    margins = {"success_rate": 0.09, "latency_p50": 50.0, "latency_p95": 1.0}
    given = verdict_of(ran)
    objectives = [
        msgspec.structs.replace(each, status=Status(statuses.get(each.sli, "PASS")), margin=margins[each.sli])
        for each in given.objectives
    ]
    chart = chart_of(msgspec.structs.replace(given, objectives=objectives), ran / "run" / "metrics.csv")
    assert f'title "{drawn}' in chart


@pytest.mark.parametrize("content", [b"", b"t_s,done\n", b"t_s,done\n60,1\n", b"\xff\xfe", b"a,b\n1,2\n3,4\n"])
def test_nothing_to_draw_is_no_chart(ran: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.csv").write_bytes(content)
    assert chart_of(verdict_of(ran), tmp_path / "metrics.csv") == ""
    assert chart_of(verdict_of(ran), tmp_path / "not there.csv") == ""


def test_the_summary_has_the_chart_and_says_where_the_report_is(ran: Path) -> None:
    summary = job_summary_of(verdict_of(ran), loaded_from(ran).scenario, ran / "run")
    assert "```mermaid" in summary
    assert "run/report.html`" in summary
    assert ", check it: `soak verify " in summary


def test_a_title_stays_text_in_the_summary(ran: Path) -> None:
    named = replace(loaded_from(ran).scenario, title="<img src=x> | `a`")
    assert job_summary_of(verdict_of(ran), named).splitlines()[0].endswith(": &lt;img src=x> \\| 'a'")
