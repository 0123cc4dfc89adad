"""The real pipeline for a few seconds, at twenty times its speed: it is killed, terminated, locked, disconnected, and holds every
record exactly once in both sinks.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from servers import fetch, until

from soak.systems.pipeline.child import free_ports

SETTINGS = {
    "health": {"every": 0.5},
    "restart": {"backoff": {"initial": 0.1}, "reset_after": 0.5},
    "alerts": {"settling": 0.3},
    "export": {"every": 1.0},
    "market": {"seed": 5},
    "stream_timeout": 1.5,
}
SPEED, MINUTES = 20, 2.5


class Database(BaseHTTPRequestHandler):
    """Accepts line protocol; `status` is what it answers."""

    status = 204
    received: list[str]

    def do_POST(self) -> None:
        """Keep the lines."""
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@dataclass
class Run:
    """A pipeline that runs, and its files."""

    directory: Path
    process: "subprocess.Popen[bytes]"
    exit_code: int | None = None
    members: set[int] = field(default_factory=set)

    def pid(self, name: str) -> int:
        """The pid of a process, as soon as it runs."""
        pid = int(until((self.directory / f"{name}.pid").read_text))
        self.members.add(pid)
        return pid

    def lines(self, name: str) -> list[dict[str, Any]]:
        """What a file of lines has."""
        path = self.directory / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def json(self, name: str) -> dict[str, Any]:
        """What a JSON file has."""
        found = json.loads((self.directory / f"{name}.json").read_text())
        assert isinstance(found, dict)
        return found

    def port(self, name: str) -> int:
        """The port of a process."""
        return int(self.json("config")["ports"][name])

    def grown(self, records: int) -> bool:
        """Wait for that many more signals."""
        size = (self.directory / "signals.jsonl").stat().st_size
        return until(lambda: (self.directory / "signals.jsonl").stat().st_size > size + 150 * records)

    def restarted(self, name: str, old: int) -> bool:
        """Wait until a process runs anew."""
        return until(lambda: self.pid(name) != old)


def started(directory: Path, *words: str, config: dict[str, Any] | None = None, **environment: str) -> Run:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "given.json"
    path.write_text(json.dumps(config or SETTINGS))
    command = [sys.executable, "-m", "soak.systems.pipeline", "run", "--dir", str(directory), "--config", str(path)]
    with (directory / "supervisor.log").open("wb") as log:
        process = subprocess.Popen([*command, *words], stderr=log, env={**os.environ, **environment})
    return Run(directory, process)


def ended(run: Run) -> None:
    """Wait for the end; whatever happened, no process of the run is left."""
    try:
        run.exit_code = run.process.wait(30)
    finally:
        for pid in (*run.members, run.process.pid):
            if psutil.pid_exists(pid) and "soak.systems.pipeline" in " ".join(psutil.Process(pid).cmdline()):
                os.kill(pid, signal.SIGKILL)


def disturb(run: Run) -> None:
    """One thing after the other: each has an effect before the next."""
    until(lambda: run.lines("signals"))
    for name, number in (("signal", signal.SIGKILL), ("harvest", signal.SIGKILL), ("signal", signal.SIGTERM)):
        run.grown(100)
        old = run.pid(name)
        os.kill(old, number)
        run.restarted(name, old)
        run.grown(100)
    with closing(sqlite3.connect(run.directory / "signals.db", isolation_level=None, timeout=5)) as other:
        other.execute("BEGIN IMMEDIATE")
        run.grown(1000)
        other.execute("ROLLBACK")
    fetch(f"http://127.0.0.1:{run.port('source')}/disconnect", b'{"for": 0.3}')
    Database.status = 500
    until(lambda: any(not each["ok"] for each in run.lines("exports")))
    Database.status = 204
    old = run.pid("broker")
    os.kill(old, signal.SIGKILL)
    run.restarted("broker", old)
    for name in ("harvest", "signal", "report", "source", "exchange"):
        run.pid(name)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run that was disturbed, after its end."""
    Database.received, Database.status = [], 204
    server = ThreadingHTTPServer(("127.0.0.1", 0), Database)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made = started(
        tmp_path_factory.mktemp("run"),
        *("--speed", str(SPEED), "--minutes", str(MINUTES), "--sink", "dual"),
        TIMESERIES_TYPE="influx",
        TIMESERIES_URL=f"http://127.0.0.1:{server.server_port}",
        REPORT_TZ="Asia/Seoul",
    )
    try:
        disturb(made)
    finally:
        ended(made)
        server.shutdown()
        server.server_close()
    yield made


