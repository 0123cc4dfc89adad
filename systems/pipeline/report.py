"""Report: follows each sink by itself, and writes a daily report of each, JSON and Markdown, with times in REPORT_TZ."""

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.figures import Figures
from soak.systems.pipeline.settings import Settings
from soak.systems.pipeline.spool import all_lines, read_json, write_json
from soak.systems.pipeline.stage import Stage, log
from soak.systems.pipeline.tail import Tail, tail_of

_WRITE_AT_MOST_EVERY_S = 5.0
_ENDS_AFTER_S = 3.0


class Reporter:
    """Counts what the sinks hold."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._tails: dict[str, Tail] = {name: tail_of(name, stage.directory) for name in stage.settings.sinks}
        self._figures: dict[str, Figures] = {}
        self._every_s = max(stage.settings.minute_s, _WRITE_AT_MOST_EVERY_S)
        stage.waiting = lambda: max(tail.waiting() for tail in self._tails.values())

    async def run(self) -> None:
        """Work until asked to stop; then count what is there, and write the reports."""
        await self._stage.open()
        began_s = written_s = time.monotonic()
        while not self._stage.stopping.is_set():
            if not self._step():
                self._stage.progressed()
                await self._stage.sleep(self._stage.settings.poll)
            else:
                await self._stage.sleep(0)
            if time.monotonic() - written_s >= self._every_s:
                written_s = time.monotonic()
                self._write()
            if self._stage.settings.has(Defect.CLEAN_EXIT_RESTARTED) and time.monotonic() - began_s > _ENDS_AFTER_S:
                log("report: nothing more to do")
                return
        end_s = time.monotonic() + self._stage.drain_s
        while self._step() and time.monotonic() < end_s:
            pass
        self._write()
        for tail in self._tails.values():
            tail.close()

    def _step(self) -> bool:
        """Count the next records of each sink; whether there were any."""
        found = False
        for name, tail in self._tails.items():
            if not (signals := tail.read()):
                continue
            found = True
            if name not in self._figures:
                self._figures[name] = figures_of(self._stage.settings)
            self._figures[name].add(signals)
            if name == self._stage.settings.sinks[0]:
                self._stage.count("records_read_total", len(signals))
                self._stage.progressed(len(signals))
        return found

    def _write(self) -> None:
        alerts = read_alerts(self._stage.directory)
        for name in self._tails:
            figures = self._figures.get(name) or figures_of(self._stage.settings)
            write_report(self._stage.settings, name, figures, alerts)


def figures_of(settings: Settings) -> Figures:
    """Empty figures, with minutes that begin at the session's epoch."""
    session = read_json(settings.path / "session.json")
    epoch = float(session["epoch"]) if isinstance(session, dict) else time.time()
    return Figures(epoch, settings.minute_s)


def read_alerts(directory: Path) -> list[dict[str, object]]:
    """The changes of alerts, in order."""
    return [json.loads(line) for lines in all_lines(directory / "alerts.jsonl") for line in lines]


def write_report(settings: Settings, sink: str, figures: Figures, alerts: list[dict[str, object]]) -> None:
    """Write the daily report of a sink, as JSON and as Markdown."""
    report = daily_report(settings, sink, figures, alerts)
    write_json(settings.path / f"daily_report.{sink}.json", report)
    text = settings.path / f"daily_report.{sink}.md"
    beside = text.with_name(f".{text.name}")
    beside.write_text(markdown(report), encoding="utf-8")
    beside.replace(text)


def daily_report(settings: Settings, sink: str, figures: Figures, alerts: list[dict[str, object]]) -> dict[str, object]:
    """The report of a sink; times are local, with their offset from UTC."""
    zone = ZoneInfo(settings.timezone)

    def local(at: float) -> str:
        return datetime.fromtimestamp(at, zone).isoformat(timespec="milliseconds")

    minutes = [
        {"minute": minute, "begins": local(figures.epoch + minute * figures.minute_s), **tally.told()}
        for minute, tally in figures.per_minute()
    ]
    return {
        "sink": sink,
        "date": datetime.fromtimestamp(figures.epoch, zone).date().isoformat(),
        "timezone": settings.timezone,
        "session": {"from": local(figures.epoch), "newest_record": local(figures.newest_sent or figures.epoch)},
        "keys": {"first": figures.first, "last": figures.last},
        **figures.whole.told(),
        "gating_breakdown": figures.gating(),
        "symbols": {name: figures.symbols[name].told() for name in sorted(figures.symbols)},
        "alerts": [{**each, "time": local(float(str(each["at"])))} for each in alerts],
        "per_minute": minutes,
    }


def markdown(report: Mapping[str, object]) -> str:
    """The same for people."""
    lines = [
        f"# Daily report, {report['date']}, sink {report['sink']}",
        "",
        f"Times are in {report['timezone']}.",
        "",
        "| total | strong | confirmed | low consistency | strong ratio |",
        "|---|---|---|---|---|",
        _table_line(report),
        "",
        "## Alerts",
        "",
    ]
    alerts = report["alerts"]
    assert isinstance(alerts, list)
    lines += ["| time | rule | level | state | details |", "|---|---|---|---|---|"] if alerts else ["None."]
    lines += [f"| {a['time']} | {a['rule']} | {a['level']} | {a['state']} | {a['details']} |" for a in alerts]
    lines += ["", "## Symbols", "", "| symbol | total | strong | confirmed | low consistency | strong ratio |"]
    symbols, minutes = report["symbols"], report["per_minute"]
    assert isinstance(symbols, dict)
    assert isinstance(minutes, list)
    lines += ["|---|---|---|---|---|---|", *(f"| {name} {_table_line(each)}" for name, each in symbols.items())]
    lines += ["", "## Minutes", "", "| begins | total | strong | confirmed | low consistency | strong ratio |"]
    lines += ["|---|---|---|---|---|---|", *(f"| {each['begins']} {_table_line(each)}" for each in minutes), ""]
    return "\n".join(lines)


def _table_line(figures: Mapping[str, object]) -> str:
    ratio = figures["strong_ratio"]
    shown = "none" if ratio is None else f"{100 * float(str(ratio)):.2f} %"
    return (
        f"| {figures['total']} | {figures['strong']} | {figures['confirm']} | {figures['low_consistency']} | {shown} |"
    )
