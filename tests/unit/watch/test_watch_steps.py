"""The steps of a run: the columns of metrics.csv, rolling indicators with right values, the same wherever blocks end."""

import csv
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from soak.runner.cli import run_command
from soak.runner.evidence import stream as stream_file
from soak.runner.watch.feed import Feed
from soak.runner.watch.follow import follow_run
from soak.runner.watch.grid import grid_of
from soak.runner.watch.state import State, Watched
from soak.schemas.language.load import load

SCENARIO = """
    version: 1
    name: stepped
    system: queue
    duration: {duration}
    drain: 30m
    workload:
      arrivals: {{rate: 20/min}}
      task: {{duration: {{distribution: exponential, mean: 4s}}}}
    queue: {{workers: 4}}
    faults:
      - {{name: broken, type: transient_error, rate: 20%}}
      - {{name: dark, type: db_outage, at: 1h, for: 5m}}
    alerts:
      - {{name: backlog, when: stall_time >= 3m}}
    slos:
      - success_rate >= 90%
      - {{objective: latency_p95 <= 60s, window: 10m}}
      - duplicate_executions == 0
      - stall_time <= 10m
      - queue_depth <= 500
"""


def made(folder: Path, duration: str = "3h", at: str = "1h") -> Path:
    text = textwrap.dedent(SCENARIO.format(duration=duration)).replace("at: 1h", f"at: {at}")
    (folder / "s.yaml").write_text(text)
    assert run_command(["run", str(folder / "s.yaml"), "--out", str(folder / "run")]) in {0, 1, 3}
    return folder / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("stepped"))


def last(run: Path) -> tuple[Watched, State]:
    *_, found = follow_run(run, in_steps=True)
    return found


def test_the_columns_are_those_of_the_evidence(run: Path) -> None:
    watched, _ = last(run)
    assert watched.steps is not None
    rows = list(csv.DictReader((run / "metrics.csv").read_text().splitlines()))
    assert watched.steps.table.rows == len(rows)
    for name in rows[0]:
        column = watched.steps.table.get(name)
        for row, value in zip(rows, column.tolist(), strict=True):
            assert row[name] == ("" if value != value else f"{value:.6g}"), name


def ended(run: Path, *types: str) -> np.ndarray:
    events = [json.loads(line) for line in (run / "soak_stepped.jsonl").read_text().splitlines()]
    return np.array([event["t"] for event in events if event["type"] in types])


def test_a_share_is_that_of_the_window(run: Path) -> None:
    watched, _ = last(run)
    assert watched.steps is not None
    column = watched.steps.table.get("objective:success_rate{}/30")
    done, failed = ended(run, "task.done"), ended(run, "task.failed")
    for row in (0, 10, 59, 100, 179):
        low, high = 60.0 * (row - 29), 60.0 * (row + 1)
        good, bad = (int(((t > low) & (t <= high)).sum()) for t in (done, failed))
        assert column[row] == pytest.approx(good / (good + bad))


def test_an_objective_in_windows_has_its_own_window(run: Path) -> None:
    watched, _ = last(run)
    assert watched.steps is not None
    assert "objective:latency_p95{}/10" in watched.steps.table.names
    column = watched.steps.table.get("objective:latency_p95{}/10")
    # The outage is in the window from its end on, for ten minutes and the time that it takes to catch up.
    assert np.nanmax(column[65:75]) > 240
    assert max(column[50], column[110]) < 150


def test_counts_go_on_and_stretches_rise(run: Path) -> None:
    watched, _ = last(run)
    assert watched.steps is not None
    stall = watched.steps.table.get("objective:stall_time{}/1")
    assert stall[61] == 0
    assert 180 <= stall[63] < stall[64] == pytest.approx(295, abs=5)
    assert stall[80] == 0
    assert watched.steps.table.get("objective:duplicate_executions{}/1")[-1] == 0


def test_errors_and_what_was_planned(run: Path) -> None:
    watched, state = last(run)
    assert watched.steps is not None
    table = watched.steps.table
    assert int(table.get("error:network").sum() if "error:network" in table.names else 0) == state.errors.get(
        "network", 0
    )
    assert sum(int(table.get(name).sum()) for name in table.names if name.startswith("error:")) == sum(
        state.errors.values()
    )
    assert table.get("planned")[:180] == pytest.approx(20)
    assert table.get("planned")[180:] == pytest.approx(0)
    assert table.get("offered").sum() == state.tasks["accepted"]
    assert table.get("achieved").sum() == state.tasks["DONE"]