def test_both_sinks_hold_every_record_exactly_once(run: Run) -> None:
    sent = [each for line in run.lines("source") for each in range(line["first"], line["last"] + 1)]
    assert sent == list(range(round(MINUTES * 60 * 155)))
    assert [line["seq"] for line in run.lines("raw")] == sent
    assert [line["seq"] for line in run.lines("signals")] == sent
    with closing(sqlite3.connect(run.directory / "signals.db")) as database:
        assert [seq for (seq,) in database.execute("SELECT seq FROM signals ORDER BY rowid")] == sent
    assert run.json("parity_diff")["agree"] is True


def test_every_confirmed_signal_has_one_order(run: Run) -> None:
    confirmed = [line["seq"] for line in run.lines("signals") if line["confirm"]]
    assert [line["seq"] for line in run.lines("orders")] == confirmed


def test_times_are_in_order(run: Run) -> None:
    for line in run.lines("signals"):
        assert line["sent"] <= line["at"]
    assert [line["at"] for line in run.lines("signals")] == sorted(line["at"] for line in run.lines("signals"))


def test_the_supervisor_counts_what_was_done(run: Run) -> None:
    assert run.exit_code == 0
    restarts = Counter(line["process"] for line in run.lines("restarts"))
    assert restarts == {"signal": 2, "harvest": 1, "broker": 1}
    assert [line["exit"] for line in run.lines("restarts") if line["process"] == "signal"] == [-9, -15]
    manifest = run.json("run_manifest")
    assert {name: each["restart_count"] for name, each in manifest["processes"].items()} == {**restarts, "report": 0}
    assert [len(each["lives"]) for each in manifest["processes"].values()] == [2, 3, 2, 1]
    assert manifest["harvester_metrics"]["reconnects"] == 1
    assert manifest["harvester_metrics"]["queue_dropped"] == 0


def test_every_process_is_probed_in_each_round(run: Run) -> None:
    rounds: dict[float, list[str]] = {}
    for line in run.lines("probes"):
        rounds.setdefault(line["due"], []).append(line["process"])
    assert {tuple(sorted(each)) for each in rounds.values()} == {("broker", "harvest", "report", "signal")}
    epoch = run.json("session")["epoch"]
    offsets = [(due - epoch) / 0.5 for due in sorted(rounds) if due > epoch]
    assert offsets == pytest.approx([round(each) for each in offsets], abs=1e-3)


def test_processes_are_stopped_in_order_with_nothing_left(run: Run) -> None:
    first, *rest = run.lines("shutdown")
    assert first["event"] == "started"
    assert [(line["process"], line["left"]) for line in rest] == [
        *(("report", 0), ("broker", 0), ("signal", 0), ("harvest", 0))
    ]
    assert run.json("run_manifest")["shutdown_order"] == ["report", "broker", "signal", "harvest"]
    assert [pid for pid in run.members if psutil.pid_exists(pid)] == []


def test_each_sink_has_its_report_in_local_time(run: Run) -> None:
    for sink in ("jsonl", "sqlite"):
        report = run.json(f"daily_report.{sink}")
        assert (report["total"], report["timezone"]) == (round(MINUTES * 60 * 155), "Asia/Seoul")
        assert report["session"]["from"].endswith("+09:00")
        assert (run.directory / f"daily_report.{sink}.md").read_text().startswith("# Daily report")


def test_exports_are_made_and_a_failure_is_recorded(run: Run) -> None:
    exports = run.lines("exports")
    assert len(exports) == MINUTES * 60 / SPEED // 1
    assert {each["ok"] for each in exports} == {True, False}
    told = run.json("run_manifest")["timeseries_export"]
    assert (told["export_count"], told["error_count"]) == (
        sum(each["ok"] for each in exports),
        sum(not each["ok"] for each in exports),
    )
    assert told["reachable_before_start"] is True
    assert any("strong_ratio=" in each for each in Database.received)


def test_logs_are_appended_to(run: Run) -> None:
    assert (run.directory / "signal.log").read_text().count("signal: ready") == 3


def test_memory_of_every_process_is_in_the_manifest(run: Run) -> None:
    usage = run.json("run_manifest")["resource_usage"]
    assert set(usage) == {"supervisor", "harvest", "signal", "broker", "report"}
    assert all(each["max_rss_bytes"] > 1_000_000 for each in usage.values())
    assert {line["process"] for line in run.lines("resources")} == set(usage)


