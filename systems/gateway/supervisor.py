"""The parent: starts the HTTP processes and the outbox, starts again what dies, and stops all in order."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from soak.systems.gateway.database import StoreError, open_database
from soak.systems.gateway.limits import set_first_limits
from soak.systems.gateway.logs import log
from soak.systems.gateway.schema import make_tables
from soak.systems.gateway.settings import Settings, write_settings
from soak.systems.gateway.sockets import listen
from soak.systems.gateway.tally import SHARED, open_shared
from soak.systems.gateway.tokens import signing_key

FAILED, PORT_TAKEN = 1, 98
_LOOK_S = 0.05
_FIRST_BACKOFF_S, _LAST_BACKOFF_S, _STABLE_S = 0.1, 5.0, 10.0


@dataclass
class Child:
    """A process, whichever runs at the moment."""

    name: str
    directory: Path
    process: "subprocess.Popen[bytes] | None" = None
    begun_s: float = 0.0
    next_s: float = 0.0
    backoff_s: float = _FIRST_BACKOFF_S
    restarts: int = field(default=0)

    def start(self) -> None:
        """Start it. Its standard input ends when this process does."""
        command = [sys.executable, "-m", "soak.systems.gateway", self.name, "--dir", str(self.directory)]
        with (self.directory / f"{self.name}.log").open("ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
        self.begun_s = time.monotonic()
        (self.directory / f"{self.name}.pid").write_text(f"{self.process.pid}\n", encoding="ascii")

    def ask_to_stop(self) -> None:
        """Send SIGTERM, if it runs."""
        if self.process and self.process.poll() is None:
            self.process.terminate()

    def end(self, end_s: float) -> None:
        """Wait until a time of the monotonic clock, then kill it."""
        if not self.process:
            return
        try:
            self.process.wait(max(0.0, end_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            log(f"{self.name}: does not stop, is killed")
            self.process.kill()
            self.process.wait()


class Supervisor:
    """One gateway."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        directory = settings.path.absolute()
        self._workers = [Child(f"http-{number}", directory) for number in range(settings.workers)]
        self._outbox = Child("outbox", directory)
        self._stopping = False

    def run(self) -> int:
        """Until SIGTERM; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            reserved = self._prepare()
        except OSError as error:
            log(f"port {self._settings.port}: {os.strerror(error.errno or 0)}")
            return PORT_TAKEN
        except StoreError as error:
            log(f"database: {error}")
            return FAILED
        with reserved:
            for child in (*self._workers, self._outbox):
                child.start()
            while not self._stopping:
                self._look()
                time.sleep(_LOOK_S)
            self._stop_all()
        return 0

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _prepare(self) -> socket.socket:
        """Make files and tables; the socket holds the port as long as this process lives. Raises OSError, StoreError."""
        settings = self._settings
        with socket.create_server((settings.host, settings.port)):
            pass  # taken by another: as a port that several share, it would be no error
        reserved = listen(settings.host, settings.port)
        write_settings(settings, settings.path / "config.json")
        signing_key(settings.path)
        (settings.path / "gateway.pid").write_text(f"{os.getpid()}\n", encoding="ascii")
        (settings.path / SHARED).unlink(missing_ok=True)  # its layout depends on the settings
        shared = open_shared(settings)
        shared.offset_s = settings.clock_offset_s
        set_first_limits(settings, shared)
        make_tables(
            open_database(settings.database_url, settings.statement_s), (each.name for each in settings.tenants)
        )
        return reserved

    def _look(self) -> None:
        """Start again what has died, the later the more often it did."""
        now = time.monotonic()
        for child in (*self._workers, self._outbox):
            if child.process is not None and (code := child.process.poll()) is not None:
                lived_s = now - child.begun_s
                child.backoff_s = _FIRST_BACKOFF_S if lived_s > _STABLE_S else child.backoff_s
                child.next_s, child.process = now + child.backoff_s, None
                child.backoff_s = min(_LAST_BACKOFF_S, 2 * child.backoff_s)
                child.restarts += 1
                self._note(child, code)
            if child.process is None and now >= child.next_s:
                child.start()

    def _note(self, child: Child, code: int) -> None:
        log(f"{child.name}: ended with {code}, is started again")
        told = {"at": round(time.time(), 6), "name": child.name, "exit": code, "count": child.restarts}
        with (self._settings.path / "restarts.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(told) + "\n")

    def _stop_all(self) -> None:
        """HTTP first, so that the outbox sees everything."""
        for group in (self._workers, [self._outbox]):
            end_s = time.monotonic() + self._settings.grace_s
            for child in group:
                child.ask_to_stop()
            for child in group:
                child.end(end_s)
