"""Real runs against gateways: the bundled one over both databases, with faults that are seen, and a service at a URL."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gateway_servers import postgres_program
from servers import fetch, free_port, need, until

TINY = Path(__file__).parents[1] / "unit" / "targets" / "gateway" / "tiny_gateway.py"
HTTP = """
http:
  timeout: 1500ms
  login:
    for_each: tenant
    request: {method: POST, path: /token, json: {tenant: "{tenant}", secret: "secret-{tenant}"}}
    save: {token: $.token}
  headers: {Authorization: "Bearer {token}"}
"""
SCENARIO = """
version: 1
name: short
system: gateway
duration: 8s
drain: 3s
seed: 3
workload:
  users: {{count: 12, think: {{distribution: exponential, mean: 300ms}}}}
  tenants: [{{name: A, share: 60%}}, {{name: B, share: 40%}}]
  kinds:
    - name: allowed
      share: 60%
      request: {{method: POST, path: /execute, json: {{tool: search, args: {{q: "{{number}}"}}}}}}
      expect: {{status: 200, json: {{decision: allow}}}}
    - {{name: denied, share: 20%, request: {{method: POST, path: /execute, json: {{tool: drop_table}}}}, expect: {{status: 403}}}}
    - {{name: reads, share: 20%, request: {{path: /executions}}, expect: {{status: 200}}}}
faults: [{faults}]
slos: [wrong_answers == 0, "latency_p95{{tenant=*}} <= 1s", success_rate >= 10%]
telemetry: {{sample_interval: 1s}}
"""
KILL = "{name: kill, type: gateway_kill, at: 1500ms, for: 1s}"
STORE = "{name: store, type: store_outage, at: 4s, for: 2500ms}"
LOCK = "{name: lock, type: lock_outage, at: 1500ms, for: 1500ms}"


def soak(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "soak", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)


def left_of(folder: Path) -> list[str]:
    """The command lines of processes that name a folder."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and str(folder).encode() in (line := (path / "cmdline").read_bytes()):
                found.append(line.replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


class Run:
    """A run that is over."""

    def __init__(self, folder: Path, target: str, *faults: str) -> None:
        self.folder = folder / "run"
        scenario = folder / "scenario.yaml"
        scenario.write_text(SCENARIO.format(faults=", ".join(faults)) + HTTP)
        self.done = soak("run", scenario, "--target", target, "--out", self.folder)
        assert (self.folder / "verdict.json").exists(), self.done.stderr
        self.verdict: Any = json.loads((self.folder / "verdict.json").read_text())
        lines = (self.folder / "soak_short.jsonl").read_text().splitlines()
        self.events: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [each for each in self.events if each["type"] == type_]

    def faults(self, name: str) -> list[str]:
        return [
            each["type"].removeprefix("fault.")
            for each in self.events
            if each["type"].startswith("fault.") and each.get("fault") == name
        ]

    def statuses(self) -> dict[str, str]:
        return {each["objective"]: each["status"] for each in self.verdict["objectives"]}


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("sqlite"), "gateway", KILL, STORE)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Run:
    postgres_program("initdb")
    need("redis-server")
    return Run(tmp_path_factory.mktemp("postgres"), "gateway-postgres", LOCK, STORE)


@pytest.fixture(params=["sqlite", "postgres"])
def run(request: pytest.FixtureRequest) -> Run:
    found: Run = request.getfixturevalue(request.param)
    return found


def test_a_run_has_a_verdict_that_can_be_recomputed(run: Run) -> None:
    assert run.done.returncode in {0, 3, 5}, run.done.stderr
    assert "internal error" not in run.done.stderr
    assert run.statuses()["wrong_answers == 0"] == "PASS"
    again = soak("verify", run.folder)
    assert again.stdout.rstrip().endswith("the evidence agrees"), again.stdout


def test_every_request_has_one_end(run: Run) -> None:
    sent = [each["task"] for each in run.of("task.dispatched")]
    ended = [each["task"] for each in [*run.of("task.done"), *run.of("task.failed")]]
    assert len(sent) > 100
    assert len(set(sent)) == len(sent)
    assert sorted(ended) == sorted(sent)
    census = {each["state"]: each["value"] for each in run.of("sample.state")}
    assert census["DONE"] == len(run.of("task.done"))
    assert census["FAILED"] == len(run.of("task.failed"))


def test_a_killed_worker_is_seen_and_comes_back(sqlite: Run) -> None:
    assert sqlite.faults("kill") == ["injected", "cleared"]
    killed = [each for each in sqlite.of("process.exited") if each.get("fault") == "kill"]
    assert [each["name"] for each in killed] == ["http-0"]
    assert [each["name"] for each in sqlite.of("process.started")] == ["http-0"]


def test_a_locked_database_fails_requests(sqlite: Run) -> None:
    assert sqlite.faults("store") == ["injected", "seen", "cleared"]
    errors = {each["error"] for each in sqlite.of("task.failed") if each["t"] > 4}
    assert errors <= {"timeout", "server_error"}
    assert errors
    lines = [json.loads(line) for line in (sqlite.folder / "system" / "errors.jsonl").read_text().splitlines()]
    failed = {(each["task"], each["error"]) for each in sqlite.of("task.failed")}
    assert lines
    assert {(each["task"], each["error"]) for each in lines} <= failed
    assert all(each["reason"] for each in lines)


