"""Processes of the pipeline inside the test's own: health, orders, and what harvest makes of its source."""

import asyncio
import errno
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from soak.systems.pipeline.broker import Broker
from soak.systems.pipeline.child import Child, Life, State, free_ports
from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.exchange import Exchange
from soak.systems.pipeline.harvest import Harvest
from soak.systems.pipeline.keeper import Keeper
from soak.systems.pipeline.market import Generated
from soak.systems.pipeline.records import Signal
from soak.systems.pipeline.settings import Batch, Health, Market, Process, Settings, Shutdown
from soak.systems.pipeline.signals import Scorer
from soak.systems.pipeline.sinks import JsonlSink
from soak.systems.pipeline.source import Source
from soak.systems.pipeline.spool import LineReader
from soak.systems.pipeline.stage import PortTakenError, Stage
from soak.systems.pipeline.tail import SqliteTail
from soak.systems.pipeline.web import Answer, answer_json, ask, serve

PATIENCE_S = 20.0


def settings_in(directory: Path, *ports: str, **changed: Any) -> Settings:
    defaults: dict[str, Any] = {
        "directory": str(directory),
        "poll": 0.005,
        "reconnect": 0.02,
        "shutdown": Shutdown(grace=2.0),
        "ports": free_ports(list(ports), {}),
    }
    return Settings(**(defaults | changed))


async def until(ask_for: Callable[[], Any]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        while not (answer := ask_for()):
            await asyncio.sleep(0.005)
        return answer


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in LineReader(path).read(1 << 24)]


class Running:
    """A process that works until the block is left, and is then asked to stop."""

    def __init__(self, stage: Stage, work: Callable[[], Awaitable[None]]) -> None:
        self._stage, self._work = stage, work

    async def __aenter__(self) -> Stage:
        self._task = asyncio.ensure_future(self._work())
        await asyncio.sleep(0.02)
        return self._stage

    async def __aexit__(self, *_: object) -> None:
        self._stage.stopping.set()
        async with asyncio.timeout(PATIENCE_S):
            await self._task
        self._stage.close()
        await asyncio.sleep(0.02)


# Health.


