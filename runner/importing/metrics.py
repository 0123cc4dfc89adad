"""Which indicator a metric of Prometheus is, by its name and labels, after the conventions of exporters.

https://prometheus.io/docs/practices/naming/: a unit as suffix, `_total`, `_bucket`, `_sum` and `_count`.
"""

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from soak.runner.importing.promql import Series

if TYPE_CHECKING:
    from soak.runner.importing.meaning import Indicator


class Outcome(StrEnum):
    """What a counter counts."""

    FAILURE = "failure"
    SUCCESS = "success"
    RETRY = "retry"
    ANY = "any"


_STATUS = frozenset(
    [
        "status",
        "code",
        "status_code",
        "statuscode",
        "http_status",
        "http_status_code",
        "http_response_status_code",
        "response_code",
        "rc",
        "state",
        "result",
        "outcome",
        "success",
        "error",
        "grpc_code",
        "grpc_status",
        "kind",
        "type",
    ]
)
_FAILED = re.compile(r"5|fail|err|false|exception|reject|abort|timeout|revoked|dead", re.IGNORECASE)
_SUCCEEDED = re.compile(r"\b2|succe|\bok\b|true|done|complete|finished", re.IGNORECASE)
_RETRIED = re.compile(r"retr(y|ie)", re.IGNORECASE)
_WORK = re.compile(r"task|request|job|message|call|order|process|receiv|handl|hits|http", re.IGNORECASE)
_TIME = re.compile(r"second|duration|latenc|time|_ms\b|_ms_|milli|delay", re.IGNORECASE)
_MILLISECONDS = re.compile(r"(_ms|milliseconds?|_msec)(_|$)", re.IGNORECASE)
_WAIT = re.compile(r"wait|queue_(time|duration|latency)|time_in_queue|queueing", re.IGNORECASE)
_LEVELS = {
    "queue_depth": r"(queue|backlog|broker|messages?)\w*(length|depth|size|ready|pending|messages|waiting|visible|backlog)"
    r"|_queue$|pending_(tasks|jobs)|consumer_?group_lag|consumer_lag",
    "oldest_pending": r"oldest\w*(message|task|job|seconds)|(message|task|job)s?_\w*age",
    "workers_alive": r"workers?_(up|alive|online|active|count|available)|active_workers?|workers$",
    "rss": r"resident_memory|memory_(usage|working_set|rss)|rss_bytes|memory_bytes",
    "open_files": r"open_fds|open_files|file_descriptors",
    "threads": r"threads$|num_threads",
    "in_flight": r"in_?flight|active_requests|concurrent_(requests|calls)",
}
"""Levels by what the name of their metric holds."""


def outcome_of(series: Series) -> Outcome:
    """What a counter counts, by the labels that select it, else by its name."""
    for label, op, value in series.matchers:
        if label.lower() in _STATUS:
            failed, succeeded = bool(_FAILED.search(value)), bool(_SUCCEEDED.search(value))
            if label.lower() == "error" and not failed:
                failed = value.lower() not in {"", "false", "none", "0"}
            if op in {"!=", "!~"}:
                failed, succeeded = succeeded, failed
            if _RETRIED.search(value):
                return Outcome.RETRY
            if failed != succeeded:
                return Outcome.FAILURE if failed else Outcome.SUCCESS
    if _RETRIED.search(series.name):
        return Outcome.RETRY
    if _FAILED.search(series.name.replace("5", "")):
        return Outcome.FAILURE
    return Outcome.SUCCESS if _SUCCEEDED.search(series.name) else Outcome.ANY


def counts_work(series: Series) -> bool:
    """Whether a counter is, by its name, one of tasks or their like."""
    return bool(_WORK.search(series.name))


def scale_of(series: Series, suffix: str) -> "Indicator":
    """The latency, or the wait, that a histogram holds: its mean or a percentile. Raises UntranslatableError."""
    from soak.runner.importing.meaning import Indicator, UntranslatableError

    if not _TIME.search(series.name):
        raise UntranslatableError(f"{series.name} does not look like a duration")
    sli = "wait" if _WAIT.search(series.name) else "latency"
    scale = 1000.0 if _MILLISECONDS.search(series.name) else 1.0
    return Indicator(f"{sli}_{suffix}", scale=scale, notes=left_out(series))


def series_of(series: Series) -> "Indicator":
    """The level that a gauge is. Raises UntranslatableError."""
    from soak.runner.importing.meaning import Indicator, UntranslatableError

    if series.shifted:
        raise UntranslatableError("a condition cannot look back by an offset")
    q = next((value for label, op, value in series.matchers if label == "quantile" and op == "="), None)
    if q is not None and re.fullmatch(r"0?\.[0-9]+", q):
        return scale_of(series, f"p{float(f'{float(q) * 100:.10g}'):g}")
    for sli, pattern in _LEVELS.items():
        if re.search(pattern, series.name, re.IGNORECASE):
            return Indicator(sli, notes=(*left_out(series), f"{series.name}: taken for {sli}"))
    if series.name == "up":
        raise UntranslatableError(
            "whether a target is scraped is not an indicator of a run (it has the law on gaps of telemetry)"
        )
    raise UntranslatableError(f"no indicator is known for the metric {series.name or '(without a name)'}")


def left_out(series: Series) -> tuple[str, ...]:
    """The labels that a condition of a scenario does not select by."""
    names = [f"{label}{op}{value}" for label, op, value in series.matchers if label not in {"le", "quantile"}]
    return (f"{', '.join(names)}: everything is taken together",) if names else ()
