"""What the processes have in common: when they stop, their health, their counters, and how they end."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from soak.systems.pipeline.settings import Process, Settings
from soak.systems.pipeline.spool import read_json, write_json
from soak.systems.pipeline.web import Answer, Route, answer_json, serve

_LOOK_S = 0.5
"""How often a process looks whether its parent is still there."""


class StageError(Exception):
    """A process cannot work, and ends with `code`; the message says why."""

    code = 1


class PortTakenError(StageError):
    """Something else listens on the port of a process."""

    code = 98


def log(message: object) -> None:
    """A line for people, on stderr."""
    with suppress(OSError):  # its disk may be full
        sys.stderr.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {message}\n")
        sys.stderr.flush()


class Stage:
    """One process. Make it in the event loop; `name` is that of its port, its files and its log."""

    def __init__(self, name: str, settings: Settings, parent: int = 0) -> None:
        self.name, self.settings = name, settings
        self.stopping = asyncio.Event()
        self.counters: dict[str, float] = {"records_read_total": 0, "records_total": 0}
        self.waiting: Callable[[], int] = lambda: 0
        """Records that wait for it, wherever."""
        self.degraded = ""
        """Why it cannot do all of its work, though it is healthy."""
        self._parent = parent
        self._progress_s = time.monotonic()
        self._server: asyncio.Server | None = None
        self._ready = False

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self.settings.path

    @property
    def process(self) -> Process:
        """Its own settings."""
        return self.settings.process(self.name)

    @property
    def drain_s(self) -> float:
        """How long it may work on after it was asked to stop."""
        return 0.8 * self.settings.shutdown.grace

    @property
    def listening(self) -> list[int]:
        """The file numbers of the sockets that it listens on."""
        return [each.fileno() for each in self._server.sockets] if self._server else []

    def count(self, name: str, by: float = 1) -> None:
        """Raise a counter."""
        self.counters[name] = self.counters.get(name, 0) + by

    def progressed(self, records: int = 0) -> None:
        """It did something with records, or has nothing to do."""
        self._progress_s = time.monotonic()
        if records:
            self.count("records_total", records)
            self.counters["last_output_timestamp_seconds"] = time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait; less long if the process is to stop."""
        if self.stopping.is_set():
            await asyncio.sleep(0)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    async def open(self, **routes: Route) -> None:
        """Be reachable: health and metrics. Raises PortTakenError."""
        await self.sleep(self.process.start)
        pages: dict[str, Route] = {"GET /health": self._health, "GET /metrics": self._metrics}
        pages |= {f"POST /{name}": route for name, route in routes.items()}
        if port := self.settings.ports.get(self.name):
            try:
                self._server = await serve(port, pages)
            except OSError as error:
                raise PortTakenError(f"port {port}: {error.strerror}") from None
        self._progress_s = time.monotonic()
        self._ready = True
        log(f"{self.name}: ready, pid {os.getpid()}, port {port}")

    def close(self) -> None:
        """Be reachable no more."""
        if self._server:
            self._server.close()

    def health(self) -> tuple[bool, dict[str, object]]:
        """Whether it is healthy, and what it says."""
        waiting = self.waiting()
        if not waiting:
            self.progressed()
        stalled_s = time.monotonic() - self._progress_s
        fresh = stalled_s <= self.settings.health.fresh
        reason = self.degraded if fresh else f"{waiting} records wait, no progress for {stalled_s:.1f} s"
        says: dict[str, object] = {"ok": fresh, "process": self.name, "pid": os.getpid(), "waiting": waiting}
        return fresh, says | {"reason": reason, "degraded": bool(self.degraded), "counters": self.counters}

    async def _health(self, _body: bytes) -> Answer:
        ok, says = self.health()
        return answer_json(says, 200 if ok else 503)

    async def _metrics(self, _body: bytes) -> Answer:
        figures = {**self.counters, "waiting": self.waiting(), "pid": os.getpid()}
        lines = [f"{name} {value:.17g}" for name, value in figures.items()]
        return Answer(200, "\n".join([*lines, ""]).encode(), "text/plain; version=0.0.4")

    def ended(self) -> None:
        """Leave what was left and counted."""
        figures: dict[str, object] = {"pid": os.getpid(), "waiting": self.waiting(), "counters": self.counters}
        with suppress(OSError):
            write_json(self.directory / f"{self.name}.end.json", figures)

    def watch(self) -> list[asyncio.Task[None]]:
        """Stop at SIGTERM and SIGINT, and when the parent is gone. The tasks are to be kept."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        return [asyncio.create_task(self._look_for_parent())] if self._parent else []

    async def _look_for_parent(self) -> None:
        while os.getppid() == self._parent:
            await asyncio.sleep(_LOOK_S)
        log(f"{self.name}: its parent has ended")
        self.stopping.set()


def run(name: str, settings: Settings, work: Callable[[Stage], Awaitable[None]], parent: int = 0) -> int:
    """Run a process until it is asked to stop, and end it by SIGTERM; the exit code if it ends otherwise."""
    (settings.path / f"{name}.pid").write_text(f"{os.getpid()}\n", encoding="utf-8")

    async def main() -> bool:
        stage = Stage(name, settings, parent)
        kept = stage.watch()
        await work(stage)
        stage.ended()
        for task in kept:
            task.cancel()
        return stage.stopping.is_set()

    try:
        asked = asyncio.run(main())
    except StageError as error:
        log(f"{name}: {error}")
        return error.code
    if not asked:
        return 0
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)
    return 1


class Checkpoint:
    """Where a process that keeps its position beside its output goes on; written whole, at most each `every` seconds."""

    def __init__(self, path: Path, every_s: float) -> None:
        self._path, self._every_s = path, every_s
        self._written_s = -float("inf")
        stored = read_json(path)
        self.position = int(stored["position"]) if isinstance(stored, dict) else 0

    def reached(self, position: int, *, now: bool = False) -> None:
        """The position is reached; store it, if it is time to."""
        passed = time.monotonic() - self._written_s >= self._every_s
        if position != self.position and (now or passed):
            self.position, self._written_s = position, time.monotonic()
            beside = self._path.with_name(f".{self._path.name}")
            beside.write_text(json.dumps({"position": position}), encoding="utf-8")
            beside.replace(self._path)
