"""Time series out: real runs, real databases. What is pushed can be queried only after a scrape, so queries are repeated."""

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from servers import (
    fetch,
    free_port,
    influx_query,
    influxdb,
    prometheus,
    promtool,
    pushgateway,
    query,
    until,
    victoria_metrics,
)

from soak.runner import outlets
from soak.runner.cli import run_command
from soak.runner.evidence.record import Recording
from soak.schemas.errors import SoakError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SENTINEL = "s3cr3t-t0k3n-that-nobody-may-see"
WATCHED = Path(__file__).with_name("watched.yaml")
SPEED = 60
SUBMITTED = "task.enqueued"
SCENARIO = """
version: 1
name: exported
system: queue
duration: {duration}
drain: 2m
workload:
  arrivals: {{rate: 60/min}}
  task: {{duration: {{distribution: constant, value: 2s}}}}
queue: {{workers: 4, poll_interval: 500ms}}
faults:
  - {{name: flaky, type: transient_error, rate: 5%}}
alerts:
  - {{name: working, when: state_transitions >= 5, severity: info}}
  - {{name: slow, when: latency_p95 > 1h, window: 5m, severity: warning}}
slos: [success_rate >= 50%]
telemetry: {{max_lag: 1m}}
export: [{export}]
"""


def command(path: Path, export: str, duration: str = "4m") -> list[str]:
    (path / "exported.yaml").write_text(SCENARIO.format(export=export, duration=duration))
    words = ["run", path / "exported.yaml", "--target", "memory_queue:MemoryQueue", "--speed", SPEED]
    return [sys.executable, "-P", "-m", "soak", *map(str, [*words, "--out", path / "run"])]