def test_nothing_depends_on_where_blocks_end(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = last(run)
    monkeypatch.setattr(stream_file, "LINES_PER_BLOCK", 333)
    parts, _ = last(run)
    assert whole.steps is not None
    assert parts.steps is not None
    rows = whole.steps.table.rows
    assert parts.steps.table.between(0, rows) == whole.steps.table.between(0, rows)


@pytest.mark.parametrize(
    ("duration", "step_s"), [("2m", 2), ("10m", 10), ("45m", 30), ("1h", 60), ("72h", 60), ("30d", 600), ("30s", 1)]
)
def test_steps_are_minutes_unless_a_run_is_short_or_very_long(duration: str, step_s: float, tmp_path: Path) -> None:
    text = (
        SCENARIO.format(duration=duration)
        .replace("at: 1h, for: 5m", "at: 1s, for: 1s")
        .replace("window: 10m", "window: 20s" if duration in {"2m", "30s"} else "window: 1m")
    )
    (tmp_path / "s.yaml").write_text(textwrap.dedent(text))
    assert grid_of(load(tmp_path / "s.yaml").scenario).step_s == step_s


def test_a_short_run_has_finer_steps(tmp_path: Path) -> None:
    watched, _ = last(made(tmp_path, "10m", "5m"))
    assert watched.steps is not None
    assert watched.steps.table.get("t_s")[:3].tolist() == [10, 20, 30]
    assert watched.steps.table.get("enqueued")[:60].mean() == pytest.approx(20, rel=0.25)


# What pages are sent.


def fed(run: Path, feed: Feed, replay: float) -> Iterator[State]:
    for watched, state in follow_run(run, replay, in_steps=True):
        feed.put(0, watched, state)
        yield state
    feed.end()


def parsed(text: bytes) -> Iterator[tuple[str, str, dict]]:
    for message in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in message.splitlines())
        if "event" in fields:
            yield fields.get("id", ""), fields["event"], json.loads(fields["data"])


def test_a_page_gets_the_run_once_and_then_what_is_new(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from soak.runner.watch import follow as following

    monkeypatch.setattr(following, "EVERY_S", 0.005)
    feed = Feed([run])
    early = feed.messages("", 0.0)
    columns: dict[str, list] = {}
    seen, last_id, latest = [], "", {}
    for _ in fed(run, feed, 200_000):
        for number, name, content in parsed(next(early)):
            seen.append(name)
            last_id = number
            if name == "run":
                columns = content["columns"]
            else:
                assert content["start"] == len(columns["t_s"])
                for column, values in content["columns"].items():
                    columns[column] += values
            latest = content
    assert "step" in seen
    ((number, name, whole),) = parsed(next(feed.messages("", 0.0)))
    assert (number, name) == (last_id, "run")
    assert whole["columns"] == columns
    assert whole["head"] == latest["head"]
    assert whole["head"]["provisional"] == json.loads((run / "verdict.json").read_text())["verdict"]
    # One that has seen everything gets nothing twice; one of another server gets it all.
    assert list(feed.messages(last_id, 0.0)) == [b""]
    assert [name for _, name, _ in parsed(next(feed.messages("0123abcd-3", 0.0)))] == ["run"]
    assert [name for _, name, _ in parsed(next(feed.messages("nonsense", 0.0)))] == ["run"]


def test_the_limits_and_faults_are_drawn(run: Path) -> None:
    feed = Feed([run])
    list(fed(run, feed, 1e9))
    ((_, _, whole),) = parsed(next(feed.messages("", 0.0)))
    by_name = {chart["name"].split("-", 1)[1]: chart for chart in whole["charts"]}
    assert by_name["success_rate"]["limits"] == [{"words": ">= 90%", "value": 0.9, "role": "bad"}]
    assert by_name["stall_time"]["limits"][0]["value"] == 600
    assert {"start_s": 3600.0, "end_s": 3900.0, "name": "dark", "kind": "fault"} in whole["about"]["bands"]
    assert [each["name"] for each in whole["head"]["history"]] == ["backlog"]
    drawn = {line["column"] for chart in whole["charts"] for line in chart["lines"]}
    assert drawn <= set(whole["columns"])
