"""What the supervisor does by the minute: it follows the first sink, evaluates the alerts, and exports figures."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.figures import Figures, Tally
from soak.systems.pipeline.rules import Rules
from soak.systems.pipeline.settings import Settings
from soak.systems.pipeline.spool import Journal
from soak.systems.pipeline.stage import log
from soak.systems.pipeline.tail import tail_of
from soak.systems.pipeline.web import ask, why


class Watch:
    """Minutes of one run; `epoch` is when they begin."""

    def __init__(self, settings: Settings, epoch: float) -> None:
        self._settings = settings
        self._tail = tail_of(settings.sinks[0], settings.path)
        self.figures = Figures(epoch, settings.minute_s)
        self._rules = Rules(settings.alerts, settings.minute_s)
        self._journal = Journal(settings.path / "alerts.jsonl")
        self._closed = 0
        self._most = int(settings.minutes) if settings.minutes else None

    async def run(self) -> None:
        """Follow until cancelled."""
        look_s = min(0.2, self._settings.minute_s / 20)
        while True:
            await self._follow()
            if not self._settings.has(Defect.ALERTS_AT_THE_END):
                self._evaluate()
            await asyncio.sleep(look_s)

    async def finish(self) -> None:
        """Evaluate the last minutes that are closed."""
        await self._follow()
        self._evaluate()
        self._tail.close()

    async def _follow(self) -> None:
        while signals := self._tail.read():
            self.figures.add(signals)
            await asyncio.sleep(0)

    def _evaluate(self) -> None:
        passed_s = time.time() - self._settings.alerts.settling - self.figures.epoch
        closed = int(passed_s // self._settings.minute_s)
        closed = closed if self._most is None else min(closed, self._most)
        while self._closed < closed:
            tally = self.figures.minutes.get(self._closed, Tally())
            for each in self._rules.minute(self._closed, tally):
                told = {"rule": each.rule, "level": each.level, "state": each.state}
                self._journal.note(**told, details=each.details, minute=each.minute)
                log(f"alert {each.rule} ({each.level}) {each.state}: {each.details}")
            self._closed += 1


class Exporter:
    """Sends figures as InfluxDB line protocol; a database that fails is warned of, and nothing else."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._journal = Journal(settings.path / "exports.jsonl")
        self.reachable: bool | None = None
        self.over = asyncio.Event()
        """Nothing becomes due any more."""
        self.made = self.failed = 0

    @property
    def used(self) -> bool:
        """Whether there is a database."""
        return self._settings.timeseries_type != "none"

    async def check(self) -> None:
        """Before the start: can it be reached?"""
        if self.used:
            error = await self._send("pipeline up=1i")
            self.reachable = not error
            if error:
                log(f"warning: the time-series database cannot be reached: {error}")

    async def run(self, figures: Callable[[], Figures]) -> None:
        """Export at each multiple of `every` from the epoch, when the minute has settled; at the end, what is due by then."""
        number = 1
        while self.used:
            due = figures().epoch + number * self._settings.export.every + self._settings.alerts.settling
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, due - time.time())):
                    await self.over.wait()
            if time.time() < due:
                return
            await self.export(figures())
            number += 1

    async def export(self, figures: Figures) -> None:
        """Send the figures so far, and record how it went."""
        error = await self._send(line_protocol(figures, time.time()))
        self._journal.note(ok=not error, error=error)
        self.made += not error
        self.failed += bool(error)
        if error:
            log(f"warning: export failed: {error}")

    async def _send(self, lines: str) -> str:
        url = self._settings.timeseries_url
        if not urlsplit(url).path.strip("/"):
            url = f"{url.rstrip('/')}/write?db=soak"
        try:
            status, _ = await ask(url, lines.encode(), timeout_s=self._settings.export.timeout)
        except TimeoutError:
            return f"no answer within {self._settings.export.timeout} s"
        except OSError as error:
            return why(error)
        return "" if 200 <= status < 300 else f"HTTP status {status}"


def line_protocol(figures: Figures, at: float) -> str:
    """InfluxDB line protocol: totals, why records were not confirmed, and each symbol; times in nanoseconds."""
    nanoseconds = int(at * 1e9)
    per_minute = [tally.total for _, tally in figures.per_minute()]
    whole = {
        "total": f"{figures.whole.total}i",
        "strong": f"{figures.whole.strong}i",
        "confirm": f"{figures.whole.confirm}i",
        "strong_ratio": f"{figures.whole.strong_ratio or 0.0:.6f}",
        "per_minute": f"{per_minute[-2] if len(per_minute) > 1 else 0}i",
    }
    lines = [f"pipeline {','.join(f'{name}={value}' for name, value in whole.items())} {nanoseconds}"]
    gating = ",".join(f"{name}={number}i" for name, number in figures.gating().items())
    lines.append(f"pipeline_gating_breakdown {gating} {nanoseconds}")
    for symbol, tally in sorted(figures.symbols.items()):
        lines.append(f"pipeline_symbol,symbol={_escaped(symbol)} total={tally.total}i {nanoseconds}")
    return "\n".join(lines)


def _escaped(tag: str) -> str:
    return tag.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")