@contextmanager
def running(path: Path, export: str, duration: str = "4m", **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A run that goes on meanwhile."""
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    process = subprocess.Popen(
        command(path, export, duration), cwd=EXAMPLES, env=surroundings, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def run(path: Path, export: str, duration: str = "4m", **environment: str) -> tuple[int, str]:
    """A run to its end: exit code and what was said."""
    with running(path, export, duration, **environment) as process:
        _, said = process.communicate(timeout=120)
        return process.returncode, said


def counts(path: Path) -> dict[str, int]:
    manifest: dict[str, Any] = json.loads((path / "run" / "run_manifest.json").read_text())
    return dict(manifest["timeseries_export"])


def slis(path: Path) -> dict[str, float]:
    return dict(json.loads((path / "run" / "verdict.json").read_text())["slis"])


def test_pushes_reach_prometheus_and_its_rules(tmp_path: Path) -> None:
    export = "{{type: pushgateway, url: '{}', every: 1s}}"
    with pushgateway(tmp_path) as gateway:
        words = command(tmp_path, export.format(gateway))
        monitoring = [
            "monitoring",
            str(tmp_path / "exported.yaml"),
            "--speed",
            str(SPEED),
            "--out",
            str(tmp_path / "m"),
        ]
        subprocess.run([*words[:4], *monitoring], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=-3)
        scraped = [gateway.removeprefix("http://")]
        with (
            prometheus(tmp_path, scraped, tmp_path / "m" / "alert_rules.yaml") as url,
            running(tmp_path, export.format(gateway), "7m") as process,
        ):
            [firing] = until(lambda: query(url, 'ALERTS{alertstate="firing"}'))
            assert (firing["alertname"], firing["severity"], firing["run"]) == ("working", "info", "run")
            assert process.poll() is None, "the alert came while the run was going on"
            assert process.wait(timeout=60) == 0
            [verdict] = until(lambda: query(url, 'soak_verdict{scenario="exported"}'))
            assert (verdict["verdict"], verdict["target"]) == ("PASS", "memory_queue:MemoryQueue")
            exported = {
                sample["sli"]: sample["value"] for sample in until(lambda: query(url, '{__name__=~"soak_sli.*"}'))
            }
            expected = {name: value for name, value in slis(tmp_path).items() if value is not None}
            assert exported == pytest.approx(expected)
            until(lambda: not query(url, 'ALERTS{alertstate="firing"}'))
    assert counts(tmp_path)["error_count"] == 0
    assert counts(tmp_path)["export_count"] >= 5


def test_prometheus_scrapes_a_run_while_it_lives(tmp_path: Path) -> None:
    port = free_port()
    with (
        prometheus(tmp_path, [f"127.0.0.1:{port}"]) as url,
        running(tmp_path, f"{{type: scrape, port: {port}, every: 1s}}", "5m") as process,
    ):
        until(lambda: query(url, "soak_tasks{state='DONE'} > 5"))
        assert process.poll() is None
        assert query(url, "soak_running")[0]["value"] == 1
        assert process.wait(timeout=60) == 0
        [verdict] = until(lambda: query(url, "last_over_time(soak_verdict[1m])"))
        assert verdict["verdict"] == "PASS"
        assert query(url, "last_over_time(soak_running[1m])")[0]["value"] == 0
    assert counts(tmp_path)["export_count"] >= 3
    assert counts(tmp_path)["error_count"] == 0


def test_influxdb_1_holds_every_export(tmp_path: Path) -> None:
    with influxdb(tmp_path) as url:
        influx_query(url, "CREATE DATABASE soak", "")
        code, said = run(tmp_path, f"{{type: influxdb, url: '{url}', database: soak, every: 1s}}")
        assert code == 0, said
        rows = influx_query(url, "SELECT * FROM soak_scenario_time_seconds")
        began = influx_query(url, "SELECT * FROM soak_running")
        assert len(began) == counts(tmp_path)["export_count"] == len(rows) + 1 >= 5
        assert [row["value"] for row in began] == [1.0] * len(rows) + [0.0]
        times = [row["value"] for row in rows]
        assert times == sorted(times)
        [last] = influx_query(url, "SELECT last(value) FROM soak_sli_seconds WHERE sli = 'latency_p95'")
        assert last["last"] == slis(tmp_path)["latency_p95"]


def test_the_write_api_of_influxdb_2(tmp_path: Path) -> None:
    with victoria_metrics(tmp_path) as url:
        code, said = run(
            tmp_path,
            "",
            TIMESERIES_TYPE="influxdb2",
            TIMESERIES_URL=f"{url}?org=quality&bucket=soak",
            TIMESERIES_TOKEN=SENTINEL,
        )
        assert code == 0, said
        assert counts(tmp_path)["export_count"] >= 3
        assert counts(tmp_path)["error_count"] == 0
        wanted = "soak_sli_seconds{sli='latency_p95'}"
        [found] = until(lambda: query(url, wanted, time.time() + 1))
        assert found["value"] == pytest.approx(slis(tmp_path)["latency_p95"])


def test_a_gateway_that_goes_away_is_tried_again(tmp_path: Path) -> None:
    port = free_port()
    with ExitStack() as stack:
        with pushgateway(tmp_path, port) as url:
            export = f"{{type: pushgateway, url: 'http://127.0.0.1:{port}', every: 1s}}"
            process = stack.enter_context(running(tmp_path, export, "9m"))
            until(lambda: "soak_running" in fetch(f"{url}/metrics"))
        assert process.stderr
        assert any("(the run continues, and the export is retried)" in line for line in process.stderr)
        with pushgateway(tmp_path, port) as url:
            _, rest = process.communicate(timeout=60)
            assert 'verdict="PASS"' in fetch(f"{url}/metrics")
    assert process.returncode == 0
    assert "it works again" in rest
    assert counts(tmp_path)["error_count"] >= 1
    assert counts(tmp_path)["export_count"] >= 3


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process wait only briefly for a database when they end."""
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(outlets, "PATIENCE_S", 1.0)


@pytest.mark.usefixtures("here")
def test_a_database_that_is_not_there_when_a_run_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is waited for, but not for ever, and the verdict is not its affair."""
    export = f"{{type: influxdb, url: 'http://127.0.0.1:{free_port()}', database: soak, every: 1s, required: false}}"
    assert run_command(command(tmp_path, export, "2m")[4:]) == 0
    assert "exports were lost" in capsys.readouterr().err
    assert counts(tmp_path)["export_count"] == 0
    assert counts(tmp_path)["error_count"] >= 2


Answer = Callable[[BaseHTTPRequestHandler], object]
WITH_SECRET = {
    "pushgateway": "{{type: pushgateway, url: '{}', timeout: 500ms, username: soak, password: {{from_env: SECRET}}}}",
    "influxdb": "{{type: influxdb, url: '{}', timeout: 500ms, database: soak, username: soak, password: {{from_env: SECRET}}}}",
    "influxdb2": "{{type: influxdb2, url: '{}', timeout: 500ms, org: quality, bucket: soak, token: {{from_env: SECRET}}}}",
}


@contextmanager
def answering(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """The URL of a server that answers as it is told, and with what authority it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        do_PUT = do_POST  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fail_with(status: int) -> Answer:
    """An answer whose text holds what it was sent: a message must not hand that on."""
    return lambda handler: handler.send_error(status, SENTINEL, handler.headers["Authorization"])


def trickle(handler: BaseHTTPRequestHandler) -> None:
    """Every byte comes before any time limit for one is over."""
    with suppress(OSError):
        for byte in b"HTTP/1.1 204 No Content" + 20 * b" ":
            handler.wfile.write(bytes([byte]))
            time.sleep(0.2)


def overflow(handler: BaseHTTPRequestHandler) -> None:
    """A gigabyte, should anyone read it."""
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 500 Oh\r\n\r\n")
        for _ in range(1024):
            handler.wfile.write(bytes(1 << 20))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (fail_with(500), "it answered with status 500"),
        (fail_with(401), "it refused the user name or password (status 401)"),
        (lambda handler: time.sleep(2), "it did not answer in time"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "the connection failed (BadStatusLine)"),
        (lambda handler: handler.connection.shutdown(socket.SHUT_RDWR), "the connection failed (RemoteDisconnected)"),
        (trickle, "it did not answer in time"),
        (overflow, "it answered with status 500"),
    ],
    ids=["500", "401", "slow", "no HTTP", "hangs up", "a byte at a time", "an answer without end"],
)
@pytest.mark.parametrize("database", WITH_SECRET)
def test_a_database_that_fails_before_the_run(
    tmp_path: Path,
    database: str,
    answer: Answer,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SECRET", SENTINEL)
    with answering(answer) as (url, asked):
        words = command(tmp_path, WITH_SECRET[database].format(url))[4:]
        assert run_command([*words, "--target", "orchestrator"]) == 2
    said = capsys.readouterr()
    credentials = base64.b64encode(f"soak:{SENTINEL}".encode()).decode()
    assert set(asked) == {f"Token {SENTINEL}" if database == "influxdb2" else f"Basic {credentials}"}
    assert f"export {database} {url}: {told}; the run was not started" in said.err
    assert SENTINEL not in said.out + said.err
    assert credentials not in said.out + said.err
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("database", WITH_SECRET)
def test_no_secret_is_in_the_evidence(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECRET", SENTINEL)
    turns = iter([204, 500, 401])

    def answer(handler: BaseHTTPRequestHandler) -> None:
        fail_with(next(turns, 500))(handler)

    with answering(answer) as (url, _):
        export = WITH_SECRET[database].format(url).replace("type:", "every: 200ms, type:")
        assert run_command(command(tmp_path, export, "2m")[4:]) == 0
    said = "".join(capsys.readouterr())
    assert "the export is retried" in said
    assert counts(tmp_path)["error_count"] >= 2
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for secret in (SENTINEL, base64.b64encode(f"soak:{SENTINEL}".encode()).decode()):
        assert secret not in said
        assert secret.encode() not in kept


def test_a_run_that_is_refused_is_no_run_to_anyone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second of two databases is not there: the first must not go on telling of a run."""
    with pushgateway(tmp_path) as url:
        gone = f"http://127.0.0.1:{free_port()}"
        export = f"{{type: pushgateway, url: '{url}'}}, {{type: influxdb, url: '{gone}', database: soak}}"
        assert run_command([*command(tmp_path, export)[4:], "--target", "orchestrator"]) == 2
        assert "influxdb" in capsys.readouterr().err
        [running_now] = [line for line in fetch(f"{url}/metrics").splitlines() if line.startswith("soak_running")]
        assert running_now.endswith(" 0")


@pytest.mark.parametrize("database", ["pushgateway", "influxdb"])
def test_a_server_that_is_not_there(tmp_path: Path, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    export = f"{{type: {database}, url: '{gone}'{', database: soak' if database == 'influxdb' else ''}}}"
    assert run_command([*command(tmp_path, export)[4:], "--target", "orchestrator"]) == 2
    assert f"export {database} {gone}: Connection refused; the run was not started" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_that_does_not_begin_touches_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its directory is taken: the figures of another run of the scenario stay as they are."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "file").touch()
    with pushgateway(tmp_path) as url:
        words = command(tmp_path, f"{{type: pushgateway, url: '{url}'}}")[4:]
        assert run_command([*words, "--target", "orchestrator"]) == 2
        assert "exists already and is not an empty directory" in capsys.readouterr().err
        assert "soak_running" not in fetch(f"{url}/metrics")


@pytest.mark.usefixtures("here")
def test_a_run_that_breaks_down_goes_on_for_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise SoakError("the disk is gone")

    monkeypatch.setattr(Recording, "append", broken)
    with pushgateway(tmp_path) as url:
        assert run_command(command(tmp_path, f"{{type: pushgateway, url: '{url}'}}")[4:]) == 1
        [running_now] = [line for line in fetch(f"{url}/metrics").splitlines() if line.startswith("soak_running")]
        assert running_now.endswith(" 0")


def test_a_simulated_run_ended_when_it_was_made(tmp_path: Path) -> None:
    assert run_command(["run", str(WATCHED), "--out", str(tmp_path / "run"), "--duration", "111m"]) == 0
    made = json.loads((tmp_path / "run" / "run_manifest.json").read_text())["started_at"]
    assert run_command(["export", str(tmp_path / "run"), "--line-protocol", "--out", str(tmp_path / "lp")]) == 0
    lines = [line for line in (tmp_path / "lp").read_text().splitlines() if line.startswith("soak_scenario_time_s")]
    last_ms, last_s = (float(lines[-1].split()[place].rpartition("=")[2]) for place in (2, 1))
    assert last_ms / 1000 == datetime.fromisoformat(made).timestamp()
    assert last_s == json.loads((tmp_path / "run" / "verdict.json").read_text())["ended_s"]
    [first] = [line for line in lines if " value=60 " in line]
    assert float(first.split()[2]) == pytest.approx(last_ms - 1000 * (last_s - 60), abs=1)


def test_a_step_that_makes_too_much(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--openmetrics", "--step", "1s", "--out", str(tmp_path / "om")]
    monthly = ["--set", "duration=30d", "--set", "workload.arrivals.rate=1/h", "--set", "phases=[]", "--set", "slos=[]"]
    assert run_command(["run", str(WATCHED), "--out", str(tmp_path / "month"), *monthly]) in {0, 5}
    assert run_command(["export", str(tmp_path / "month"), *words]) == 2
    assert "--step 1s gives too many samples (write 180s or more)" in capsys.readouterr().err


def test_the_series_of_a_simulated_run_reach_prometheus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By way of a file and promtool; every panel of the dashboard shows something of it."""
    assert run_command(["run", str(WATCHED), "--out", str(tmp_path / "run")]) == 0
    words = ["--openmetrics", "--out", str(tmp_path / "metrics.om"), "--start", "2026-01-01T00:00:00Z", "--step", "1m"]
    assert run_command(["export", str(tmp_path / "run"), *words]) == 0
    imported = ["tsdb", "create-blocks-from", "openmetrics", str(tmp_path / "metrics.om"), str(tmp_path / "blocks")]
    promtool(*imported)
    capsys.readouterr()
    assert run_command(["monitoring", str(WATCHED), "--out", str(tmp_path / "m")]) == 0
    dashboard = json.loads((tmp_path / "m" / "dashboard.json").read_text())
    began_s = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    ended_s = began_s + json.loads((tmp_path / "run" / "verdict.json").read_text())["ended_s"]
    with prometheus(tmp_path, [], data=tmp_path / "blocks") as url:
        exported = {sample["sli"]: sample["value"] for sample in query(url, '{__name__=~"soak_sli.*"}', ended_s)}
        assert exported == pytest.approx({name: value for name, value in slis(tmp_path).items() if value is not None})
        for minutes in (5, 40):
            [on] = query(url, "soak_fault_active", began_s + 60 * minutes)
            assert on["value"] == (minutes == 40)
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                asked = target["expr"].replace("$run", ".*").replace("$__rate_interval", "5m")
                # A model has no memory and no files: what it says nothing of stays empty.
                shown = query(url, asked, ended_s) or "soak_level_bytes" in asked
                assert shown, f"{panel['title']}: nothing for {asked}"


def test_the_series_of_a_run_reach_influxdb(tmp_path: Path) -> None:
    assert run_command(["run", str(WATCHED), "--out", str(tmp_path / "run")]) == 0
    words = ["--line-protocol", "--out", str(tmp_path / "metrics.lp"), "--start", "2026-01-01T00:00:00Z"]
    assert run_command(["export", str(tmp_path / "run"), *words]) == 0
    with influxdb(tmp_path) as url:
        influx_query(url, "CREATE DATABASE soak", "")
        fetch(f"{url}/write?db=soak&precision=ms", (tmp_path / "metrics.lp").read_bytes())
        [last] = influx_query(url, "SELECT last(value) FROM soak_sli_seconds WHERE sli = 'latency_p95'")
        assert last["last"] == slis(tmp_path)["latency_p95"]
        rows = influx_query(url, "SELECT value FROM soak_scenario_time_seconds")
        began_ms = 1000 * datetime(2026, 1, 1, tzinfo=UTC).timestamp()
        assert [row["time"] - began_ms for row in rows] == pytest.approx([1000 * row["value"] for row in rows], abs=1)
