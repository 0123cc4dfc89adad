"""What the report says of a pipeline: tables of its processes, sinks and alerts, and the order in which it was shut down."""

import math
from collections.abc import Callable, Iterator, Sequence

from soak.runner.judge.explanation.words import moment
from soak.runner.judge.histogram import Histogram
from soak.runner.judge.pipeline.alerts import Moment, PipelineAlerts
from soak.runner.judge.pipeline.ends import Ends
from soak.runner.judge.pipeline.flow import Flow
from soak.runner.judge.pipeline.probes import Probes
from soak.runner.judge.pipeline.processes import Followed, Listed, Processes
from soak.schemas.evidence.verdict import Section
from soak.schemas.systems.pipeline.settings import AlertRule, Alerts, Pipeline
from soak.schemas.units import show_duration, show_ratio, show_size

_UNKNOWN = "–"
_QUANTILES = (0.5, 0.95, 0.99)
_MOST = 6
"""How many times are written into one cell."""


def sections_of(
    pipeline: Pipeline, flow: Flow, ends: Ends, probes: Probes, processes: Processes, alerts: PipelineAlerts
) -> Iterator[Section]:
    """The tables of a run, as far as it has come."""
    yield _processes(pipeline, ends, probes, processes)
    yield _sinks(pipeline, flow, ends)
    if alerts.rules:
        yield _alerts(pipeline.alerts, alerts)
    if processes.ended:
        yield _shutdown(pipeline, processes)


def _processes(pipeline: Pipeline, ends: Ends, probes: Probes, processes: Processes) -> Section:
    rows = []
    for number, (each, probe) in enumerate(zip(processes.of, probes.of, strict=True)):
        most = {name: values[number] for name, values in ends.most.items()}
        rows.append(
            [
                pipeline.processes[number].name,
                f"{each.exits:,}",
                f"{each.restarts:,}{_ending(each, processes.away_s(number))}",
                _listed([show_duration(took_s) for took_s in each.back]),
                _listed([f"{_seconds(wait.waited_s)} ({_planned(wait)})" for wait in each.waits]),
                f"{show_ratio(probe.good / probe.probed)} of {probe.probed:,}" if probe.probed else _UNKNOWN,
                _known(most["process_rss"], show_size),
                _known(most["process_cpu"], show_ratio),
                _known(most["process_open_files"], "{:,.0f}".format),
                _known(most["backlog"], "{:,.0f}".format),
            ]
        )
    columns = ["process", "exits", "restarts", "back after", "waited (backoff)", "green", "RSS", "CPU", "open files"]
    note = "Back: healthy, and something passed on. RSS, CPU, open files and the records that wait: the largest sample."
    return Section("Processes", [*columns, "most waiting"], rows, note)


def _ending(each: Followed, away_s: float | None) -> str:
    words = []
    if each.reported is not None and each.reported != each.restarts:
        words.append(f"{each.reported:,} reported")
    if each.abandoned:
        words.append("abandoned")
    if away_s is not None:
        words.append(f"away since {moment(away_s)}")
    return f" ({', '.join(words)})" if words else ""


def _sinks(pipeline: Pipeline, flow: Flow, ends: Ends) -> Section:
    rows = []
    for number, sink in enumerate(pipeline.sinks):
        histogram, figures = flow.latency[number], ends.sinks[number]
        rows.append(
            [
                sink.name,
                f"{flow.stored[number]:,}",
                *(_quantile(histogram, q) for q in _QUANTILES),
                _known(histogram.largest, show_duration),
                f"{flow.lost(number):,}",
                *(f"{flow.counts[name][number]:,}" for name in ("duplicates", "phantoms")),
                *(
                    _UNKNOWN if each is None else f"{each:,.0f}"
                    for each in (figures.total, figures.confirm, figures.strong)
                ),
            ]
        )
    columns = ["sink", "records", "p50", "p95", "p99", "slowest", "lost", "twice", "never sent"]
    apart = ends.differences()
    words = [f"{figure} {show_ratio(difference)}" for figure, difference in apart.items()]
    note = f"Sinks of one stream differ over the same records by at most: {', '.join(words)}." if words else ""
    return Section("Sinks", [*columns, "in the closed window", "confirmed", "strong"], rows, note)


def _alerts(settings: Alerts, alerts: PipelineAlerts) -> Section:
    rows = [
        [
            each.rule.value,
            _condition(each.rule, settings),
            _moments([due for due in each.all_due if due.fires]),
            _moments([due for due in each.all_due if not due.fires]),
            _moments([said for said in each.all_said if said.fires]),
            _moments([said for said in each.all_said if not said.fires]),
            show_duration(each.slowest_s),
            f"{each.missed:,}",
            f"{each.wrong:,}",
        ]
        for each in alerts.rules
    ]
    columns = ["alert", "when", "due", "over", "fired", "resolved", "slowest", "missed", "false"]
    return Section("Alerts of the pipeline", columns, rows, "Due and over: as the closed minutes have it.")


def _condition(rule: AlertRule, settings: Alerts) -> str:
    match rule:
        case AlertRule.NO_RECORDS:
            return f"no records for {moment(settings.no_records_s or 0.0)}"
        case AlertRule.LOW_CONSISTENCY:
            return f"more than {show_ratio(settings.low_consistency or 0.0)} of low consistency"
        case AlertRule.STRONG_RATIO:
            return f"fewer than {show_ratio(settings.strong_ratio or 0.0)} strong"


def _shutdown(pipeline: Pipeline, processes: Processes) -> Section:
    ended = [pipeline.processes[number].name for number in processes.ended]
    planned = pipeline.supervisor.order
    length = max(len(ended), len(planned))
    padded = [[*names, *[""] * (length - len(names))] for names in (planned, ended)]
    rows = [[str(place + 1), *(names[place] for names in padded)] for place in range(length)]
    return Section("Shutdown", ["", "planned", "as it was"], rows, "")


def _quantile(histogram: Histogram, q: float) -> str:
    return _known(histogram.quantile(q), show_duration)


def _known(value: float, show: Callable[[float], str]) -> str:
    return show(value) if math.isfinite(value) else _UNKNOWN


def _planned(wait: Listed) -> str:
    """The least and the most that a supervisor may take the backoff for."""
    words = dict.fromkeys(_seconds(each) for each in (wait.least_s, wait.most_s))
    return " to ".join(words)


def _seconds(value: float) -> str:
    return show_duration(round(value, 1))


def _moments(moments: Sequence[Moment]) -> str:
    return _listed([moment(each.t_s) for each in moments])


def _listed(words: Sequence[str]) -> str:
    if not words:
        return _UNKNOWN
    more = f" and {len(words) - _MOST} more" if len(words) > _MOST else ""
    return ", ".join(words[:_MOST]) + more
