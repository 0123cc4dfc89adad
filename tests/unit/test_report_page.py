"""report.html: one file, everything escaped, laid out for wide and narrow screens."""

import json
import re
import shutil
import subprocess
import textwrap
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest
from pages import charts

from soak.reports.data import read_metrics
from soak.reports.events import read_histories
from soak.reports.render import render
from soak.runner.cli import run_command
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.verdict import Verdict

EVIL = "<script>alert('x')</script>"
SCENARIO = f"""
    version: 1
    name: page
    title: "A run {EVIL}"
    description: "About {EVIL} & more"
    timezone: Asia/Seoul
    system: queue
    duration: 2h
    drain: 1h
    workload:
      arrivals: {{rate: 10/min}}
      task: {{duration: {{distribution: lognormal, median: 4s, p95: 10s}}}}
    queue: {{workers: 4}}
    faults:
      - {{name: transient, type: transient_error, rate: 10%, errors: [network, timeout]}}
      - {{name: dark, type: db_outage, at: 1h, for: 3m}}
    alerts:
      - {{name: backlog, when: oldest_pending > 1m, severity: warning}}
    slos: [success_rate >= 90%, latency_p95 <= 1s]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page")
    (path / "page.yaml").write_text(textwrap.dedent(SCENARIO))
    assert run_command(["run", str(path / "page.yaml"), "--out", str(path / "run")]) == 3
    return path / "run"


class Page(HTMLParser):
    """What a browser would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href"}]
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_the_verdict_comes_first_and_everything_is_there(run: Path) -> None:
    text = (run / "report.html").read_text()
    order = [
        "FAIL",
        "latency_p95 &lt;= 1s",
        '<h2 id="next">',
        '<h2 id="why">',
        '<h2 id="objectives">',
        '<h2 id="timeline">',
        '<h2 id="alerts">',
        '<h2 id="errors">',
        '<h2 id="slowest-tasks">',
        '<h2 id="review">',
    ]
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert "KST" in text
    assert "soak run scenario.yaml" in text


def test_what_the_run_says_is_text(run: Path) -> None:
    text = (run / "report.html").read_text()
    assert EVIL not in text
    assert "A run &lt;script&gt;" in text
    assert Page(text).tags.count("script") == 1


def test_a_task_and_a_cause_of_whatever_name_are_text(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "verdict.json"
    verdict = json.loads(path.read_text())
    verdict["slowest"][0]["task"] = EVIL
    verdict["errors"] = {EVIL: 3}
    verdict["alerts"][0]["name"] = EVIL
    verdict["reasons"] = [EVIL]
    path.write_text(json.dumps(verdict))
    text = render(tmp_path / "run")["report.html"].decode()
    assert EVIL not in text
    assert Page(text).tags.count("script") == 1
    assert text.count("&lt;script&gt;alert") >= 5


def test_it_needs_nothing_else(run: Path) -> None:
    text = (run / "report.html").read_text()
    assert all(link.startswith(("data:", "#")) for link in Page(text).links)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy and "default-src 'none'" in policy[1] and "http" not in policy[1]
    # An address in the script that draws is its author's, in the notice that names him.
    assert {*re.findall(r"https?://[\w./-]*", text)} <= {"https://github.com/leeoniya/uPlot"}
    assert "@import" not in text


def test_the_charts_have_every_minute(run: Path) -> None:
    text = (run / "report.html").read_text()
    drawn, metrics = charts(text), read_metrics(run / "metrics.csv")
    assert list(drawn) == [
        "Success rate, 30 min window", "Latency, 30 min window", "Faults, alerts and phases", "Tasks per minute",
        "Queue depth (PENDING)", "Busy workers", "Latency",
    ]  # fmt: skip
    depth = drawn["Queue depth (PENDING)"]
    assert depth["lines"][0]["values"].tolist() == metrics.get("queue_depth_max").tolist()
    assert depth["t"].tolist() == [*metrics.t_s[:-1], min(metrics.t_s[-1], depth["span"][1])]
    latency = drawn["Latency, 30 min window"]
    assert [line["name"] for line in latency["lines"]] == ["p50", "p95", "p99"]
    np.testing.assert_allclose(latency["lines"][1]["values"], metrics.get("latency_p95_s"), rtol=1e-6)
    assert [(limit["words"], limit["value"], limit["role"]) for limit in latency["limits"]] == [
        ("latency_p95 <= 1s", 1.0, "bad")
    ]
    assert [3600.0, 3780.0, "fault dark", "fault"] in depth["bands"]


def test_the_slowest_tasks_have_their_history(run: Path) -> None:
    verdict = json.loads((run / "verdict.json").read_text())
    slowest = verdict["slowest"]
    assert [each["latency_s"] for each in slowest] == sorted((each["latency_s"] for each in slowest), reverse=True)
    assert slowest[0]["latency_s"] == verdict["slis"]["latency_max"]
    text = (run / "report.html").read_text()
    history = text[text.index(f"task {slowest[0]['task']}:") :].split("</details>")[0]
    assert all(word in history for word in ("task.enqueued", "task.dispatched attempt 1", "task.retry", "task.done"))


def test_a_users_own_page_is_escaped_too(run: Path, tmp_path: Path) -> None:
    template = tmp_path / "mine.html.j2"
    template.write_text("<h1>{{ scenario.title }}</h1>{% for chart in charts %}{{ chart | svg }}{% endfor %}")
    text = render(run, template)["report.html"].decode()
    assert text.startswith("<h1>A run &lt;script&gt;")
    assert "<svg" in text


@pytest.mark.parametrize("width", [1200, 390])
def test_a_browser_shows_it_at_any_width(run: Path, tmp_path: Path, width: int) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here")
    # The page is shown in a frame of that width, and tells how wide it would like to be.
    page = (
        (run / "report.html")
        .read_text()
        .replace(
            "</body>",
            "<script>document.title = 'wide ' + document.documentElement.scrollWidth + ' of ' + innerWidth</script></body>",
        )
    )
    (tmp_path / "page.html").write_text(page)
    words = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
    ]
    words += [
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={max(width, 500)},900",
        "--dump-dom",
    ]
    frame = f'<iframe id="f" src="page.html" width="{width}" height="900"></iframe>'
    script = "<script>onload = () => document.title = document.getElementById('f').contentDocument.title</script>"
    (tmp_path / "frame.html").write_text(f"<html><head></head><body>{frame}{script}</body></html>")
    words += ["--allow-file-access-from-files"]
    done = subprocess.run(
        [chromium, *words, f"file://{tmp_path / 'frame.html'}"], capture_output=True, text=True, timeout=60, check=False
    )
    told = re.search(r"<title>wide (\d+) of (\d+)</title>", done.stdout)
    assert told, done.stdout[:500] + done.stderr[-500:]
    assert int(told[1]) <= int(told[2])


