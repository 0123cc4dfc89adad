"""Real servers for tests: each on a free port of the loopback, ended by its process when the test is over."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

REQUIRED = "SOAK_TEST_SERVERS"
"""Set to `required`, a server that is not installed is a failure, and no reason to skip a test."""

PATIENCE_S = 60.0
T = TypeVar("T")


def free_port() -> int:
    """A port of the loopback that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(ask: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """What `ask` answers, as soon as that is something; fails when it takes too long."""
    deadline, said = time.monotonic() + patience_s, ""
    while time.monotonic() < deadline:
        try:
            if answer := ask():
                return answer
        except (OSError, ValueError) as error:
            said = f": {error}"
        time.sleep(0.05)
    pytest.fail(f"nothing came within {patience_s:g} s{said}")


def fetch(url: str, data: bytes | None = None) -> str:
    """The answer to a request. Raises OSError."""
    with urllib.request.urlopen(url, data, timeout=5) as answer:
        return str(answer.read().decode())


def need(program: str) -> None:
    """Skip the test, or fail it, when a program is not there."""
    if not shutil.which(program):
        (pytest.fail if os.environ.get(REQUIRED) == "required" else pytest.skip)(f"{program} is not installed")


def promtool(*words: str) -> str:
    """What promtool says; fails the test when it does not like what it is given."""
    need("promtool")
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def serving(program: str, words: list[str], log: Path, is_up: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server, once `is_up` answers."""
    need(program)
    with log.open("ab") as output:
        process = subprocess.Popen([program, *words], stdout=output, stderr=output)
    try:
        until(lambda: process.poll() is None and fetch(is_up) is not None)
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def pushgateway(folder: Path, port: int | None = None) -> Iterator[str]:
    """The URL of a Pushgateway."""
    address = f"127.0.0.1:{port or free_port()}"
    with serving(
        "prometheus-pushgateway",
        [f"--web.listen-address={address}", f"--persistence.file={folder / 'pushed'}"],
        folder / "pushgateway.log",
        f"http://{address}/-/ready",
    ):
        yield f"http://{address}"


@contextmanager
def prometheus(
    folder: Path, scraped: list[str], rules: Path | None = None, data: Path | None = None, *, receives: bool = False
) -> Iterator[str]:
    """The URL of a Prometheus that scrapes these addresses every half second; `data`: blocks that are there already.

    receives: it takes remote write.
    """
    address = f"127.0.0.1:{free_port()}"
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(rules)] if rules else [],
        "scrape_configs": [{"job_name": "soak", "honor_labels": True, "static_configs": [{"targets": scraped}]}],
    }
    (folder / "prometheus.json").write_text(json.dumps(config))
    words = [
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={data or folder / 'prometheus'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address={address}",
        *(["--web.enable-remote-write-receiver"] if receives else []),
    ]
    with serving("prometheus", words, folder / "prometheus.log", f"http://{address}/-/ready"):
        yield f"http://{address}"


def query(url: str, expression: str, time_s: float | None = None) -> list[dict[str, Any]]:
    """The samples that a PromQL expression gives, now or at a Unix time."""
    asked = {"query": expression, **({"time": f"{time_s}"} if time_s is not None else {})}
    answer = json.loads(fetch(f"{url}/api/v1/query?{urllib.parse.urlencode(asked)}"))
    return [{**sample["metric"], "value": float(sample["value"][1])} for sample in answer["data"]["result"]]


@contextmanager
def influxdb(folder: Path, port: int | None = None) -> Iterator[str]:
    """The URL of an InfluxDB 1 without any database."""
    address, peers = f"127.0.0.1:{port or free_port()}", f"127.0.0.1:{free_port()}"
    (folder / "influxdb.toml").write_text(
        f"""
        reporting-disabled = true
        bind-address = "{peers}"
        [meta]
        dir = "{folder / "meta"}"
        [data]
        dir = "{folder / "data"}"
        wal-dir = "{folder / "wal"}"
        [http]
        bind-address = "{address}"
        """
    )
    words = ["run", "-config", str(folder / "influxdb.toml")]
    with serving("influxd", words, folder / "influxdb.log", f"http://{address}/ping"):
        yield f"http://{address}"


def influx_query(url: str, text: str, database: str = "soak") -> list[dict[str, Any]]:
    """The rows that an InfluxQL query gives; for several series one after the other."""
    asked = urllib.parse.urlencode({"db": database, "q": text, "epoch": "ms"}).encode()
    [result] = json.loads(fetch(f"{url}/query", asked))["results"]
    assert "error" not in result, result
    return [
        dict(zip(series["columns"], row, strict=True)) | series.get("tags", {})
        for series in result.get("series", [])
        for row in series["values"]
    ]


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[str]:
    """The URL of a VictoriaMetrics: it takes what is written by the API of InfluxDB 2, and answers PromQL."""
    address = f"127.0.0.1:{free_port()}"
    words = [
        f"-httpListenAddr={address}",
        f"-storageDataPath={folder / 'victoria'}",
        "-search.latencyOffset=1s",
        "-influxSkipSingleField",
    ]
    with serving("victoria-metrics", words, folder / "victoria.log", f"http://{address}/health"):
        yield f"http://{address}"
