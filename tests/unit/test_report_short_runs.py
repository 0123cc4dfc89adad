"""The histogram of latencies, and the windows of seconds of a run of minutes: from the event stream."""

import json
import textwrap
import tracemalloc
from pathlib import Path

import msgspec
import numpy as np
import pytest
from browser import launched, needs_browser
from pages import charts

from soak.reports.data import read_metrics, read_run
from soak.reports.events import read_histories
from soak.reports.look.figures import Drawing
from soak.reports.run_page.distribution import BINS, distribution, edges_of, is_wide
from soak.reports.run_page.ended import Ended, read_ended
from soak.reports.run_page.windows import windows_of
from soak.runner.cli import run_command
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.stream.storage import create_compressed

SCENARIO = """
    version: 1
    name: short
    system: queue
    duration: 2m
    warmup: 20s
    drain: 1m
    workload:
      arrivals: {rate: 2/s}
      task: {duration: {distribution: lognormal, median: 1s, p95: 3s}}
    queue: {workers: 4}
    faults: [{name: broken, type: permanent_error, rate: 10%}]
    slos: [success_rate >= 90%, latency_p95 <= 4s]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("short")
    (path / "short.yaml").write_text(textwrap.dedent(SCENARIO))
    run_command(["run", str(path / "short.yaml"), "--out", str(path / "run")])
    return path / "run"


def ended_of(*rows: tuple[float, float, bool]) -> Ended:
    table = np.array(rows, dtype=np.float64)
    return Ended(table[:, 0], table[:, 1], table[:, 2] > 0, table[:, 0])


def test_the_tasks_of_a_stream_are_those_that_a_reader_of_each_line_finds(run: Path) -> None:
    due, found = {}, {}
    for line in (run / "soak_short.jsonl").read_text().splitlines()[1:]:
        event = json.loads(line)
        if event["type"] == "task.enqueued":
            due[event["task"]] = event["due"]
        elif event["type"] in {"task.done", "task.failed"}:
            found.setdefault(event["task"], (due[event["task"]], event["t"], event["type"] == "task.failed"))
    ended = read_ended(run / "soak_short.jsonl")
    rows = list(zip(ended.due_s.tolist(), ended.ended_s.tolist(), ended.failed.tolist(), strict=True))
    assert rows == list(found.values()) and any(failed for *_, failed in rows)
    assert sorted(ended.all_due_s.tolist()) == sorted(due.values())


def test_a_stream_is_read_in_pieces_of_whole_lines(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read_ended(run / "soak_short.jsonl")
    monkeypatch.setattr("soak.reports.run_page.ended._PIECE_BYTES", 100)
    pieces = read_ended(run / "soak_short.jsonl")
    for name in ("due_s", "ended_s", "failed", "all_due_s"):
        assert getattr(pieces, name).tobytes() == getattr(whole, name).tobytes()


def test_a_stream_with_more_than_is_read_has_no_tasks(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, compressed = run / "soak_short.jsonl", tmp_path / "soak_short.jsonl.zst"
    with create_compressed(compressed) as file:
        file.write(plain.read_bytes())
    size = plain.stat().st_size
    for most, tasks in ((size, True), (size - 1, False)):
        monkeypatch.setattr("soak.reports.run_page.ended.MOST_BYTES", most)
        assert all(bool(len(read_ended(path).due_s)) == tasks for path in (plain, compressed))


def test_the_report_of_a_long_stream_takes_less_memory_than_the_stream(run: Path, tmp_path: Path) -> None:
    header, *lines = (run / "soak_short.jsonl").read_bytes().splitlines(keepends=True)
    padding = b'{"t":150.000000,"type":"sample.queue_depth","value":1.000000,"name":"%b"}\n' % (b"x" * 900)
    path = tmp_path / "soak_short.jsonl"
    with path.open("wb") as file:
        file.writelines([header, *lines, *[padding] * 20_000])
    tasks = msgspec.json.decode((run / "verdict.json").read_bytes(), type=Verdict).slowest
    tracemalloc.start()
    try:
        ended, histories = read_ended(path), read_histories(path, tasks)
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 4
    finally:
        tracemalloc.stop()
    assert ended.latency_s.tolist() == read_ended(run / "soak_short.jsonl").latency_s.tolist()
    assert histories == read_histories(run / "soak_short.jsonl", tasks) and all(histories.values())


def test_series_take_little_more_memory_than_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("t_s,a,b\n" + "".join(f"{60 * minute},{minute}.123456789,\n" for minute in range(20_000)))
    tracemalloc.start()
    try:
        metrics = read_metrics(path)
        assert tracemalloc.get_traced_memory()[1] < 3 * 8 * 3 * 20_000
    finally:
        tracemalloc.stop()
    assert (
        metrics.t_s[-1] == 60 * 19_999
        and np.isnan(metrics.columns["b"]).all()
        and metrics.columns["a"][7] == 7.123456789
    )


@pytest.mark.parametrize("row", ["1", "1,2,3", "", "1,x"])
def test_a_row_of_series_that_is_none_is_refused(tmp_path: Path, row: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(f"t_s,a\n0,1\n{row}\n")
    with pytest.raises(EvidenceError, match="damaged"):
        read_metrics(path)


def test_the_histogram_counts_what_the_objectives_count(run: Path) -> None:
    verdict = json.loads((run / "verdict.json").read_text())
    [latency] = [each for each in verdict["objectives"] if each["sli"] == "latency_p95"]
    ended = read_ended(run / "soak_short.jsonl")
    counted = ended.since(20.0)
    assert len(counted.ended_s) < len(ended.ended_s)
    drawing = distribution(read_run(run), ended)
    assert drawing and f"{len(counted.ended_s):,} tasks" in drawing.note
    quantile = np.quantile(counted.latency_s, 0.95, method="inverted_cdf")
    assert quantile == pytest.approx(latency["value"], rel=0.006)
    assert "limit latency_p95 &lt;= 4s" in drawing.picture and drawing.title in (run / "report.html").read_text()


def test_the_bars_hold_every_task_once() -> None:
    for all_s in (np.linspace(0.0, 3.0, 101), np.geomspace(1e-9, 1e3, 500)):
        edges = edges_of(all_s, log=is_wide(all_s))
        assert len(edges) == BINS + 1 and np.all(np.diff(edges) > 0) and edges[-1] == all_s.max()
        assert np.histogram(np.clip(all_s, edges[0], edges[-1]), edges)[0].sum() == len(all_s)
    assert not is_wide(np.linspace(0.0, 3.0, 101)) and is_wide(np.geomspace(1e-9, 1e3, 500))


def test_without_enough_tasks_there_is_no_histogram(run: Path) -> None:
    data = read_run(run)
    few = ended_of(*[(100.0 + n, 101.0 + n, False) for n in range(19)])
    assert distribution(data, few) is None
    assert distribution(data, ended_of(*[(100.0 + n, 100.0 + n, False) for n in range(30)])) is None
    found = distribution(data, ended_of(*[(100.0 + n, 101.0 + n, n == 3) for n in range(20)]))
    assert isinstance(found, Drawing) and "FAILED" in found.picture
    assert len(read_ended(run / "no such file").ended_s) == 0


def test_windows_hold_what_was_due_and_ended_in_each() -> None:
    rows = [(10.0 * n + 1, 10.0 * n + 2 + n, n == 4) for n in range(12)]
    found = windows_of(ended_of(*rows), 130.0)
    assert found is not None and found.width_s == 2.0 and len(found.t_s) == 65 and found.t_s[-1] == 130.0
    assert found.due.sum() == 12 and found.due[0] == 1 and found.due[5] == 1
    # The fifth task is due at 41 s and fails at 46 s: in the window from 46 s on.
    assert found.failed.sum() == 1 and found.failed[23] == 1 and found.done.sum() == 11
    assert found.success[23] == 0.0 and found.success[1] == 1.0 and np.isnan(found.success[0])
    assert [each[23] for each in found.quantiles_s] == [5.0, 5.0, 5.0]


def test_the_last_window_ends_with_the_run_and_longer_runs_have_none() -> None:
    rows = [(float(n), n + 0.5, False) for n in range(121)]
    found = windows_of(ended_of(*rows), 121.0)
    assert found is not None and found.width_s == 2.0
    assert found.t_s[-1] == 121.0 and found.lengths_s[-1] == 1.0 and found.lengths_s[0] == 2.0
    assert windows_of(ended_of(*rows), 1801.0) is None and windows_of(ended_of(*rows[:9]), 121.0) is None


def test_a_run_of_minutes_shows_seconds(run: Path) -> None:
    drawn = charts((run / "report.html").read_text())
    ended = read_ended(run / "soak_short.jsonl")
    found = windows_of(ended, json.loads((run / "verdict.json").read_text())["ended_s"])
    assert found is not None
    width = f"windows of {found.width_s:g}s"
    latency, success, flow = (drawn[f"{each}, {width}"] for each in ("Latency", "Success rate", "Tasks per second"))
    np.testing.assert_allclose(latency["lines"][1]["values"], found.quantiles_s[1], rtol=1e-6)
    np.testing.assert_allclose(success["lines"][0]["values"], found.success, rtol=1e-6)
    assert [line["name"] for line in flow["lines"]] == ["due", "DONE", "FAILED"]
    assert (flow["lines"][0]["values"] * found.lengths_s).sum() == pytest.approx(len(ended.all_due_s))


@needs_browser
def test_charts_point_together_and_show_all_again(run: Path) -> None:
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"file://{run / 'report.html'}")
        first, second = (page.locator("figure.chart").nth(place) for place in (0, 1))
        second.scroll_into_view_if_needed()
        box = second.locator(".u-over").bounding_box()
        page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 60)
        first.locator(".readout", has_text="at ").wait_for()
        again = second.locator("button.whole")
        assert not again.is_visible()
        page.mouse.down()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60, steps=4)
        page.mouse.up()
        again.wait_for(state="visible")
        again.click()
        again.wait_for(state="hidden")


def test_quantiles_of_a_window_are_latencies_that_were_seen() -> None:
    rows = [(0.0, 0.5 + 0.1 * n, False) for n in range(10)]
    found = windows_of(ended_of(*rows), 100.0)
    assert found is not None and found.width_s == 1.0
    # In the first second five tasks end, after 0.5 to 0.9 s: the median is the third of them, p95 and p99 the last.
    assert [each[0] for each in found.quantiles_s] == pytest.approx([0.7, 0.9, 0.9])
