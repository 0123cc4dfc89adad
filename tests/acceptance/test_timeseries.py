"""Time series out: real runs, real databases. What is pushed can be queried only after a scrape, so queries are repeated."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import (
    fetch,
    free_port,
    influx_query,
    influxdb,
    prometheus,
    pushgateway,
    query,
    until,
    victoria_metrics,
)

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SENTINEL = "s3cr3t-t0k3n-that-nobody-may-see"
SPEED = 60
SCENARIO = """
version: 1
name: exported
system: queue
duration: {duration}
drain: 2m
workload:
  arrivals: {{rate: 60/min}}
  task: {{duration: {{distribution: constant, value: 2s}}}}
queue: {{workers: 4}}
faults:
  - {{name: flaky, type: transient_error, rate: 5%}}
alerts:
  - {{name: working, when: state_transitions >= 5, severity: info}}
  - {{name: slow, when: latency_p95 > 1h, window: 5m, severity: warning}}
slos: [success_rate >= 50%]
export: [{export}]
"""


def command(path: Path, export: str, duration: str = "4m") -> list[str]:
    (path / "exported.yaml").write_text(SCENARIO.format(export=export, duration=duration))
    words = ["run", path / "exported.yaml", "--target", "memory_queue:MemoryQueue", "--speed", SPEED]
    return [sys.executable, "-P", "-m", "runner", *map(str, [*words, "--out", path / "run"])]


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
    export = "{{type: pushgateway, url: '{}', every: 500ms}}"
    with pushgateway(tmp_path) as gateway:
        words = command(tmp_path, export.format(gateway))
        monitoring = ["monitoring", str(tmp_path / "exported.yaml"), "--speed", str(SPEED), "--out", str(tmp_path / "m")]
        subprocess.run([*words[:4], *monitoring], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=-3)
        scraped = [gateway.removeprefix("http://")]
        with (
            prometheus(tmp_path, scraped, tmp_path / "m" / "alert_rules.yaml") as url,
            running(tmp_path, export.format(gateway), "10m") as process,
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
    assert counts(tmp_path)["export_count"] >= 10


def test_prometheus_scrapes_a_run_while_it_lives(tmp_path: Path) -> None:
    port = free_port()
    with (
        prometheus(tmp_path, [f"127.0.0.1:{port}"]) as url,
        running(tmp_path, f"{{type: scrape, port: {port}, every: 500ms}}", "10m") as process,
    ):
        until(lambda: query(url, "soak_tasks{state='DONE'} > 5"))
        assert process.poll() is None
        assert query(url, "soak_running")[0]["value"] == 1
        assert process.wait(timeout=60) == 0
    assert counts(tmp_path)["export_count"] >= 3
    assert counts(tmp_path)["error_count"] == 0


def test_influxdb_1_holds_every_export(tmp_path: Path) -> None:
    with influxdb(tmp_path) as url:
        influx_query(url, "CREATE DATABASE soak", "")
        code, said = run(tmp_path, f"{{type: influxdb, url: '{url}', database: soak, every: 500ms}}")
        assert code == 0, said
        rows = influx_query(url, "SELECT * FROM soak_scenario_time_seconds")
        began = influx_query(url, "SELECT * FROM soak_running")
        assert len(began) == counts(tmp_path)["export_count"] == len(rows) + 1 >= 8
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
        assert counts(tmp_path) == {"export_count": 3, "error_count": 0}
        wanted = "soak_sli_seconds_value{sli='latency_p95'}"
        [found] = until(lambda: query(url, wanted, time.time() + 1))
        assert found["value"] == slis(tmp_path)["latency_p95"]


def test_a_gateway_that_goes_away_is_tried_again(tmp_path: Path) -> None:
    port = free_port()
    export = f"{{type: pushgateway, url: 'http://127.0.0.1:{port}', every: 500ms}}"
    with running(tmp_path, export, "12m") if False else pushgateway(tmp_path, port):
        process = running(tmp_path, export, "12m")
        live = process.__enter__()
        until((tmp_path / "run").exists)
        time.sleep(2)
    time.sleep(2)
    with pushgateway(tmp_path, port) as url:
        assert live.wait(timeout=60) == 0
        assert 'verdict="PASS"' in fetch(f"{url}/metrics")
    said = live.stderr.read() if live.stderr else ""
    process.__exit__(None, None, None)
    assert "Connection refused (the run goes on, it is tried again)" in said
    assert "it is back" in said
    assert counts(tmp_path)["error_count"] >= 1
    assert counts(tmp_path)["export_count"] >= 8
