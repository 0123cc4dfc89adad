"""`soak history`: what is in the page, that nothing breaks out of it, and that nothing else is written."""

import hashlib
import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from run_folders import run_folder, write

from soak.reports.run_history.page import render_history
from soak.reports.run_history.trends import draw_trend
from soak.runner.cli import run_command
from soak.runner.history.session import read_history
from soak.schemas.evidence.runs import History, Trend

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def folder_of(tmp_path: Path, count: int = 60, at: int = 30) -> Path:
    folder = tmp_path / "runs"
    for place in range(count):
        value = 80.0 + place % 3 + (40.0 if place >= at else 0.0)
        day = f"2026-03-{1 + place // 24:02}T{place % 24:02}:00:00Z"
        git = {"sha": f"{place // 10:02}" * 20, "dirty": False}
        made = run_folder(
            folder / f"run-{place:03}", values={"latency_p95": value}, started_at=day, git=git, seed=place
        )
        write(made, "report.html", "")
    return folder


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return read_history(folder_of(tmp_path_factory.mktemp("many")))


class Page(HTMLParser):
    """What a browser makes of a page: elements, text and links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.links: list[str] = []
        self.attributes: list[str] = []
        self.rows: list[list[str]] = []
        self._within: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")
        self._within.append(tag)

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and self._within[-1:] not in (["script"], ["style"]):
            self.rows[-1][-1] += data.strip()


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r"const HISTORY = (\{.*\});\n", page)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_says_first_what_changed_and_with_which_commit(history: History) -> None:
    page = render_history(history, "")
    assert "latency_p95 &lt;= 10m of brief on simulation went from 81s to 121s with run-030 (commit 03030303)" in page
    changes = next(row for row in Page(page).rows if row and row[0].startswith("latency_p95") and "run-030" in row[3])
    assert changes[1:3] == ["81s", "121sworse"]
    assert changes[4] == f"commit {'02' * 6}, then {'03' * 6}"


def test_every_run_is_a_row_with_a_link_to_its_report_without_any_script(history: History) -> None:
    page = Page(render_history(history, "../all runs"))
    rows = [row for row in page.rows if len(row) == 8]
    assert [row[1].removesuffix(" UTC")[:7] for row in rows[1:]] == [f"run-{place:03}" for place in range(59, -1, -1)]
    assert rows[1][0] == "✓PASS"
    assert "../all%20runs/run-059/report.html" in page.links


def test_what_the_script_compares_is_what_the_evidence_says(history: History) -> None:
    data = data_of(render_history(history, ""))
    newest = data["runs"][0]
    assert newest["name"] == "run-059"
    assert newest["folder"].endswith("/runs/run-059")
    success, latency, _ = newest["objectives"]
    assert [data["texts"][each[1]] for each in (success, latency)] == ["success_rate >= 90%", "latency_p95 <= 10m"]
    assert latency[2:] == ["PASS", "122s", "80%", "122s to 122s"]
    assert data["environments"][newest["environment"]]["python"]
    assert len(data["environments"]) == 1


def test_the_page_asks_nothing_of_a_network(history: History) -> None:
    page = render_history(history, "")
    assert not [link for link in Page(page).links if "//" in link]
    assert "default-src 'none'" in page


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    name = "<script>alert(1)<"
    made = run_folder(tmp_path / name, target=HOSTILE, tier=HOSTILE, git={"sha": HOSTILE, "dirty": False}, host=HOSTILE)
    write(made, "report.html", "")
    (tmp_path / "javascript:alert(1)").mkdir()
    run_folder(tmp_path / "javascript:" / "x")
    page = render_history(read_history(tmp_path), "")
    parsed = Page(page)
    assert parsed.elements.count("script") == 1
    assert "img" not in parsed.elements
    assert not [name for name in parsed.attributes if name.startswith("on")]
    assert not [link for link in parsed.links if link.startswith("javascript:")]
    assert HOSTILE in {run["facts"]["target"] for run in data_of(page)["runs"]}
    assert "%3Cscript%3Ealert%281%29%3C/report.html" in parsed.links


def trends(history: History) -> Iterator[Trend]:
    for series in history.series:
        yield from series.trends


def test_a_trend_draws_every_run_its_limit_and_the_commit_of_a_change(history: History) -> None:
    success, latency, _ = trends(history)
    runs = {row.path: row for row in history.runs}
    svg = str(draw_trend(latency, runs))
    dots = re.search(r'class="dot" d="([^"]*)"', svg)
    assert dots
    assert dots[1].count("M") == 60
    assert svg.count('class="change"') == 1
    assert ">03030303<" in svg
    assert "limit &lt;= 10m (outside the picture, above)" in svg
    assert 'class="limit"' in str(draw_trend(success, runs))


def test_broken_values_have_a_mark_of_their_own(tmp_path: Path) -> None:
    run_folder(tmp_path / "a", started_at="2026-01-01T00:00:00Z")
    run_folder(tmp_path / "b", started_at="2026-01-02T00:00:00Z", failed="latency_p95", values={"latency_p95": 900.0})
    found = read_history(tmp_path)
    _, latency, _ = trends(found)
    svg = str(draw_trend(latency, {row.path: row for row in found.runs}))
    assert 'class="broken"' in svg
    assert re.search(r'<path class="limit" d="M[^"]*H[^"]*"', svg)


def test_of_few_runs_the_page_says_that_nothing_can_be_said(tmp_path: Path) -> None:
    run_folder(tmp_path / "one")
    page = render_history(read_history(tmp_path), "")
    assert "Nothing can be said yet of changes between runs: 22 runs of one scenario and target are needed." in page
    assert "1 run: nothing is said about changes of fewer than 22" in page


def test_a_folder_without_runs_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    page = render_history(read_history(tmp_path), "")
    assert "no runs; 1 other folder." in page
    assert "not a run directory" in page


# In a browser.


def browse(page: str, folder: Path, script: str, width: int = 1280) -> str:
    """The document after a script of a reader's actions, as Chromium has it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium here")
    file = folder / "page.html"
    file.write_text(page.replace("</body>", f"<script>{script}</script></body>"))
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom", file.as_uri()]
    words += [f"--user-data-dir={folder / 'profile'}"]
    return subprocess.run([chromium, *words], capture_output=True, text=True, timeout=60, check=True).stdout


