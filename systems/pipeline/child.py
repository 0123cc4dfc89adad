"""A process that the supervisor keeps alive: its lives, its probes, its resources."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from enum import StrEnum

import psutil

from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.restarts import Restarts
from soak.systems.pipeline.settings import Settings
from soak.systems.pipeline.spool import read_json
from soak.systems.pipeline.web import ask, why


class State(StrEnum):
    """What a process is doing, as its supervisor knows."""

    DOWN = "down"
    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    ABANDONED = "abandoned"
    STOPPING = "stopping"


@dataclass
class Life:
    """From a start of a process to its end; Unix times."""

    pid: int
    started_at: float
    ready_at: float | None = None
    exited_at: float | None = None
    exit: int | None = None
    counters: dict[str, float] = field(default_factory=dict)
    rss_bytes: int = 0
    open_files: int = 0
    cpu_s: float = 0.0

    def told(self) -> dict[str, object]:
        """As it is reported."""
        return {
            "pid": self.pid,
            "started_at": self.started_at,
            "ready_at": self.ready_at,
            "exited_at": self.exited_at,
            "exit": self.exit,
        }


@dataclass(frozen=True)
class Usage:
    """What a process uses; CPU since its start."""

    rss_bytes: int
    open_files: int
    cpu_s: float

    def told(self) -> dict[str, float]:
        """As it is reported."""
        return {"rss_bytes": self.rss_bytes, "open_files": self.open_files, "cpu_s": round(self.cpu_s, 3)}


def usage_of(pid: int) -> Usage | None:
    """What a process uses now; None if it has ended."""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            return Usage(process.memory_info().rss, process.num_fds(), times.user + times.system)
    except psutil.Error:
        return None


class Child:
    """One process, over all its lives."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name, self._settings = name, settings
        self.state = State.DOWN
        self.restarts = Restarts(settings.restart, forgets=settings.has(Defect.RESTART_COUNTER_RESET))
        self.lives: list[Life] = []
        self.failed = 0
        """Probes of its rounds that failed, in a row."""
        self.degraded = False
        """Whether it said last that it cannot do all of its work."""
        self.waiting = 0
        """What it said last of what waits for it."""
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def life(self) -> Life:
        """The life that it has, or had last."""
        return self.lives[-1]

    @property
    def alive(self) -> bool:
        """Whether its process has not ended, as far as it was noticed."""
        return self._popen is not None and self._popen.returncode is None

    def start(self) -> None:
        """Start the process."""
        directory = self._settings.path
        command = [sys.executable, "-m", "soak.systems.pipeline", self.name, "--config", str(directory / "config.json")]
        truncated = self._settings.has(Defect.LOGS_TRUNCATED)
        with (directory / f"{self.name}.log").open("wb" if truncated else "ab") as file:
            self._popen = subprocess.Popen(
                [*command, "--parent", str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                process_group=0,
            )
        # Known from the start on, also of one that ends before it could write this itself.
        (directory / f"{self.name}.pid").write_text(f"{self._popen.pid}\n", encoding="utf-8")
        self.state, self.failed = State.STARTING, 0
        self.lives.append(Life(self._popen.pid, time.time()))

    def ended(self) -> int | None:
        """The exit code (negative: the signal) if the process has ended since this was asked last."""
        if not self.alive:
            return None
        assert self._popen is not None
        code = self._popen.poll()
        if code is not None:
            self.life.exit, self.life.exited_at = code, time.time()
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process has not ended."""
        # Not by Popen, which would first look whether it has ended, and keep that to itself. Until then the pid is its own.
        if self.alive:
            os.kill(self.life.pid, number)

    async def probe(self) -> tuple[bool, str]:
        """Whether it is healthy: it answers, in time, itself, and progresses; and the reason, if not or only partly."""
        port, life = self._settings.ports[self.name], self.life
        try:
            status, body = await ask(f"http://127.0.0.1:{port}/health", timeout_s=self._settings.health.timeout)
            says = json.loads(body)
        except TimeoutError:
            return False, "no answer in time"
        except OSError as error:
            return False, f"no answer: {why(error)}"
        except ValueError:
            return False, "its answer is not JSON"
        if not isinstance(says, dict) or says.get("pid") != life.pid:
            return False, "another process has its port"
        life.counters = says.get("counters") or {}
        self.waiting = int(says.get("waiting") or 0)
        self.degraded = bool(says.get("degraded"))
        return status == 200, str(says.get("reason") or "")

    def sample(self) -> Usage | None:
        """Measure memory, open files and CPU of the process; None if it has ended."""
        used = usage_of(self.life.pid) if self.alive else None
        if used:
            self.life.rss_bytes = max(self.life.rss_bytes, used.rss_bytes)
            self.life.open_files = max(self.life.open_files, used.open_files)
            self.life.cpu_s = used.cpu_s
        return used

    def read_end(self) -> int | None:
        """What was left when it was stopped, as it said at its end; None if it could not."""
        end = read_json(self._settings.path / f"{self.name}.end.json")
        if not (isinstance(end, dict) and end.get("pid") == self.life.pid):
            return None
        self.life.counters = end["counters"]
        return int(end["waiting"])

    def counter(self, name: str) -> float | None:
        """A counter over all its lives; None if it was never read."""
        found = [life.counters[name] for life in self.lives if name in life.counters]
        return sum(found) if found else None


def free_ports(names: list[str], taken: dict[str, int]) -> dict[str, int]:
    """A port for each name; free ones, where none is given."""
    sockets = {name: socket.socket() for name in names if name not in taken}
    try:
        for each in sockets.values():
            each.bind(("127.0.0.1", 0))
        return taken | {name: each.getsockname()[1] for name, each in sockets.items()}
    finally:
        for each in sockets.values():
            each.close()
