"""One real run that is sent by OpenTelemetry, remote write, annotations of Grafana and CloudEvents; then from its evidence."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from receivers import Request, Taken, attributes, points, receiving, spans
from servers import prometheus, query, until, victoria_metrics

from soak.runner.cli import run_command

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
TOKEN = "t0k3n-that-nobody-may-see"
SPEED = 60
SCENARIO = """
version: 1
name: received
system: queue
duration: 4m
drain: 2m
workload:
  arrivals: {{rate: 60/min}}
  task: {{duration: {{distribution: constant, value: 2s}}}}
queue: {{workers: 4, poll_interval: 500ms}}
faults:
  - {{name: flaky, type: transient_error, rate: 10%}}
  - {{name: bad-minute, type: transient_error, rate: 30%, at: 1m, for: 1m}}
alerts:
  - {{name: working, when: state_transitions >= 5, severity: info}}
slos: [success_rate >= 50%, latency_p95 <= 1ms]
telemetry: {{max_lag: 1m}}
export:
  - {{type: otlp, url: "{url}/otel", every: 1s, token: {{from_env: TOKEN}}, headers: {{X-Tenant: {{from_env: TENANT}}}}}}
  - {{type: remote_write, url: "{prometheus}/api/v1/write", every: 1s}}
  - {{type: grafana, url: "{url}", token: {{from_env: TOKEN}}}}
  - {{type: cloudevents, url: "{url}/events"}}