def test_a_database_and_a_lock_service_that_are_gone_and_back(postgres: Run) -> None:
    for name, service in (("store", "postgres"), ("lock", "redis")):
        assert postgres.faults(name) == ["injected", "seen", "cleared"], name
        (exit_,) = [each for each in postgres.of("process.exited") if each["name"] == service]
        (start,) = [each for each in postgres.of("process.started") if each["name"] == service]
        assert exit_["fault"] == name
        assert start["t"] > exit_["t"]
    end = max(each["t"] for each in postgres.of("process.started"))
    assert [each for each in postgres.of("task.done") if each["t"] > end]


def test_the_service_is_measured_with_all_its_processes_and_what_it_reports(run: Run) -> None:
    with (run.folder / "processes.csv").open() as file:
        names = {row["process"] for row in csv.DictReader(file)}
    assert {"supervisor", "http-0", "http-1", "outbox", "load0", "runner"} <= names
    assert not names & {"postgres", "redis"}
    for kind in ("rss", "cpu", "open_files", "threads", "in_service", "outbox", "load_cpu", "load_lag"):
        assert run.of(f"sample.{kind}"), kind


def test_nothing_is_left(run: Run) -> None:
    assert left_of(run.folder) == []
    assert "left behind" not in run.done.stderr


# A service at a URL.


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, str(TINY), str(port)])
    try:
        until(lambda: fetch(f"http://127.0.0.1:{port}/"))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


AT_URL = """
version: 1
name: short
system: gateway
duration: {duration}
drain: 5s
workload:
  arrivals: {{rate: 40/s}}
  task: {{request: {{path: "/items?n={{number}}"}}, expect: {{json: {{path: "/items?n={{number}}"}}}}}}
http: {{url: "{url}"}}
teardown:
  - {{name: tell, http: {{path: /over}}}}
  - {{name: look, exec: [sh, -c, "pgrep -P $PPID -f [s]oak.runner.load > {{dir}}/load; true"]}}
slos: [success_rate >= 99%, wrong_answers == 0]
telemetry: {{sample_interval: 1s}}
"""


@contextmanager
def at_url(folder: Path, url: str) -> Iterator["subprocess.Popen[str]"]:
    """A long run that has begun."""
    scenario = folder / "scenario.yaml"
    scenario.write_text(AT_URL.format(duration="10m", url=url))
    words = ["run", str(scenario), "--target", "http", "--out", str(folder / "run")]
    process = subprocess.Popen([sys.executable, "-m", "soak", *words], stderr=subprocess.PIPE, text=True)
    stream = folder / "run" / "soak_short.jsonl"
    try:
        until(lambda: "task.done" in stream.read_text())
        yield process
    finally:
        process.kill()
        process.communicate()


def load_processes(parent: int) -> list[int]:
    """The processes that make the load of a run."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            if path.name.isdigit() and b"soak.runner.load\0" in (line := (path / "cmdline").read_bytes()):
                found += [int(path.name)] if f"\0{parent}\0".encode() in line else []
        except OSError:
            continue
    return found


def test_a_run_at_a_url_judges_its_answers(service: str, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(AT_URL.format(duration="3s", url=service))
    done = soak("run", scenario, "--target", "http", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert soak("verify", tmp_path / "run").stdout.rstrip().endswith("the evidence agrees")


def test_a_target_file_with_nothing_but_a_url(service: str, tmp_path: Path) -> None:
    (tmp_path / "target.yaml").write_text(f"name: mine\nurl: {service}\n")
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(AT_URL.format(duration="1s", url="http://127.0.0.1:9"))
    done = soak("run", scenario, "--target", tmp_path / "target.yaml", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "run" / "verdict.json").read_text())["target"] == "mine"


def test_ctrl_c_keeps_the_evidence_and_ends_the_load(service: str, tmp_path: Path) -> None:
    with at_url(tmp_path, service) as process:
        assert load_processes(process.pid)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "teardown tell" in said
        assert load_processes(process.pid) == []
    # The load ends before the teardown, which nothing must undo.
    assert (tmp_path / "run" / "system" / "load").read_text() == ""
    assert "internal error" not in said
    assert soak("verify", tmp_path / "run").stdout.rstrip().endswith("the evidence agrees")


def test_the_load_ends_with_a_killed_runner(service: str, tmp_path: Path) -> None:
    with at_url(tmp_path, service) as process:
        assert load_processes(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: not load_processes(process.pid))


def test_a_load_generator_that_dies_fails_the_run_in_words(service: str, tmp_path: Path) -> None:
    with at_url(tmp_path, service) as process:
        (load,) = load_processes(process.pid)
        os.kill(load, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 1
    assert "the load generator load0 ended" in said
    assert "partial evidence is judged in" in said
