"""Keeps the processes alive: notices at once when one ends, watches it while it starts, makes the health rounds."""

import asyncio
import math
import os
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any

from soak.systems.pipeline.child import Child, State, usage_of
from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.settings import Settings
from soak.systems.pipeline.spool import Journal
from soak.systems.pipeline.stage import log

_DELAYED_ROUNDS = 1.5
_EPOCH_KNOWN_WITHIN_S = 0.25


class Keeper:
    """All processes of a run. Nothing here waits for one process while others need something."""

    def __init__(self, settings: Settings, children: dict[str, Child], services: dict[str, Child]) -> None:
        self._settings, self.children, self._services = settings, children, services
        directory = settings.path
        self._processes = Journal(directory / "processes.jsonl")
        self._restarts = Journal(directory / "restarts.jsonl")
        self._probes = Journal(directory / "probes.jsonl")
        self._resources = Journal(directory / "resources.jsonl")
        self._tasks: set[asyncio.Task[None]] = set()
        self._late: list[Child] = []
        self.over = False
        """No process is started any more."""
        self.changed = asyncio.Event()
        """Something became ready, or ended."""
        self.probes, self.green = 0, 0

    def begin(self) -> None:
        """Start all processes, and notice from now on when one ends."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self.reap)
        for child in self.children.values():
            self._start(child)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log(f"supervisor: {type(error).__name__}: {error}")

    def _note(self, child: Child, event: str, **more: object) -> None:
        self._processes.note(process=child.name, event=event, pid=child.life.pid, **more)
        self.changed.set()

    # Starts and ends.

    def _start(self, child: Child) -> None:
        child.start()
        self._note(child, "started")
        self.spawn(self._watch_start(child))

    def reap(self) -> None:
        """Notice which processes have ended."""
        for child in self.children.values():
            if child.state == State.STARTING and self._settings.has(Defect.STARTUP_UNWATCHED):
                continue
            if (code := child.ended()) is not None:
                self._ended(child, code)
        for service in self._services.values():
            if (code := service.ended()) is not None and not self.over:
                log(f"supervisor: the service {service.name} has ended with {code}")

    def _ended(self, child: Child, code: int) -> None:
        self._note(child, "exited", exit=code)
        if self.over or child.state == State.STOPPING:
            child.state = State.ENDED
            return
        ready = child.life.ready_at
        healthy_s = time.time() - ready if ready else 0.0
        child.state = State.DOWN
        log(f"supervisor: {child.name} ended with {code} after {healthy_s:.1f} s of health")
        if code == 0 and self._settings.has(Defect.CLEAN_EXIT_RESTARTED):
            self._start(child)
        elif not child.restarts.wanted(code):
            child.state = State.ENDED
        elif (wait_s := child.restarts.ended(time.monotonic(), healthy_s)) is None:
            child.state = State.ABANDONED
            self._note(child, "abandoned")
            log(f"supervisor: {child.name} is abandoned: too many restarts")
        elif self._settings.has(Defect.BACKOFF_IN_HEALTH_LOOP):
            self._late.append(child)
        else:
            asyncio.get_running_loop().call_later(wait_s, self._restart, child, wait_s)

    def _restart(self, child: Child, wait_s: float) -> None:
        if self.over:
            return
        ended = child.life
        self._start(child)
        count = child.restarts.total
        told = {"pid": child.life.pid, "exit": ended.exit, "exited_at": ended.exited_at}
        self._restarts.note(process=child.name, **told, backoff=wait_s, count=count, in_a_row=child.restarts.in_a_row)

    async def _watch_start(self, child: Child) -> None:
        """Until the process is healthy, has ended, or has had its time to start."""
        life, health = child.life, self._settings.health
        end_s = time.monotonic() + health.start_timeout
        while child.life is life and child.state == State.STARTING:
            green, reason = await child.probe()
            if child.life is not life or child.state != State.STARTING:
                return
            if green:
                child.state = State.RUNNING
                life.ready_at = time.time()
                self._note(child, "ready")
                return
            if time.monotonic() > end_s:
                log(f"supervisor: {child.name} has not become healthy: {reason}")
                await self._start_failed(child)
                return
            await asyncio.sleep(health.start_every)

    async def _start_failed(self, child: Child) -> None:
        child.signal(signal.SIGKILL)
        while (code := child.ended()) is None and child.alive:
            await asyncio.sleep(0.01)
        if code is not None:
            self._ended(child, code)

    # Health.

    async def rounds(self, epoch: Callable[[], float]) -> None:
        """A probe of every process at each multiple of `every` from the epoch, which may still become known."""
        every_s = self._settings.health.every
        while not self.over:
            due, began = _next(epoch(), every_s), epoch()
            while (left_s := due - time.time()) > 0:
                await asyncio.sleep(min(left_s, _EPOCH_KNOWN_WITHIN_S))
                if epoch() != began:
                    due, began = _next(epoch(), every_s), epoch()
            await self._restart_late()
            for child in self.children.values():
                self.spawn(self._probe(child, due))
            if used := usage_of(os.getpid()):
                self._resources.note(process="supervisor", pid=os.getpid(), **used.told())

    async def _probe(self, child: Child, due: float) -> None:
        life = child.life
        green, reason = (await child.probe()) if child.state == State.RUNNING else (False, child.state.value)
        if self.over:
            return
        if green and child.life is not life:
            green, reason = False, "it was started anew meanwhile"
        self._probes.note(process=child.name, green=green, reason=reason, due=round(due, 6), pid=child.life.pid)
        self.probes += 1
        self.green += green
        child.failed = 0 if green else child.failed + 1
        if child.failed == self._settings.health.unhealthy_after and child.state == State.RUNNING:
            log(f"supervisor: {child.name} is killed after {child.failed} failed probes: {reason}")
            child.signal(signal.SIGKILL)
        if (used := child.sample()) and not self._settings.has(Defect.RESOURCES_OF_SUPERVISOR_ONLY):
            self._resources.note(process=child.name, pid=child.life.pid, **used.told())

    @property
    def status(self) -> str:
        """Of all: unhealthy with an abandoned process, degraded with one that does not run or cannot do all of its work."""
        children = self.children.values()
        if any(child.state == State.ABANDONED for child in children):
            return "unhealthy"
        return "degraded" if any(c.state != State.RUNNING or c.degraded for c in children) else "healthy"

    def count_anew(self) -> None:
        """Count probes from now on: the session begins."""
        self.probes = self.green = 0

    async def _restart_late(self) -> None:
        """The defect: who notices waits."""
        while self._late:
            child = self._late.pop()
            wait_s = child.restarts.waits[-1]
            await asyncio.sleep(max(wait_s, _DELAYED_ROUNDS * self._settings.health.every))
            self._restart(child, wait_s)

    # The end.

    def stop(self) -> None:
        """Start nothing any more."""
        self.over = True
        for task in self._tasks:
            task.cancel()

    async def stop_one(self, child: Child, grace_s: float) -> None:
        """SIGTERM, and after the grace SIGKILL."""
        child.state = State.STOPPING
        child.sample()
        child.signal(signal.SIGTERM)
        end_s = time.monotonic() + grace_s
        while child.alive:
            self.reap()
            if not child.alive:
                break
            if time.monotonic() > end_s:
                log(f"supervisor: {child.name} has not stopped in {grace_s} s")
                child.signal(signal.SIGKILL)
            await asyncio.sleep(0.01)


def _next(epoch: float, every_s: float) -> float:
    """The first multiple after now; the epoch itself, if it is to come."""
    passed_s = time.time() - epoch
    return epoch + max(0, math.floor(passed_s / every_s) + 1) * every_s
