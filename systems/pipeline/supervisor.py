"""The supervisor: starts everything, keeps it alive for the run, and stops it in order."""

import asyncio
import json
import os
import signal
import time
from contextlib import suppress

import msgspec

from soak.systems.pipeline.child import Child, State, free_ports
from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.keeper import Keeper
from soak.systems.pipeline.manifest import Told, write_manifests
from soak.systems.pipeline.settings import Settings, write_settings
from soak.systems.pipeline.spool import Journal, read_json
from soak.systems.pipeline.stage import log
from soak.systems.pipeline.watch import Exporter, Watch
from soak.systems.pipeline.web import Answer, answer_json, ask, serve

_LOOK_S = 0.02
_SOURCE_WITHIN_S = 10.0


class Supervisor:
    """One run. `source` and `exchange` are services: they are started and stopped, but not supervised."""

    def __init__(self, settings: Settings) -> None:
        services = [] if settings.exchange or "broker" not in settings.enable else ["exchange"]
        services += [] if settings.source else ["source"]
        names = [*settings.enable, *services, *(["stream"] if "source" in services else [])]
        settings = msgspec.structs.replace(settings, ports=free_ports(names, settings.ports))
        exchange = settings.exchange
        if "exchange" in services:
            exchange = f"http://127.0.0.1:{settings.ports['exchange']}"
        source = settings.source or f"ws://127.0.0.1:{settings.ports['stream']}"
        self.settings = msgspec.structs.replace(settings, exchange=exchange, source=source)
        self._services = {name: Child(name, self.settings) for name in services}
        children = {name: Child(name, self.settings) for name in settings.enable}
        self.keeper = Keeper(self.settings, children, self._services)
        self._exporter = Exporter(self.settings)
        self._shutdown = Journal(settings.path / "shutdown.jsonl")
        self.stopping = asyncio.Event()
        self._epoch: float = time.time()
        self._stopped: list[str] = []

    async def run(self) -> int:
        """Until the minutes are over or SIGTERM; the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        write_settings(self.settings, self.settings.path / "config.json")
        (self.settings.path / "session.json").unlink(missing_ok=True)
        (self.settings.path / "supervisor.pid").write_text(f"{os.getpid()}\n", encoding="utf-8")
        await self._exporter.check()
        try:
            if not await self._start_services():
                return 1
            self.keeper.begin()
            page = await self._page()
            await self._work()
            if page:
                page.close()
        finally:
            await self._end()
        return 0

    # Start.

    async def _start_services(self) -> bool:
        for service in self._services.values():
            service.start()
        end_s = time.monotonic() + self.settings.health.start_timeout
        for service in self._services.values():
            while not (await service.probe())[0]:
                if service.ended() is not None or time.monotonic() > end_s:
                    log(f"supervisor: {service.name} does not start; see {service.name}.log")
                    return False
                await asyncio.sleep(_LOOK_S)
            service.state = State.RUNNING
        return True

    async def _page(self) -> asyncio.Server | None:
        port = self.settings.ports.get("supervisor")
        if not port:
            return None

        async def health(_body: bytes) -> Answer:
            states = {name: child.state.value for name, child in self.keeper.children.items()}
            ready = all(state == State.RUNNING for state in states.values())
            says = {"ok": ready, "pid": os.getpid(), "status": self.keeper.status, "processes": states}
            return answer_json(says, 200 if ready else 503)

        return await serve(port, {"GET /health": health})

    # The run.

    async def _work(self) -> None:
        rounds = asyncio.create_task(self.keeper.rounds(lambda: self._epoch))
        try:
            await self._until_ready()
            await self._begin_session()
            self.keeper.count_anew()
            watch = Watch(self.settings, self._epoch)
            following = asyncio.create_task(watch.run())
            exporting = asyncio.create_task(self._exporter.run(lambda: watch.figures))
            await self._until_over()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await watch.finish()
            self._exporter.over.set()
            await exporting
        finally:
            rounds.cancel()

    async def _until_ready(self) -> None:
        """Until every process runs, or will not."""
        pending = {State.DOWN, State.STARTING}
        while not self.stopping.is_set() and any(c.state in pending for c in self.keeper.children.values()):
            self.keeper.changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S * 10):
                    await self.keeper.changed.wait()

    async def _begin_session(self) -> None:
        """Know when the source began: it is told, or tells harvest."""
        if source := self._services.get("source"):
            epoch = time.time() + 0.1
            url = f"http://127.0.0.1:{self.settings.ports[source.name]}/go"
            await ask(url, json.dumps({"epoch": epoch}).encode(), timeout_s=self.settings.health.timeout)
            self._epoch = epoch
            return
        while not self.stopping.is_set():
            session = read_json(self.settings.path / "session.json")
            if isinstance(session, dict):
                self._epoch = float(session["epoch"])
                return
            await asyncio.sleep(_LOOK_S)

    async def _until_over(self) -> None:
        seconds = self.settings.minutes * self.settings.minute_s
        end = self._epoch + seconds + self.settings.alerts.settling + 0.05
        forever = self.settings.stay or not seconds
        with suppress(TimeoutError):
            async with asyncio.timeout(None if forever else max(0.0, end - time.time())):
                await self.stopping.wait()

    # The end.

    async def _end(self) -> None:
        ended_at, status = time.time(), self.keeper.status
        self.keeper.stop()
        children = self.keeper.children
        self._shutdown.note(event="started")
        await self._drain()
        order = [name for name in self.settings.shutdown.order if name in children]
        if self.settings.has(Defect.WRONG_SHUTDOWN_ORDER):
            order.reverse()
        for name in order:
            child = children[name]
            if child.lives:
                await self.keeper.stop_one(child, self.settings.shutdown.grace)
                self._shutdown.note(process=name, left=child.read_end())
                self._stopped.append(name)
        for service in reversed(self._services.values()):
            if service.lives:
                await _stop_service(service, self.settings.shutdown.grace)
        told = Told(status, tuple(self._stopped), self._epoch, ended_at)
        write_manifests(self.settings, self.keeper, self._exporter, told)

    async def _drain(self) -> None:
        """Nothing new comes; then every queue runs empty, within the time for that."""
        children = [each for each in self.keeper.children.values() if each.state == State.RUNNING]
        end_s = time.monotonic() + self.settings.shutdown.drain
        for harvest in children:
            if harvest.name == "harvest":
                await self._read_no_more(harvest, end_s)
        empty = 0
        while children and empty < 2 and time.monotonic() < end_s:
            self.keeper.reap()
            answers = await asyncio.gather(*(each.probe() for each in children))
            left = sum(each.waiting for each in children)
            empty = empty + 1 if left == 0 and all(green for green, _ in answers) else 0
            await asyncio.sleep(_LOOK_S)

    async def _read_no_more(self, harvest: Child, end_s: float) -> None:
        """The source, if it is ours, sends nothing new; harvest reads what it has sent, and then nothing."""
        if "source" in self._services:
            last = (await self._told("source", "hold")).get("last", -1)
            while harvest.life.counters.get("last_seq") != last and time.monotonic() < end_s and last >= 0:
                await harvest.probe()
                await asyncio.sleep(_LOOK_S)
        await self._told("harvest", "pause")

    async def _told(self, name: str, what: str) -> dict[str, float]:
        """What a process answers when it is told to do something; nothing if it does not."""
        url = f"http://127.0.0.1:{self.settings.ports[name]}/{what}"
        try:
            _, body = await ask(url, b"{}", timeout_s=self.settings.health.timeout)
            answer = json.loads(body)
        except (OSError, ValueError):
            return {}
        return answer if isinstance(answer, dict) else {}


async def _stop_service(service: Child, grace_s: float) -> None:
    service.signal(signal.SIGTERM)
    end_s = time.monotonic() + grace_s
    while service.alive and service.ended() is None:
        if time.monotonic() > end_s:
            service.signal(signal.SIGKILL)
        await asyncio.sleep(_LOOK_S)