def test_a_silent_source_is_noticed_and_alerted_on(tmp_path: Path) -> None:
    """A replay with a pause of 2 s: at 120 times the speed that is 4 minutes."""
    replay = tmp_path / "replay.jsonl"
    times = [0.01 * n for n in range(90)] + [3.0 + 0.01 * n for n in range(200)]
    records = ({"seq": n, "t": t, "symbol": "A", "strength": 0.05, "consistency": 0.5} for n, t in enumerate(times))
    replay.write_text("".join(json.dumps(each) + "\n" for each in records) + '{"end": true}\n')
    ports = free_ports(["stream", "source"], {})
    words = ["--port", str(ports["stream"]), "--control-port", str(ports["source"]), "--dir", str(tmp_path)]
    source = subprocess.Popen(
        [sys.executable, "-m", "soak.systems.pipeline", "source", "--replay", str(replay), *words],
        stderr=subprocess.DEVNULL,
    )
    config = SETTINGS | {"stream_timeout": 0.5, "alerts": {"settling": 0.3, "no_records": {"for": 1.0}}}
    made = started(
        tmp_path / "run",
        *("--speed", "120", "--minutes", "10", "--sink", "sqlite", "--source", f"ws://127.0.0.1:{ports['stream']}"),
        config=config,
    )
    try:
        until(lambda: "ready" in str(made.lines("processes")) and made.pid("harvest"))
        until(lambda: fetch(f"http://127.0.0.1:{made.port('harvest')}/health"))
        go = json.dumps({"epoch": time.time() + 0.5}).encode()
        until(lambda: fetch(f"http://127.0.0.1:{ports['source']}/go", go))
        for name in ("signal", "broker", "report", "exchange"):
            made.pid(name)
    finally:
        ended(made)
        source.terminate()
        source.wait(10)
    alerts = [(each["rule"], each["state"]) for each in made.lines("alerts")]
    assert alerts == [("no_records", "fired"), ("no_records", "resolved")]
    assert made.json("run_manifest")["harvester_metrics"]["stream_timeouts"] >= 2
    assert made.json("daily_report.sqlite")["total"] == 290
    assert [each["state"] for each in made.json("daily_report.sqlite")["alerts"]] == ["fired", "resolved"]


def test_a_killed_supervisor_leaves_no_process(tmp_path: Path) -> None:
    made = started(tmp_path / "run")
    try:
        until(lambda: made.lines("signals"))
        names = ("harvest", "signal", "broker", "report", "source", "exchange")
        pids = [made.pid(name) for name in names]
        made.process.kill()
        until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    finally:
        ended(made)


DEFECTS = (
    "restart_counter_reset",
    "replay_after_restart",
    "logs_truncated",
    "wrong_shutdown_order",
    "resources_of_supervisor_only",
    "metrics_default_zero",
    "leak_in_harvest",
)


@pytest.fixture(scope="module")
def defective(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with several defects, in which signal was killed and the source disconnected; harvest was seen to grow."""
    words = [word for name in DEFECTS for word in ("--defect", name)]
    made = started(tmp_path_factory.mktemp("defective"), "--speed", "20", "--minutes", "1.4", *words)
    try:
        until(lambda: made.lines("signals"))
        made.grown(500)
        old = made.pid("signal")
        os.kill(old, signal.SIGKILL)
        fetch(f"http://127.0.0.1:{made.port('source')}/disconnect", b"{}")
        made.restarted("signal", old)
        for name in ("harvest", "broker", "report", "source", "exchange"):
            made.pid(name)
        harvest = psutil.Process(made.pid("harvest"))
        until(lambda: harvest.memory_info().rss > 50e6)  # without the defect it has 30 MB
    finally:
        ended(made)
    return made


def test_a_restart_that_is_not_counted(defective: Run) -> None:
    signals = defective.json("run_manifest")["processes"]["signal"]
    assert (signals["restart_count"], len(signals["lives"])) == (0, 2)
    assert [line["count"] for line in defective.lines("restarts")] == [0]


def test_what_was_processed_is_processed_again(defective: Run) -> None:
    sent = round(1.4 * 60 * 155)
    with closing(sqlite3.connect(defective.directory / "signals.db")) as database:
        rows = [seq for (seq,) in database.execute("SELECT seq FROM signals")]
    for keys in ([line["seq"] for line in defective.lines("signals")], rows):
        assert set(keys) == set(range(sent))
        assert len(keys) > sent


def test_a_log_that_was_truncated(defective: Run) -> None:
    assert (defective.directory / "signal.log").read_text().count("signal: ready") == 1


def test_processes_stopped_in_the_wrong_order(defective: Run) -> None:
    assert [line.get("process") for line in defective.lines("shutdown")] == [
        *(None, "harvest", "signal", "broker", "report")
    ]


def test_a_manifest_that_misses_what_it_should_have(defective: Run) -> None:
    manifest = defective.json("run_manifest")
    assert set(manifest["resource_usage"]) == {"supervisor"}
    assert {line["process"] for line in defective.lines("resources")} == {"supervisor"}
    assert manifest["harvester_metrics"]["reconnects"] == 0
    assert defective.json("source.end")["counters"]["connections_total"] == 2