def test_two_runs_are_compared_and_rows_filtered_in_the_page(history: History, tmp_path: Path) -> None:
    script = """
        for (const place of [0, 40]) document.querySelector(`input[data-run="${place}"]`).click();
        const search = document.querySelector("#filters input");
        search.value = "run-01 0101"; search.dispatchEvent(new Event("input"));
        const shown = [...document.querySelectorAll("#run-table tbody tr")].filter(row => !row.hidden);
        document.title = shown.length + " rows; " + document.getElementById("comparison").innerText;
    """
    dom = browse(render_history(history, ""), tmp_path, script)
    title = re.search("<title>(.*?)</title>", dom, re.DOTALL)
    assert title
    told = html.unescape(title[1])
    assert told.startswith("10 rows; ")
    assert re.search(r"latency_p95 <= 10m\s+✓ PASS 81s\s+margin 86%; interval 81s to 81s\s+✓ PASS 122s", told)
    assert re.search("commit\\s+(01){20}\\s+(05){20}", told)
    older, newer = (row.path for row in (history.runs[40], history.runs[0]))
    assert f"soak compare {history.folder}/{older} {history.folder}/{newer}" in told


def test_hostile_names_stay_text_in_the_script_too(tmp_path: Path) -> None:
    for name, failed in (("a", ""), ("b", "latency_p95")):
        run_folder(tmp_path / name, target=HOSTILE, host=f"{HOSTILE}{name}", failed=failed)
    script = """
        for (const each of document.querySelectorAll("input[data-run]")) each.click();
        document.querySelector("figure.trend .still").dispatchEvent(new KeyboardEvent("keydown", { key: "End" }));
        document.title = document.images.length + " images " + document.scripts.length + " scripts";
    """
    dom = browse(render_history(read_history(tmp_path), ""), tmp_path, script)
    assert "<title>0 images 2 scripts</title>" in dom


# The command.


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_only_the_page_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path / "runs" / "one")
    before = contents(tmp_path)
    assert run_command(["history", str(tmp_path / "runs")]) == 0
    assert capsys.readouterr().out.endswith(f"  page: {tmp_path}/runs/index.html\n")
    after = contents(tmp_path)
    assert after.keys() - before.keys() == {"runs/index.html"}
    assert {name: after[name] for name in before} == before
    assert run_command(["history", str(tmp_path / "runs")]) == 0
    assert contents(tmp_path) == after


def test_links_lead_from_the_page_to_the_runs(tmp_path: Path) -> None:
    write(run_folder(tmp_path / "runs" / "one"), "report.html", "")
    assert run_command(["history", str(tmp_path / "runs"), "--out", str(tmp_path / "public" / "all.html")]) == 0
    page = tmp_path / "public" / "all.html"
    links = [link for link in Page(page.read_text()).links if link.endswith("report.html")]
    assert links
    assert all((page.parent / link).is_file() for link in links)


def test_no_evidence_and_no_other_page_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path / "one")
    assert run_command(["history", str(folder)]) == 2
    assert "whose evidence must not change" in capsys.readouterr().err
    (tmp_path / "index.html").write_text("mine")
    assert run_command(["history", str(tmp_path)]) == 2
    assert "soak history did not write it" in capsys.readouterr().err
    assert (tmp_path / "index.html").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_in_place_of_the_page_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path / "one")
    os.mkfifo(tmp_path / "index.html")
    assert run_command(["history", str(tmp_path)]) == 2
    assert "soak history did not write it" in capsys.readouterr().err


def test_as_json_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_folder(tmp_path / "one")
    assert run_command(["history", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["path"] for row in found["runs"]] == ["one"]
    assert found["series"][0]["trends"][0]["objective"] == "success_rate >= 90%"
    assert not (tmp_path / "index.html").exists()
