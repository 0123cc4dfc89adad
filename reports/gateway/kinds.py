"""The table of requests by kind of work, for the summary and the page."""

from collections.abc import Iterator

from msgspec import Struct

from soak.schemas.systems.gateway.documents import Latencies, LatencyReport
from soak.schemas.units import show_duration, show_ratio


class KindLine(Struct, frozen=True):
    """A line of the table, as text. errors: how many failed of each error; empty for none."""

    kind: str
    requests: str
    success: str
    errors: str
    p50: str
    p95: str
    p99: str


def kind_rows(report: LatencyReport | None) -> list[KindLine]:
    """A line for each kind of work, and one for all where there is more than one. Empty without requests."""
    if report is None:
        return []
    kinds = [each for each in report.latencies if each.tenant is None and each.phase is None and each.kind]
    whole = [each for each in report.latencies if each.tenant is each.phase is each.kind is None]
    return [_row(each) for each in (kinds if len(kinds) == 1 else [*kinds, *whole])]


def _row(each: Latencies) -> KindLine:
    quantiles = (show_duration(value_s) for value_s in (each.p50_s, each.p95_s, each.p99_s))
    success = show_ratio((each.count - each.errors) / each.count)
    return KindLine(each.kind or "all", f"{each.count:,}", success, ", ".join(_errors(each)), *quantiles)


def _errors(each: Latencies) -> Iterator[str]:
    yield from (f"{error} {count:,}" for error, count in each.by_error.items())
    if each.errors and not each.by_error:
        yield f"{each.errors:,}"