def test_a_history_holds_what_a_search_of_the_whole_stream_finds(run: Path) -> None:
    [stream] = run.glob("soak_*.jsonl")
    slowest = msgspec.json.decode((run / "verdict.json").read_bytes(), type=Verdict).slowest
    events = [json.loads(line) for line in stream.read_text().splitlines()]
    histories = read_histories(stream, slowest)
    assert len(histories) == len(slowest) > 0
    for task in slowest:
        expected = [event["t"] for event in events if event.get("task") == task.task]
        assert [happened.t_s for happened in histories[task.task]] == expected
        assert len(expected) >= 3


def test_a_history_names_the_line_that_is_damaged(run: Path, tmp_path: Path) -> None:
    [stream] = run.glob("soak_*.jsonl")
    slowest = msgspec.json.decode((run / "verdict.json").read_bytes(), type=Verdict).slowest
    lines = stream.read_bytes().splitlines(keepends=True)
    middle = len(lines) // 2
    for number in range(1, len(lines)):
        lines[number] = b"nonsense\n" if number >= middle - 500 else lines[number]
    (tmp_path / "stream.jsonl").write_bytes(b"".join(lines))
    with pytest.raises(EvidenceError, match=r"stream\.jsonl:\d+: is not an event \(this evidence is damaged\)"):
        read_histories(tmp_path / "stream.jsonl", slowest)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("run_manifest.json", r'"started_at": "[^"]*"', '"started_at": "x"'),
        ("run_manifest.json", r'"started_at": "[^"]*"', '"started_at": "2026-01-01T00:00:00"'),
        ("run_manifest.json", r'"speed": 1.0', '"speed": 0.0'),
        ("metrics.csv", r"^t_s", "time"),
    ],
)
def test_damaged_evidence_is_not_blamed_on_a_template(
    run: Path, tmp_path: Path, name: str, old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / name
    changed, count = re.subn(old, new, path.read_text(), count=1)
    assert count == 1
    path.write_text(changed)
    assert run_command(["report", str(tmp_path / "run")]) == 5
    assert name in capsys.readouterr().err


def test_work_that_takes_no_time_is_drawn(tmp_path: Path) -> None:
    """All latencies are 0, which no logarithmic scale has a place for; warnings are errors here."""
    (tmp_path / "instant.yaml").write_text(
        "{version: 1, name: instant, system: calls, duration: 5m, workload: {arrivals: {process: constant, rate: 10/min}},\n"
        "calls: {dependencies: [{name: primary, latency: {distribution: constant, value: 0ms}}]}, slos: [success_rate >= 10%]}"
    )
    assert run_command(["run", str(tmp_path / "instant.yaml"), "--out", str(tmp_path / "run")]) == 0
    assert "nan" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8").partition("<svg")[2].lower()