def test_a_process_is_healthy_while_its_input_moves(tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage("report", settings_in(tmp_path, health=Health(fresh=0.05)))
        stage.waiting = lambda: 3
        assert stage.health()[0]
        await asyncio.sleep(0.1)
        ok, says = stage.health()
        assert (ok, says["waiting"], says["pid"]) == (False, 3, os.getpid())
        stage.progressed(2)
        assert stage.health()[0]
        assert stage.counters["records_total"] == 2

    asyncio.run(main())


def test_one_that_has_nothing_to_do_is_healthy(tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage("report", settings_in(tmp_path, health=Health(fresh=0.01)))
        await asyncio.sleep(0.05)
        assert stage.health()[0]

    asyncio.run(main())


def test_pages_of_a_process(tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage("report", settings_in(tmp_path, "report", health=Health(fresh=0.02)))
        stage.count("things_total", 2)
        await stage.open()
        url = f"http://127.0.0.1:{stage.settings.ports['report']}"
        status, body = await ask(f"{url}/health", timeout_s=5.0)
        assert (status, json.loads(body)["process"]) == (200, "report")
        _, text = await ask(f"{url}/metrics", timeout_s=5.0)
        assert "things_total 2" in text.decode().splitlines()
        assert (await ask(f"{url}/nothing", timeout_s=5.0))[0] == 404
        assert (await ask(f"{url}/health", b"{}", timeout_s=5.0))[0] == 405
        stage.waiting = lambda: 1
        await asyncio.sleep(0.05)
        assert (await ask(f"{url}/health", timeout_s=5.0))[0] == 503
        with pytest.raises(PortTakenError):
            await Stage("report", stage.settings).open()
        stage.close()

    asyncio.run(main())


def test_green_by_pid_is_not_green(tmp_path: Path) -> None:
    async def main() -> None:
        settings = settings_in(tmp_path, "signal", health=Health(timeout=0.2))
        child = Child("signal", settings)
        child.lives.append(Life(os.getpid(), 0.0))
        assert await child.probe() == (False, "no answer: " + os.strerror(errno.ECONNREFUSED))
        says: dict[str, Any] = {"pid": os.getpid(), "waiting": 4, "reason": "", "counters": {"records_total": 7}}
        answer = Answer()

        async def health(_body: bytes) -> Answer:
            return answer

        server = await serve(settings.ports["signal"], {"GET /health": health})
        answer = answer_json(says)
        assert await child.probe() == (True, "")
        assert (child.waiting, child.counter("records_total"), child.counter("others_total")) == (4, 7, None)
        answer = answer_json(says | {"reason": "stalled"}, 503)
        assert await child.probe() == (False, "stalled")
        answer = answer_json(says | {"pid": 1})
        assert await child.probe() == (False, "another process has its port")
        answer = Answer(200, b"hello")
        assert await child.probe() == (False, "its answer is not JSON")
        server.close()

    asyncio.run(main())


def test_no_answer_in_time_is_not_green(tmp_path: Path) -> None:
    async def main() -> None:
        settings = settings_in(tmp_path, "signal", health=Health(timeout=0.05))
        child = Child("signal", settings)
        child.lives.append(Life(os.getpid(), 0.0))

        async def health(_body: bytes) -> Answer:
            await asyncio.sleep(1.0)
            return Answer()

        server = await serve(settings.ports["signal"], {"GET /health": health})
        assert await child.probe() == (False, "no answer in time")
        server.close()

    asyncio.run(main())


def test_counters_are_added_up_over_all_lives(tmp_path: Path) -> None:
    child = Child("harvest", settings_in(tmp_path))
    child.lives += [Life(1, 0.0, counters={"a": 2.0}), Life(2, 0.0, counters={"a": 3.0, "b": 0.0})]
    assert (child.counter("a"), child.counter("b"), child.counter("c")) == (5.0, 0.0, None)


def test_the_status_of_all(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    children = {name: Child(name, settings) for name in ("harvest", "signal")}
    keeper = Keeper(settings, children, {})
    assert keeper.status == "degraded"
    for child in children.values():
        child.state = State.RUNNING
    assert keeper.status == "healthy"
    children["harvest"].degraded = True
    assert keeper.status == "degraded"
    children["signal"].state = State.ABANDONED
    assert keeper.status == "unhealthy"


# Orders.

SIGNALS = [Signal(n, 1.0, 0.0, "A", n % 2 == 0, n % 4 == 0, n % 4 == 2, n + 1) for n in range(40)]
CONFIRMED = [n for n in range(40) if n % 4 == 0]


def test_an_exchange_accepts_a_key_once(tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage("exchange", settings_in(tmp_path, "exchange"))
        url = f"http://127.0.0.1:{stage.settings.ports['exchange']}/orders"
        async with Running(stage, Exchange(stage).run):
            orders = [{"seq": 1, "key": "1"}, {"seq": 2, "key": "2"}, {"seq": 2, "key": "2"}]
            assert json.loads((await ask(url, json.dumps(orders).encode(), timeout_s=5.0))[1])["accepted"] == 2
        again = Stage("exchange", settings_in(tmp_path, "exchange"))
        url = f"http://127.0.0.1:{again.settings.ports['exchange']}/orders"
        async with Running(again, Exchange(again).run):
            orders = [{"seq": 2, "key": "2"}, {"seq": 3, "key": "3"}]
            answered = json.loads((await ask(url, json.dumps(orders).encode(), timeout_s=5.0))[1])
            assert answered == {"accepted": 1, "known": 1}
            assert (await ask(url, b"nonsense", timeout_s=5.0))[0] == 400
        assert [line["seq"] for line in lines(tmp_path / "orders.jsonl")] == [1, 2, 3]

    asyncio.run(main())


def test_orders_that_could_not_be_placed_are_placed_later(tmp_path: Path) -> None:
    async def main() -> None:
        settings = settings_in(tmp_path, "exchange", "broker")
        settings = msgspec.structs.replace(settings, exchange=f"http://127.0.0.1:{settings.ports['exchange']}")
        sink = JsonlSink(tmp_path / "signals.jsonl", Batch())
        sink.offer(SIGNALS[:20])
        sink.flush()
        broker = Stage("broker", settings)
        exchange = Stage("exchange", settings)
        async with Running(broker, Broker(broker).run):
            await until(lambda: broker.counters["order_errors_total"])
            assert broker.health()[1]["degraded"] is True
            async with Running(exchange, Exchange(exchange).run):
                await until(lambda: broker.counters["orders_total"])
                assert broker.health()[1]["degraded"] is False
            sink.offer(SIGNALS[20:])
            sink.flush()
            await until(lambda: broker.counters["order_errors_total"] > 1 and broker.waiting())
        assert broker.waiting() > 0
        assert [line["seq"] for line in lines(tmp_path / "orders.jsonl")] == CONFIRMED[:5]

        # It was stopped without an exchange: the next one goes on, and what is sent again is known.
        exchange, again = Stage("exchange", settings), Stage("broker", settings)
        async with Running(exchange, Exchange(exchange).run), Running(again, Broker(again).run):
            await until(lambda: len(lines(tmp_path / "orders.jsonl")) == len(CONFIRMED))
        assert [line["seq"] for line in lines(tmp_path / "orders.jsonl")] == CONFIRMED

    asyncio.run(main())


# Harvest and its source.


def test_harvest_reads_on_after_a_disconnect(tmp_path: Path) -> None:
    async def main() -> None:
        settings = settings_in(tmp_path, "stream", "source", "harvest", stream_timeout=5.0, market=Market(rate=2000.0))
        settings = msgspec.structs.replace(settings, source=f"ws://127.0.0.1:{settings.ports['stream']}")
        source, harvest = Stage("source", settings), Stage("harvest", settings)
        control = f"http://127.0.0.1:{settings.ports['source']}"
        feed = Generated(settings.market, 1.0, 1.0)
        sender = Source(source, feed)
        async with (
            Running(source, lambda: sender.run(settings.ports["stream"])),
            Running(harvest, Harvest(harvest).run),
        ):
            await ask(f"{control}/go", b"{}", timeout_s=5.0)
            await until(lambda: harvest.counters["records_total"] > 200)
            await ask(f"{control}/disconnect", b'{"for": 0.2}', timeout_s=5.0)
            await until(lambda: harvest.counters["records_total"] == 2000)
            assert (harvest.counters["reconnects_total"], harvest.counters["gap_records_total"]) == (1, 0)
            assert json.loads((await ask(f"{control}/hold", b"", timeout_s=5.0))[1]) == {"last": 1999}
        raw = lines(tmp_path / "raw.jsonl")
        assert [line["seq"] for line in raw] == list(range(2000))
        assert [line["sent"] for line in raw] == sorted(line["sent"] for line in raw)
        sent = [n for line in lines(tmp_path / "source.jsonl") for n in range(line["first"], line["last"] + 1)]
        assert sent == list(range(2000))

    asyncio.run(main())


def test_a_source_that_does_not_resume_leaves_a_gap(tmp_path: Path) -> None:
    async def main() -> None:
        market = Market(rate=2000.0, resume=False)
        settings = settings_in(tmp_path, "stream", "source", "harvest", market=market)
        settings = msgspec.structs.replace(settings, source=f"ws://127.0.0.1:{settings.ports['stream']}")
        source, harvest = Stage("source", settings), Stage("harvest", settings)
        sender = Source(source, Generated(market, 1.0, 0.6))
        control = f"http://127.0.0.1:{settings.ports['source']}"
        async with (
            Running(source, lambda: sender.run(settings.ports["stream"])),
            Running(harvest, Harvest(harvest).run),
        ):
            await ask(f"{control}/go", b"{}", timeout_s=5.0)
            await until(lambda: harvest.counters["records_total"] > 100)
            await ask(f"{control}/disconnect", b'{"for": 0.1}', timeout_s=5.0)
            await until(lambda: harvest.counters.get("last_seq") == 1199)
            await until(lambda: not harvest.waiting())
        keys = [line["seq"] for line in lines(tmp_path / "raw.jsonl")]
        assert harvest.counters["gap_records_total"] == 1200 - len(keys) > 0
        assert keys == sorted(set(keys))

    asyncio.run(main())


def test_harvest_goes_on_in_the_middle_of_a_message(tmp_path: Path) -> None:
    async def main() -> None:
        settings = settings_in(tmp_path, "stream", "source", "harvest")
        settings = msgspec.structs.replace(settings, source=f"ws://127.0.0.1:{settings.ports['stream']}")
        raw = [{"seq": n, "sent": 1.0, "at": 1.0, "symbol": "A", "strength": 0.5, "consistency": 0.5} for n in range(5)]
        (tmp_path / "raw.jsonl").write_text("".join(json.dumps(each) + "\n" for each in raw) + '{"seq": 5, "se')
        source, harvest = Stage("source", settings), Stage("harvest", settings)
        sender = Source(source, Generated(Market(rate=20.0), 1.0, 1.0), epoch=0.0)  # one message
        async with (
            Running(source, lambda: sender.run(settings.ports["stream"])),
            Running(harvest, Harvest(harvest).run),
        ):
            await until(lambda: harvest.counters.get("last_seq") == 19 and not harvest.waiting())
        assert [line["seq"] for line in lines(tmp_path / "raw.jsonl")] == list(range(20))
        assert len(lines(tmp_path / "source.jsonl")) == 1
        assert harvest.counters["records_total"] == 15

    asyncio.run(main())


@pytest.mark.parametrize(("overflow", "kept"), [("drop_oldest", -1), ("drop_newest", 0)])
def test_a_full_buffer_drops_and_counts(tmp_path: Path, overflow: str, kept: int) -> None:
    async def main() -> None:
        slow = msgspec.convert({"buffer": 10, "overflow": overflow, "service": {"value": 0.01}}, Process)
        market = Market(rate=1000.0)
        settings = settings_in(tmp_path, "stream", "source", "harvest", market=market, processes={"harvest": slow})
        settings = msgspec.structs.replace(settings, source=f"ws://127.0.0.1:{settings.ports['stream']}")
        source, harvest = Stage("source", settings), Stage("harvest", settings)
        sender = Source(source, Generated(market, 1.0, 0.2), epoch=0.0)
        async with (
            Running(source, lambda: sender.run(settings.ports["stream"])),
            Running(harvest, Harvest(harvest).run),
        ):
            await until(lambda: harvest.counters.get("last_seq") == 199 and not harvest.waiting())
        keys = [line["seq"] for line in lines(tmp_path / "raw.jsonl")]
        assert harvest.counters["queue_dropped_total"] == 200 - len(keys) > 0
        assert harvest.counters["gap_records_total"] == 0
        ends = list(range(190, 200)) if kept else list(range(10))
        assert (keys[-10:] if kept else keys[:10]) == ends

    asyncio.run(main())


def test_silence_ends_a_connection_unless_it_is_dead(tmp_path: Path) -> None:
    async def main(*defects: Defect) -> tuple[float, float]:
        settings = settings_in(tmp_path, "stream", "source", "harvest", stream_timeout=0.1, defects=frozenset(defects))
        settings = msgspec.structs.replace(settings, source=f"ws://127.0.0.1:{settings.ports['stream']}")
        source, harvest = Stage("source", settings), Stage("harvest", settings)
        sender = Source(source, Generated(Market(), 1.0, 0.0))
        async with (
            Running(source, lambda: sender.run(settings.ports["stream"])),
            Running(harvest, Harvest(harvest).run),
        ):
            await until(lambda: harvest.counters["connected"])
            await asyncio.sleep(0.6)
        return harvest.counters["stream_timeouts_total"], harvest.counters["reconnects_total"]

    timeouts, reconnects = asyncio.run(main())
    assert timeouts >= 2
    assert reconnects >= 1
    assert asyncio.run(main(Defect.DEAD_CONNECTION)) == (0, 0)


# Signal.


def stored(directory: Path) -> int:
    tail = SqliteTail(directory / "signals.db")
    with closing(tail):
        return len(tail.read())


@pytest.mark.parametrize(("defects", "rows"), [((), 300), ((Defect.BATCH_LOST_AT_TERM,), 0)])
def test_a_batch_is_flushed_when_it_is_asked_to_stop(tmp_path: Path, defects: tuple[Defect, ...], rows: int) -> None:
    async def main() -> None:
        raw = [
            {"seq": n, "sent": 1.0, "at": 1.0, "symbol": "A", "strength": 0.5, "consistency": 0.5} for n in range(300)
        ]
        (tmp_path / "raw.jsonl").write_text("".join(json.dumps(each) + "\n" for each in raw))
        config = {"batch": {"sqlite": {"rows": 500, "every": 60.0}}}
        batch = msgspec.convert(config, Settings).batch
        stage = Stage("signal", settings_in(tmp_path, "signal", batch=batch, defects=frozenset(defects)))
        async with Running(stage, Scorer(stage).run):
            await until(lambda: stage.counters["records_total"] == 300)
            assert stored(tmp_path) == 0
            assert stage.waiting() == 300
        assert stored(tmp_path) == rows
        assert len(lines(tmp_path / "signals.jsonl")) == 300
        assert stage.waiting() == 0

    asyncio.run(main())


def test_with_at_least_once_what_was_written_before_it_was_asked_to_stop_is_not_written_again(tmp_path: Path) -> None:
    raw, signals = tmp_path / "raw.jsonl", tmp_path / "signals.jsonl"

    def come(first: int, end: int) -> None:
        row = {"sent": 1.0, "at": 1.0, "symbol": "A", "strength": 0.5, "consistency": 0.5}
        with raw.open("a") as file:
            file.write("".join(json.dumps({"seq": seq, **row}) + "\n" for seq in range(first, end)))

    async def main() -> None:
        process = Process(guarantee="at_least_once", checkpoint=3600.0)
        settings = settings_in(tmp_path, "signal", processes={"signal": process})
        come(0, 300)
        stage = Stage("signal", settings)
        async with Running(stage, Scorer(stage).run):
            await until((tmp_path / "signal.checkpoint").exists)
            come(300, 400)
            await until(lambda: len(lines(signals)) == 400)
        come(400, 401)
        stage = Stage("signal", settings)
        async with Running(stage, Scorer(stage).run):
            await until(lambda: len(lines(signals)) > 400)
        assert [each["seq"] for each in lines(signals)] == list(range(401))
        assert stored(tmp_path) == 401

    asyncio.run(main())
