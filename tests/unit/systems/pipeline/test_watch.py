"""Minutes and exports of a run, looked at afterwards: they depend on what was sent when, not on when it is looked at."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from soak.systems.pipeline.child import free_ports
from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.figures import Figures
from soak.systems.pipeline.records import Signal
from soak.systems.pipeline.settings import Batch, Export, Settings
from soak.systems.pipeline.sinks import JsonlSink
from soak.systems.pipeline.watch import Exporter, Watch
from soak.systems.pipeline.web import Answer, serve


def with_minutes(directory: Path, *totals: int, **changed: Any) -> tuple[Settings, float]:
    """A sink with that many records, all of them strong, in the minutes of a run that is just over, and its epoch."""
    settings = Settings(directory=str(directory), speed=60.0, minutes=float(len(totals)))
    settings = msgspec.structs.replace(settings, **changed)
    alerts = msgspec.convert({"settling": 0.0, "no_records": {"for": 2.0}}, type(settings.alerts))
    epoch = time.time() - len(totals) - 0.01
    signals = [
        Signal(0, epoch + minute, 0.0, "A", True, True, False, 1) for minute, n in enumerate(totals) for _ in range(n)
    ]
    sink = JsonlSink(directory / "signals.jsonl", Batch())
    sink.offer([msgspec.structs.replace(each, seq=n, input=n + 1) for n, each in enumerate(signals)])
    sink.flush()
    sink.close()
    return msgspec.structs.replace(settings, alerts=alerts), epoch


def alerts_in(directory: Path) -> list[tuple[str, int]]:
    path = directory / "alerts.jsonl"
    changes = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [(each["state"], each["minute"]) for each in changes]


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        ((5, 5, 5), []),
        ((5, 0, 0, 0, 5), [("fired", 2), ("resolved", 4)]),
        ((0, 0, 5, 0, 0), [("fired", 1), ("resolved", 2), ("fired", 4)]),
    ],
)
def test_every_closed_minute_is_looked_at(
    tmp_path: Path, totals: tuple[int, ...], expected: list[tuple[str, int]]
) -> None:
    async def main() -> None:
        await Watch(*with_minutes(tmp_path, *totals)).finish()

    asyncio.run(main())
    assert alerts_in(tmp_path) == expected


def test_minutes_after_the_run_are_not_looked_at(tmp_path: Path) -> None:
    async def main() -> None:
        await Watch(*with_minutes(tmp_path, 5, 5, 0, 0, minutes=2.9)).finish()

    asyncio.run(main())
    assert alerts_in(tmp_path) == []


@pytest.mark.parametrize(("defects", "during"), [((), [("fired", 1)]), ((Defect.ALERTS_AT_THE_END,), [])])
def test_alerts_fire_while_the_run_goes_on(tmp_path: Path, defects: tuple[Defect, ...], during: list[Any]) -> None:
    async def main() -> None:
        watch = Watch(*with_minutes(tmp_path, 0, 0, defects=frozenset(defects)))
        following = asyncio.ensure_future(watch.run())
        await asyncio.sleep(0.1)
        following.cancel()
        assert alerts_in(tmp_path) == during
        await watch.finish()
        assert alerts_in(tmp_path) == [("fired", 1)]

    asyncio.run(main())


def test_exports_that_are_due_are_made_and_failures_are_recorded(tmp_path: Path) -> None:
    async def main() -> None:
        port = free_ports(["database"], {})["database"]
        received: list[bytes] = []

        async def write(body: bytes) -> Answer:
            received.append(body)
            return Answer(500 if len(received) == 2 else 204)

        settings = Settings(
            directory=str(tmp_path),
            timeseries_type="influx",
            timeseries_url=f"http://127.0.0.1:{port}",
            export=Export(every=10.0, timeout=1.0),
            alerts=msgspec.convert({"settling": 0.0}, type(Settings().alerts)),
        )
        exporter = Exporter(settings)
        await exporter.check()
        assert exporter.reachable is False
        server = await serve(port, {"POST /write": write})
        figures = Figures(time.time() - 35.0, 60.0)
        running = asyncio.ensure_future(exporter.run(lambda: figures))
        async with asyncio.timeout(20.0):
            while exporter.made + exporter.failed < 3:
                await asyncio.sleep(0.01)
            exporter.over.set()
            await running
        server.close()
        assert (exporter.made, exporter.failed) == (2, 1)
        told = [json.loads(line) for line in (tmp_path / "exports.jsonl").read_text().splitlines()]
        assert [(each["ok"], each["error"]) for each in told] == [(True, ""), (False, "HTTP status 500"), (True, "")]

    asyncio.run(main())


def test_an_export_that_is_due_at_the_end_is_made(tmp_path: Path) -> None:
    async def main() -> None:
        settings = Settings(
            directory=str(tmp_path),
            timeseries_type="influx",
            timeseries_url=f"http://127.0.0.1:{free_ports(['none'], {})['none']}",
            export=Export(every=10.0),
        )
        exporter = Exporter(settings)
        exporter.over.set()
        await exporter.run(lambda: Figures(time.time() - 25.0, 60.0))
        assert (exporter.made, exporter.failed) == (0, 2)

    asyncio.run(main())
