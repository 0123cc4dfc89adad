"""The bundled gateway, PostgreSQL and Redis for tests: real servers on free ports, ended by their processes."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
import pytest
from servers import REQUIRED, fetch, free_port, need, until

ADMIN = {"Authorization": "Bearer admin-token"}
T = TypeVar("T")


def postgres_program(name: str) -> str:
    """The path of a program of PostgreSQL; skips the test, or fails it, when it is not there."""
    found = [*map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), shutil.which(name) or ""]
    if not any(found):
        (pytest.fail if os.environ.get(REQUIRED) == "required" else pytest.skip)(f"{name} is not installed")
    return next(filter(None, found))


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


@dataclass
class Postgres:
    """A server that can be stopped and started again; `url` stays the same."""

    directory: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Of its database."""
        return f"postgresql://soak@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        settings |= {"synchronous_commit": "off", "full_page_writes": "off", "max_connections": 100}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as output:
            self.process = subprocess.Popen(
                [postgres_program("postgres"), "-D", str(self.directory / "data"), *words],
                stdout=output,
                stderr=output,
                **_unprivileged(),
            )
        until(self._answers)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it; by default it breaks off all sessions in order."""
        if self.process:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL with an empty database, in a directory of its own."""
    initdb = postgres_program("initdb")
    # Not in the directory of the test: another user has to reach it.
    directory = Path(tempfile.mkdtemp(prefix="soak-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres", "postgres")
        words = ["-D", str(directory / "data"), "-A", "trust", "-U", "soak", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run([initdb, *words], check=True, capture_output=True, timeout=60, **_unprivileged())
        server = Postgres(directory, free_port())
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@dataclass
class Redis:
    """A server that can be stopped and started again, without what it knew."""

    directory: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Of its database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.directory)]
        with (self.directory / "redis.log").open("ab") as output:
            self.process = subprocess.Popen(["redis-server", *words], stdout=output, stderr=output)
        until(self._answers)

    def _answers(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100) == b"+PONG\r\n"

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop it."""
        if self.process:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None


@contextmanager
def redis(directory: Path) -> Iterator[Redis]:
    """A Redis without any keys."""
    need("redis-server")
    server = Redis(directory, free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()


@dataclass
class Gateway:
    """A gateway that runs, and its callers."""

    url: str
    directory: Path
    process: "subprocess.Popen[bytes]"
    client: httpx.Client
    _tokens: dict[str, str] = field(default_factory=dict)

    def login(self, tenant: str) -> dict[str, Any]:
        """What a tenant gets for its secret."""
        answer = self.client.post("/token", json={"tenant": tenant, "secret": f"secret-{tenant}"})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def headers(self, tenant: str) -> dict[str, str]:
        """With a token of the tenant, which is asked for once."""
        if tenant not in self._tokens:
            self._tokens[tenant] = self.login(tenant)["token"]
        return {"Authorization": f"Bearer {self._tokens[tenant]}"}

    def get(self, tenant: str, path: str) -> httpx.Response:
        """The answer to a tenant."""
        return self.client.get(path, headers=self.headers(tenant))

    def asked(self, tenant: str, path: str) -> dict[str, Any]:
        """What a page says to a tenant."""
        answer = self.get(tenant, path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def execute(self, tenant: str, tool: str = "search", **more: object) -> httpx.Response:
        """The answer to an execution."""
        return self.client.post("/execute", json={"tool": tool, **more}, headers=self.headers(tenant))

    def many(self, count: int, tenant: str = "A", at_once: int = 16, **more: Any) -> list[httpx.Response]:
        """Executions of a tenant, several at once, in the order they were begun."""
        return self.at_once([lambda: self.execute(tenant, **more)] * count, at_once)

    def at_once(self, calls: list[Callable[[], T]], threads: int = 50) -> list[T]:
        """What calls answer that are made at the same time."""
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(lambda call: call(), calls))

    def settled(self, tenant: str = "A") -> dict[str, Any]:
        """The reconciliation, once nothing is pending."""
        return until(lambda: (found := self.asked(tenant, "/reconcile"))["pending"] == 0 and found)  # type: ignore[return-value]

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all series that have these labels."""
        lines = [line.rpartition(" ") for line in self.client.get("/metrics").text.splitlines() if line[:1] != "#"]
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        plain = f"gateway_{name}"
        return sum(
            float(value)
            for series, _, value in lines
            if series.partition("{")[0] == plain and all(each in series for each in wanted)
        )

    def pid(self, name: str) -> int:
        """Of one of its processes."""
        return int((self.directory / f"{name}.pid").read_text())

    def pids(self) -> list[int]:
        """Of all of its processes."""
        return [self.process.pid, *(int(path.read_text()) for path in sorted(self.directory.glob("[ho]*.pid")))]

    def logged(self) -> str:
        """What its processes have written."""
        return "".join(path.read_text() for path in sorted(self.directory.glob("*.log")))


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def gateway(
    directory: Path,
    *defects: str,
    database: str = "",
    redis: str = "",
    workers: int = 2,
    environment: Mapping[str, str] | None = None,
    **settings: object,
) -> Iterator[Gateway]:
    """A gateway; `settings`: of its configuration. At the end it has to stop by itself, with 0."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "given.json").write_text(json.dumps(settings))
    port = free_port()
    words = ["serve", "--dir", directory, "--port", port, "--workers", workers, "--config", directory / "given.json"]
    words += ["--database", database] if database else []
    words += ["--redis", redis] if redis else []
    with (directory / "serve.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "soak.systems.gateway", *map(str, words)],
            stdout=output,
            stderr=output,
            env={**os.environ, "GATEWAY_DEFECT": ",".join(defects), **(environment or {})},
        )
    url = f"http://127.0.0.1:{port}"
    limits = httpx.Limits(max_connections=100, max_keepalive_connections=100)
    try:
        with httpx.Client(base_url=url, timeout=30, limits=limits) as client:
            found = Gateway(url, directory, process, client)
            until(lambda: process.poll() is not None or _all_are_up(found, workers))
            assert process.poll() is None, (directory / "serve.log").read_text()
            yield found
    finally:
        _end(process, directory)


def _all_are_up(found: Gateway, workers: int) -> bool:
    """Whether each HTTP process has said that it serves; a new connection goes to any of them."""
    for _ in range(8 * workers):
        fetch(f"{found.url}/health")
    return all(found.metric("up", worker=str(row)) for row in range(workers))


def _end(process: "subprocess.Popen[bytes]", directory: Path) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    pids = [int(path.read_text()) for path in directory.glob("[ho]*.pid")]
    deadline = time.monotonic() + 10
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(alive, pids)), "a process was left behind"
