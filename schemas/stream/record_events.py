"""Events of systems through which records flow: of their processes, probes, records, sinks and alerts.

Records are not written one by one: an event stands for the records of a stretch, one sample interval, or for those that
something happened to. A worker is a numbered part of the system: first its processes, then its sinks.
"""

from soak.schemas.stream.kinds import Kind, Spec, Value

_NAMED = ("name", Value.NAME)
_NUMBER = ("value", Value.NUMBER)


def _sample(name: str, value: Value, description: str) -> Spec:
    return Spec(f"sample.{name}", description, "worker", "value", value)


RECORD_SPECS: dict[Kind, Spec] = {
    Kind.PROCESS_HEALTHY: Spec(
        "process.healthy", "the process `name` is healthy for the first time since its start", "worker", *_NAMED
    ),
    Kind.PROCESS_OUTPUT: Spec(
        "process.output", "the process `name` passed something on for the first time since its start", "worker", *_NAMED
    ),
    Kind.PROCESS_ABANDONED: Spec(
        "process.abandoned", "the supervisor does not restart the process `name` any more", "worker", *_NAMED
    ),
    Kind.PROCESS_ORPHANED: Spec(
        "process.orphaned", "at the end: a process of `name` is still there", "worker", *_NAMED
    ),
    Kind.PROBE_GREEN: Spec("probe.green", "a health probe of a process succeeded", "worker"),
    Kind.PROBE_FAILED: Spec("probe.failed", "a health probe of a process failed", "worker cause"),
    Kind.PROBE_DISPUTED: Spec(
        "probe.disputed",
        "the supervisor reported a process as healthy while it was down or failed its probes",
        "worker",
    ),
    Kind.SHUTDOWN_STARTED: Spec("shutdown.started", "the supervisor begins to stop its processes"),
    Kind.RECORDS_SENT: Spec("records.sent", "the source sent `value` records", "label", *_NUMBER),
    Kind.RECORDS_TAKEN: Spec("records.taken", "a process read `value` records", "worker label", *_NUMBER),
    Kind.RECORDS_STORED: Spec(
        "records.stored",
        "a sink holds `records` more, each `value` after the source sent it",
        "worker records label",
        "value",
        Value.SECONDS,
    ),
    Kind.RECORDS_DROPPED: Spec(
        "records.dropped", "`value` records were dropped at the full buffer of a process", "worker cause", *_NUMBER
    ),
    Kind.RECORDS_MISSED: Spec(
        "records.missed", "`value` sequence numbers of the source never reached a process", "worker cause", *_NUMBER
    ),
    Kind.RECORDS_LOST: Spec("records.lost", "`value` records will never be in a sink", "worker cause", *_NUMBER),
    Kind.RECORDS_DUPLICATED: Spec(
        "records.duplicated", "a sink holds `value` records that it holds already", "worker cause", *_NUMBER
    ),
    Kind.RECORDS_PHANTOM: Spec(
        "records.phantom", "a sink holds `value` records that the source never sent", "worker", *_NUMBER
    ),
    Kind.ORDERS_PLACED: Spec("orders.placed", "a process placed `value` orders", "worker", *_NUMBER),
    Kind.ORDERS_DUPLICATED: Spec(
        "orders.duplicated", "a process placed `value` orders for records that have one", "worker cause", *_NUMBER
    ),
    Kind.STREAM_RECONNECTED: Spec("stream.reconnected", "a process connected to the source again", "worker cause"),
    Kind.STREAM_TIMED_OUT: Spec(
        "stream.timed_out", "a process gave a connection up on which no data came", "worker cause"
    ),
    Kind.EXPORT_MADE: Spec("export.made", "the time series were exported"),
    Kind.EXPORT_FAILED: Spec("export.failed", "an export of the time series failed", "cause"),
    Kind.MINUTE_TOTAL: Spec(
        "minute.total", "a minute is closed: `value` of the records sent in it are in the first sink", "", *_NUMBER
    ),
    Kind.MINUTE_STRONG: Spec("minute.strong", "of these, `value` are strong", "", *_NUMBER),
    Kind.MINUTE_LOW_CONSISTENCY: Spec(
        "minute.low_consistency", "of these, `value` are of low consistency", "", *_NUMBER
    ),
    Kind.SINK_TOTAL: Spec("sink.total", "at the end: records of the closed window in a sink", "worker", *_NUMBER),
    Kind.SINK_CONFIRM: Spec("sink.confirm", "at the end: confirmed ones among them", "worker", *_NUMBER),
    Kind.SINK_STRONG: Spec("sink.strong", "at the end: strong ones among them", "worker", *_NUMBER),
    Kind.SINK_EXPECTED: Spec(
        "sink.expected",
        "at the end: records sent that have to get to a sink, where its processes do not pass all of them on",
        "worker",
        *_NUMBER,
    ),
    Kind.REPORTED_ALERT_FIRED: Spec("reported.alert_fired", "the system itself reports an alert", "", *_NAMED),
    Kind.REPORTED_ALERT_RESOLVED: Spec(
        "reported.alert_resolved", "the system itself reports that an alert is over", "", *_NAMED
    ),
    Kind.REPORTED_RESTARTS: Spec(
        "reported.restarts", "at the end: how often the supervisor says that it restarted a process", "worker", *_NUMBER
    ),
    Kind.REPORTED_PROCESS_RSS: Spec(
        "reported.process_rss",
        "at the end: the most memory, in bytes, that the supervisor reports of a process; 0 where it reports none",
        "worker",
        *_NUMBER,
    ),
    Kind.LEDGER_UNREAD: Spec(
        "ledger.unread",
        "at the end: a ledger (of a sink, a process, or the source) could not be read as the target file says",
        "worker",
    ),
    Kind.REPORTED_RECONNECTS: Spec(
        "reported.reconnects", "a process says for the first time how often it connected again", "worker", *_NUMBER
    ),
    Kind.REPORTED_STREAM_TIMEOUTS: Spec(
        "reported.stream_timeouts",
        "a process says for the first time how often it gave a connection up on which no data came",
        "worker",
        *_NUMBER,
    ),
    Kind.REPORTED_EXPORTS: Spec(
        "reported.exports",
        "at the end: how often the supervisor says that it exported, where exports are counted as they arrive",
        "",
        *_NUMBER,
    ),
    Kind.LOG_LOST: Spec("log.lost", "`value` bytes that a process had written to its log are gone", "worker", *_NUMBER),
    Kind.SAMPLE_LOG_SIZE: _sample("log_size", Value.NUMBER, "at the end: size of the log of a process, in bytes"),
    Kind.SAMPLE_BACKLOG: _sample("backlog", Value.NUMBER, "records that wait for a process, wherever they are"),
    Kind.SAMPLE_FRESHNESS: _sample("freshness", Value.SECONDS, "age of the newest record in a sink"),
    Kind.SAMPLE_PROCESS_RSS: _sample("process_rss", Value.NUMBER, "resident memory of a process, in bytes"),
    Kind.SAMPLE_PROCESS_OPEN_FILES: _sample("process_open_files", Value.NUMBER, "open files of a process"),
    Kind.SAMPLE_PROCESS_CPU: _sample(
        "process_cpu", Value.NUMBER, "CPU that a process used since the last sample, as a share of a core"
    ),
    Kind.SAMPLE_SOURCE_LAG: Spec(
        "sample.source_lag",
        "the most by which the source sent records after they were due, since the last sample",
        "",
        "value",
        Value.SECONDS,
    ),
}
"""How every kind is written."""
