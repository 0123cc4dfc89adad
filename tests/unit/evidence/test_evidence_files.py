"""The JSON files read back as what was written, and metrics.csv adds up to the verdict."""

import csv
import io
import json
import math
from collections.abc import Callable

import msgspec
import pytest
from recordings import ABORT, SCENARIO

from soak.runner.evidence.directory import ALERTS, CHECKPOINTS, MANIFEST, METRICS, VERDICT, RunDirectory
from soak.runner.evidence.record import to_json
from soak.runner.judge.histogram import RELATIVE_ERROR
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.verdict import Alerts, Checkpoints, Verdict

RESULTS = {"task.done", "task.failed"}
Recorder = Callable[..., RunDirectory]
STRUCTS = {VERDICT: Verdict, ALERTS: Alerts, CHECKPOINTS: Checkpoints, MANIFEST: Manifest}


@pytest.mark.parametrize("name", STRUCTS)
def test_each_file_reads_back(run: RunDirectory, name: str) -> None:
    text = run.read(name)
    data = msgspec.json.decode(text, type=STRUCTS[name])
    assert to_json(data) == text


def test_files_agree_with_each_other(run: RunDirectory) -> None:
    verdict = msgspec.json.decode(run.read(VERDICT), type=Verdict)
    manifest = msgspec.json.decode(run.read(MANIFEST), type=Manifest)
    alerts = msgspec.json.decode(run.read(ALERTS), type=Alerts)
    assert (manifest.verdict, manifest.seed) == (verdict.verdict, verdict.seed)
    assert manifest.scenario_sha256 == verdict.scenario_sha256
    assert manifest.events == run.read("soak_small.jsonl").count(b"\n") - 1
    assert alerts.alerts == verdict.alerts


def test_values_that_json_does_not_know_are_null() -> None:
    assert to_json({"value": float("nan"), "high": float("inf")}) == b'{\n  "value": null,\n  "high": null\n}\n'


# metrics.csv.


def metrics(run: RunDirectory) -> list[dict[str, str]]:
    """The rows of metrics.csv."""
    return list(csv.DictReader(io.StringIO(run.read(METRICS).decode())))


def total(rows: list[dict[str, str]], column: str) -> int:
    """The sum of a column."""
    return sum(int(row[column]) for row in rows)


@pytest.mark.parametrize("text", [SCENARIO, SCENARIO + ABORT, SCENARIO + "warmup: 7m"])
def test_metrics_add_up_to_the_verdict(recorder: Recorder, text: str) -> None:
    run = recorder(text)
    rows, verdict = metrics(run), msgspec.json.decode(run.read(VERDICT), type=Verdict)
    assert total(rows, "enqueued") == verdict.tasks["accepted"]
    assert total(rows, "done") == verdict.tasks["DONE"]
    assert total(rows, "failed") == verdict.tasks["FAILED"]
    assert total(rows, "retries") == sum(verdict.retries_by_attempt.values())
    for fault in verdict.faults:
        assert total(rows, f"injected:{fault.name}") == fault.injected, fault.name


def test_metrics_of_what_happens_just_as_the_run_ends(recorder: Recorder) -> None:
    # The last task is done at 2 min exactly.
    text = """
        name: small
        duration: 116s
        drain: 10s
        workload: {arrivals: {rate: 12/min, process: constant}, task: {duration: {distribution: constant, value: 5s}}}
        queue: {poll_interval: 0s}
    """
    run = recorder(text)
    verdict = msgspec.json.decode(run.read(VERDICT), type=Verdict)
    assert verdict.ended_s % 60 == 0
    assert total(metrics(run), "done") == verdict.tasks["DONE"]


def test_metrics_are_one_row_a_minute(run: RunDirectory) -> None:
    rows = metrics(run)
    ended_s = msgspec.json.decode(run.read(VERDICT), type=Verdict).ended_s
    assert [int(row["t_s"]) for row in rows] == [60 * (n + 1) for n in range(len(rows))]
    assert int(rows[-1]["t_s"]) - 60 <= ended_s <= int(rows[-1]["t_s"])


def test_metrics_agree_with_the_stream(recorder: Recorder) -> None:
    # Blocks end in the middle of minutes here, and after their last sample.
    odd = "checkpoints: {every: 55s}\ntelemetry: {sample_interval: 50s}"
    run = recorder(SCENARIO.replace("checkpoints: {every: 5m}", odd).replace("duration: 20m", "duration: 45m"))
    events = [json.loads(line) for line in run.read("soak_small.jsonl").splitlines()[1:]]
    due = {event["task"]: event["due"] for event in events if event["type"] == "task.enqueued"}
    ends = [(event["t"], event["t"] - due[event["task"]]) for event in events if event["type"] in RESULTS]
    for row in metrics(run):
        end_s = int(row["t_s"])
        minute = [event for event in events if end_s - 60 < event["t"] <= end_s or event["t"] == 0 == end_s - 60]
        for column, kind in (("done", "task.done"), ("dispatched", "task.dispatched"), ("retries", "task.retry")):
            assert int(row[column]) == sum(event["type"] == kind for event in minute), (end_s, column)
        oldest = [event["value"] for event in minute if event["type"] == "sample.oldest_pending"]
        assert row["oldest_pending_s"] == (f"{oldest[-1]:.6g}" if oldest else "")
        recent = sorted(latency for t, latency in ends if end_s - 1800 < t <= end_s)
        exact = recent[math.ceil(0.95 * len(recent)) - 1]
        assert float(row["latency_p95_s"]) == pytest.approx(exact, rel=RELATIVE_ERROR * 1.01)