"""


def as_grafana(request: Request, before: int) -> tuple[int, bytes]:
    """Grafana answers with the number of an annotation; the others with nothing."""
    return 200, json.dumps({"id": before + 1}).encode() if request.path.startswith("/api/annotations") else b""


@dataclass
class Received:
    """What one run sent."""

    taken: Taken
    prometheus: str
    path: Path
    began_s: float
    ended_s: float
    said: str
    code: int

    @property
    def verdict(self) -> Any:
        return json.loads((self.path / "verdict.json").read_text())


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Received]:
    folder = tmp_path_factory.mktemp("received")
    with receiving(as_grafana) as taken, prometheus(folder, [], receives=True) as url:
        (folder / "received.yaml").write_text(SCENARIO.format(url=taken.url, prometheus=url))
        words = ["run", folder / "received.yaml", "--target", "memory_queue:MemoryQueue", "--speed", SPEED]
        began_s = time.time()
        done = subprocess.run(
            [sys.executable, "-P", "-m", "soak", *map(str, [*words, "--out", folder / "run"])],
            cwd=EXAMPLES,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "TOKEN": TOKEN, "TENANT": "team-7"},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        yield Received(taken, url, folder / "run", began_s, time.time(), done.stdout + done.stderr, done.returncode)


def test_the_run_comes_out_as_it_would_without(received: Received) -> None:
    assert received.code == 3, received.said
    exports = json.loads((received.path / "run_manifest.json").read_text())["timeseries_export"]
    assert exports["error_count"] == 0
    assert exports["export_count"] > 10
    kept = b"".join(path.read_bytes() for path in received.path.rglob("*") if path.is_file())
    assert TOKEN not in received.said
    assert TOKEN.encode() not in kept


def test_metrics_by_opentelemetry(received: Received) -> None:
    found = list(points(received.taken, "/otel/v1/metrics"))
    last = {labels["sli"]: value for name, labels, _, value in found if name.startswith("soak_sli")}
    assert last == pytest.approx({name: value for name, value in received.verdict["slis"].items() if value is not None})
    times = [time_s for name, _, time_s, _ in found if name == "soak_running"]
    assert times == sorted(times)
    assert received.began_s <= times[0] <= times[-1] <= received.ended_s
    assert [value for name, _, _, value in found if name == "soak_running"][-1] == 0.0
    [verdict] = [labels for name, labels, _, _ in found if name == "soak_verdict"]
    assert (verdict["verdict"], verdict["scenario"], verdict["run"]) == ("FAIL", "received", "run")
    for request in received.taken.to("/otel/v1/metrics"):
        assert request.headers["Content-Type"] == "application/x-protobuf"
        assert (request.headers["Authorization"], request.headers["X-Tenant"]) == (f"Bearer {TOKEN}", "team-7")


def test_the_run_is_a_trace_with_its_faults(received: Received) -> None:
    found = spans(received.taken, "/otel/v1/traces")
    assert {len(span.trace_id) for _, span in found} == {16}
    assert len({span.span_id for _, span in found}) == len(found)
    [run] = [span for _, span in found if span.name == "soak received"]
    below = {span.name: span for _, span in found if span.parent_span_id == run.span_id}
    assert set(below) == {"fault flaky", "fault bad-minute", "alert working"}
    window = below["fault bad-minute"]
    assert (window.end_time_unix_nano - window.start_time_unix_nano) / 1e9 == pytest.approx(60 / SPEED, abs=1e-5)
    assert (window.start_time_unix_nano - run.start_time_unix_nano) / 1e9 == pytest.approx(60 / SPEED, abs=1e-5)
    assert {span.trace_id for span in below.values()} == {run.trace_id}
    facts = attributes(run.attributes)
    assert (facts["soak.verdict"], facts["soak.objectives.broken"]) == ("FAIL", 1)
    assert run.status.code == run.status.STATUS_CODE_ERROR
    assert "latency_p95" in run.status.message
    assert received.began_s <= run.start_time_unix_nano / 1e9 <= run.end_time_unix_nano / 1e9 <= received.ended_s
    for resource, _ in found:
        assert resource["soak.scenario"] == "received"
        assert resource["soak.target"] == "memory_queue:MemoryQueue"
        assert resource["soak.seed"] == received.verdict["seed"]


def test_a_slow_task_is_a_trace_with_its_attempts(received: Received) -> None:
    found = [span for _, span in spans(received.taken, "/otel/v1/traces")]
    [run] = [span for span in found if span.name == "soak received"]
    slowest = received.verdict["slowest"]
    tasks = {attributes(span.attributes)["soak.task"]: span for span in found if span.name.startswith("task ")}
    assert list(tasks) == [each["task"] for each in slowest]
    assert {link.span_id for link in run.links} == {span.span_id for span in tasks.values()}
    for each in slowest:
        span = tasks[each["task"]]
        assert (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9 == pytest.approx(
            each["latency_s"] / SPEED, abs=1e-5
        )
        assert span.trace_id != run.trace_id
        assert [link.span_id for link in span.links] == [run.span_id]
        attempts = [other for other in found if other.parent_span_id == span.span_id]
        assert [attributes(other.attributes)["soak.attempt"] for other in attempts] == list(range(1, len(attempts) + 1))
        assert {other.trace_id for other in attempts} == {span.trace_id}
        failed = [other.status.code == other.status.STATUS_CODE_ERROR for other in attempts]
        assert all(failed[:-1]), "what was tried again had failed"


def test_prometheus_has_what_was_written_to_it(received: Received) -> None:
    at_s = received.ended_s
    found = {each["sli"]: each["value"] for each in query(received.prometheus, '{__name__=~"soak_sli.*"}', at_s)}
    assert found == pytest.approx(
        {name: value for name, value in received.verdict["slis"].items() if value is not None}
    )
    [verdict] = query(received.prometheus, "soak_verdict", at_s)
    assert (verdict["verdict"], verdict["target"], verdict["value"]) == ("FAIL", "memory_queue:MemoryQueue", 1.0)
    [count] = query(received.prometheus, "count_over_time(soak_running[1m])", at_s)
    assert count["value"] >= 5
    [rate] = query(received.prometheus, "max_over_time(soak_scenario_time_seconds[1m])", at_s)
    assert rate["value"] == received.verdict["ended_s"]


def test_grafana_is_told_when_something_begins_and_when_it_is_over(received: Received) -> None:
    requests = [each for each in received.taken.requests if each.path.startswith("/api/annotations")]
    assert {each.headers["Authorization"] for each in requests} == {f"Bearer {TOKEN}"}
    begun = {each.json["text"].split("<br>")[0]: each for each in requests if each.method == "POST"}
    assert "fault bad-minute (type transient_error)" in begun
    assert all("timeEnd" not in each.json for each in begun.values())
    over = [each.json for each in requests if each.method == "PATCH"]
    [fault] = [each for each in over if "fault" in each["tags"]]
    assert (fault["timeEnd"] - fault["time"]) / 1000 == pytest.approx(60 / SPEED, abs=0.002)
    run = over[-1]
    assert {"soak", "scenario:received", "run:run", "run", "verdict:FAIL"} <= set(run["tags"])
    assert "latency_p95 &lt;= 1ms" in run["text"]
    paths = {each.path for each in requests if each.method == "PATCH"}
    assert len(paths) == len(over), "each is changed once"


def test_events_are_read_by_the_library_of_cloudevents(received: Received) -> None:
    requests = received.taken.to("/events")
    events = [
        from_http_event(HTTPMessage({k.lower(): v for k, v in each.headers.items()}, each.body)) for each in requests
    ]
    types = [event.get_type() for event in events]
    assert types[0] == "soak.run.started"
    assert types[-1] == "soak.run.finished"
    assert set(types) >= {"soak.fault.started", "soak.fault.ended", "soak.alert.fired"}
    assert len({(event.get_source(), event.get_id()) for event in events}) == len(events)
    for event in events:
        assert event.get_specversion() == "1.0"
        moment = event.get_time()
        assert moment is not None
        assert received.began_s - 1 <= moment.timestamp() <= received.ended_s
    data: Any = events[-1].get_data()
    assert (data["verdict"], data["at_s"]) == ("FAIL", received.verdict["ended_s"])
    [fault] = [event for event in events if event.get_type() == "soak.fault.started"]
    assert fault.get_subject() == "bad-minute"


# The same run, from its evidence.


def test_a_run_that_has_ended_is_sent_again(received: Received, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("SOAK_EXPORT_TOKEN", TOKEN)
    with receiving(as_grafana) as taken:
        words = ["--otlp", taken.url, "--grafana", taken.url, "--cloudevents", f"{taken.url}/events", "--step", "30s"]
        assert run_command(["export", str(received.path), *words]) == 0
    said = capsys.readouterr().out
    now, then = spans(taken), spans(received.taken, "/otel/v1/traces")
    assert [span.name for _, span in now] == [span.name for _, span in then]
    for (_, one), (_, other) in zip(now, then, strict=True):
        assert (one.end_time_unix_nano - one.start_time_unix_nano) == pytest.approx(
            other.end_time_unix_nano - other.start_time_unix_nano, abs=2000
        )
    started = datetime.fromisoformat(json.loads((received.path / "run_manifest.json").read_text())["started_at"])
    assert now[0][1].start_time_unix_nano == started.astimezone(UTC).timestamp() * 1e9
    regions = [each.json for each in taken.to("/api/annotations")]
    assert [each.method for each in taken.to("/api/annotations")] == ["POST"] * len(regions)
    assert all(each["timeEnd"] >= each["time"] for each in regions)
    assert {tag for each in regions for tag in each["tags"]} >= {"run", "fault", "alert"}
    assert [each.json["type"] for each in taken.to("/events")][-1] == "soak.run.finished"
    assert f"{len(now)} spans" in said
    assert {each.headers["Authorization"] for each in taken.requests} == {f"Bearer {TOKEN}"}


def test_remote_write_of_a_run_that_has_ended(received: Received, tmp_path: Path) -> None:
    with victoria_metrics(tmp_path) as url:
        words = ["--remote-write", f"{url}/api/v1/write", "--start", datetime.now(UTC).isoformat()]
        assert run_command(["export", str(received.path), *words, "--step", "1m"]) == 0
        expected = {name: value for name, value in received.verdict["slis"].items() if value is not None}
        asked = '{__name__=~"soak_sli.*"}'
        found = until(lambda: query(url, asked, time.time() + 5))
        assert {each["sli"]: each["value"] for each in found} == pytest.approx(expected)


def test_a_prometheus_that_takes_no_remote_write(received: Received, tmp_path: Path, capsys: Any) -> None:
    with prometheus(tmp_path, []) as url:
        monitor = received.path / "run_manifest.json"
        before = monitor.read_bytes()
        assert run_command(["export", str(received.path), "--remote-write", f"{url}/nowhere"]) == 1
        assert monitor.read_bytes() == before
    assert (
        "it takes no remote write there (start Prometheus with --web.enable-remote-write-receiver"
        in capsys.readouterr().err
    )
