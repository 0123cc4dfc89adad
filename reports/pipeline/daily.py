"""The daily report of each sink in Markdown, from its JSON."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from soak.reports.data import RunData
from soak.schemas.errors import EvidenceError
from soak.schemas.evidence.processes import Moment, OwnAlert
from soak.schemas.files import ordinary
from soak.schemas.systems.pipeline.documents import DailyReport, Minute, daily_report
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.schemas.units import show_ratio


def daily_reports(run: RunData, directory: Path) -> Mapping[str, str]:
    """daily_report.<sink>.md of every sink whose JSON is there. Raises EvidenceError for one that is damaged."""
    found = {}
    for sink in pipeline_of(run.scenario).sinks:
        path = directory / daily_report(sink.name, "json")
        if path.exists():
            found[daily_report(sink.name, "md")] = "\n".join(_lines(_read(path), run.scenario.title))
    return found


def _read(path: Path) -> DailyReport:
    try:
        return msgspec.json.decode(ordinary(path).read_bytes(), type=DailyReport)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EvidenceError(f"{path}: {error} (this evidence is damaged)") from None


def _lines(report: DailyReport, title: str) -> Iterator[str]:
    yield f"# Daily report of the sink {report.sink}"
    yield ""
    yield f"{title or report.scenario}. Times are those of {report.timezone}: from {report.from_.local} to {report.to.local}."
    yield ""
    yield from _table(
        "date | records stored",
        [f"{day.date} | {day.stored:,}" for day in report.days],
    )
    yield ""
    yield f"{report.stored:,} records in all{_by_kind(report.symbols)}."
    yield ""
    yield "## Over the closed window"
    yield ""
    figures, gates = report.figures, report.gating_breakdown
    share = "unknown" if figures.strong_ratio is None else show_ratio(figures.strong_ratio)
    yield from _table(
        "total | confirmed | strong, not confirmed | not strong | strong ratio",
        [
            f"{_known(figures.total)} | {_known(gates.confirmed)} | {_known(gates.strong_not_confirmed)} "
            f"| {_known(gates.not_strong)} | {share}"
        ],
    )
    yield ""
    yield "## Alerts"
    yield ""
    if report.alerts:
        yield from _table("rule | level | fired | resolved | details", [_alert(each) for each in report.alerts])
    else:
        yield "None was reported."
    yield ""
    yield "## Minutes"
    yield ""
    yield from _table(
        "begins | records stored | sent in it | strong | low consistency", [_minute(each) for each in report.minutes]
    )
    yield ""


def _table(head: str, rows: list[str]) -> Iterator[str]:
    yield f"| {head} |"
    yield "|" + "---|" * (head.count("|") + 1)
    yield from (f"| {row} |" for row in rows)


def _by_kind(symbols: Mapping[str, int]) -> str:
    return ": " + ", ".join(f"{count:,} {name}" for name, count in symbols.items()) if symbols else ""


def _alert(alert: OwnAlert) -> str:
    return " | ".join((alert.rule, alert.level, _both(alert.fired), _both(alert.resolved), alert.details))


def _both(moment: Moment | None) -> str:
    return f"{moment.local} ({moment.at})" if moment else "still firing at the end"


def _minute(minute: Minute) -> str:
    rest = (_known(each) for each in (minute.sent, minute.strong, minute.low_consistency))
    return " | ".join((minute.begins, f"{minute.stored:,}", *rest))


def _known(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"
