"""Which indicator a metric of Prometheus is, by its name and labels, after the conventions of exporters.

https://prometheus.io/docs/practices/naming/: a unit as suffix, `_total`, `_bucket`, `_sum` and `_count`.
"""

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from soak.runner.importing.promql import Series
from soak.runner.importing.values import duration_text

if TYPE_CHECKING:
    from soak.runner.importing.meaning import Indicator


class Outcome(StrEnum):
    """What a counter counts."""

    FAILURE = "failure"
    SUCCESS = "success"
    RETRY = "retry"
    ANY = "any"


EXECUTIONS = "execution.ended"
"""Events with the time of an execution, without waiting; of `calls`, those that end a call."""
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
_EXECUTION = re.compile(
    r"run_?time|execution|execut(e|ing)|(?<![a-z])exec(?![a-z])|(?<!post)processing|handling|service_time",
    re.IGNORECASE,
)
_DEAD_LETTER = re.compile(r"dlq|dead[-_. ]?letter|(?<![a-z])dead(?![a-z])", re.IGNORECASE)
_IN_PROGRESS = re.compile(r"unack|in_?progress|not_?visible|reserved|running|being_processed", re.IGNORECASE)
DEAD_LETTERS = (
    "taken for dead_lettered: the tasks that the run has set aside, also those removed since; "
    "without queue.max_deliveries there are none"
)
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


def _is_outcome(label: str, value: str) -> bool:
    return label.lower() in _STATUS and any(each.search(value) for each in (_FAILED, _SUCCEEDED, _RETRIED))


def counts_work(series: Series) -> bool:
    """Whether a counter is, by its name, one of tasks or their like."""
    return bool(_WORK.search(series.name))


def scale_of(series: Series, suffix: str) -> "Indicator":
    """The latency, the wait or the time of executions that a histogram holds: its mean or a percentile.

    Raises UntranslatableError.
    """
    from soak.runner.importing.meaning import Indicator, UntranslatableError

    if not _TIME.search(series.name):
        raise UntranslatableError(f"{series.name} does not look like a duration")
    scale = _scale(series)
    if _of_executions(series):
        if not suffix.startswith("p"):
            raise UntranslatableError(
                f"{series.name} is the time of executions without waiting, which has no mean (but quantiles: execution.ended)"
            )
        q = f"{float(suffix[1:]):g}"
        own = {"quantile": {"of": EXECUTIONS, "q": f"{q}%"}, "unit": "duration"}
        name = f"execution_p{q.replace('.', '_')}"
        return Indicator(name, scale=scale, own=own, notes=(*left_out(series), _taken_for_executions(series)))
    sli = "wait" if _WAIT.search(series.name) else "latency"
    return Indicator(f"{sli}_{suffix}", scale=scale, notes=left_out(series))


def share_below(series: Series, limit: float) -> "Indicator":
    """The share of durations in a histogram that are at most a limit in its own unit. Raises UntranslatableError."""
    from soak.runner.importing.meaning import Indicator

    below = duration_text(limit / scale_of(series, "p50").scale)
    if not _of_executions(series):
        return Indicator(f"latency_share_below({below})", notes=left_out(series))
    own = {"share": {"of": EXECUTIONS, "below": below}}
    name = f"execution_share_below_{below.replace('.', '_')}"
    return Indicator(name, own=own, notes=(*left_out(series), _taken_for_executions(series)))


def _scale(series: Series) -> float:
    return 1000.0 if _MILLISECONDS.search(series.name) else 1.0


def _of_executions(series: Series) -> bool:
    """Whether a histogram holds, by its name, how long work takes once it has started."""
    return bool(_EXECUTION.search(series.name)) and not _WAIT.search(series.name)


def _taken_for_executions(series: Series) -> str:
    return f"{series.name}: taken for how long executions take, without waiting; every attempt counts"


def is_dead_letter(series: Series) -> bool:
    """Whether a series is, by its name or the queue that it selects, one of dead letters."""
    selected = [value for _, op, value in series.matchers if op in {"=", "=~"}]
    return any(_DEAD_LETTER.search(each) for each in (series.name, *selected))


def series_of(series: Series) -> "Indicator":
    """The level that a gauge is. Raises UntranslatableError."""
    from soak.runner.importing.meaning import Indicator, UntranslatableError

    q = next((value for label, op, value in series.matchers if label == "quantile" and op == "="), None)
    if q is not None and re.fullmatch(r"0?\.[0-9]+", q):
        return scale_of(series, f"p{float(f'{float(q) * 100:.10g}'):g}")
    for sli, pattern in _LEVELS.items():
        if re.search(pattern, series.name, re.IGNORECASE):
            if sli in {"queue_depth", "oldest_pending"} and is_dead_letter(series):
                return _dead_letters(series, sli)
            if sli == "queue_depth" and _IN_PROGRESS.search(series.name):
                raise UntranslatableError(f"{series.name} counts work in progress, queue_depth the work that waits")
            return Indicator(sli, notes=(*left_out(series), f"{series.name}: taken for {sli}"))
    if series.name == "up":
        raise UntranslatableError(
            "whether a target is scraped is not an indicator of a run (it has the law on gaps of telemetry)"
        )
    raise UntranslatableError(f"no indicator is known for the metric {series.name or '(without a name)'}")


def _dead_letters(series: Series, sli: str) -> "Indicator":
    from soak.runner.importing.meaning import Indicator, UntranslatableError

    if sli != "queue_depth":
        raise UntranslatableError(
            f"{series.name} is the age of dead letters, which has no counterpart (dead_lettered counts)"
        )
    return Indicator("dead_lettered", notes=(*left_out(series), DEAD_LETTERS))


def left_out(series: Series, *, by_outcome: bool = False) -> tuple[str, ...]:
    """The labels that a condition of a scenario does not select by; `by_outcome`: those apart that say how work ends."""
    names = [
        f"{label}{op}{value}"
        for label, op, value in series.matchers
        if label not in {"le", "quantile", "__name__"} and not (by_outcome and _is_outcome(label, value))
    ]
    return (f"{', '.join(names)}: everything is taken together",) if names else ()
