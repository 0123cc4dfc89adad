"""OpenTelemetry's protocol over HTTP: metrics and traces of a run, made by its SDK and encoded by its encoders.

The requests are made here: the SDK's exporters keep trying by themselves, follow redirections, and report neither the status of
an answer nor whether it refuses permanently. Times are those of the run.
"""

import hashlib
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from msgspec import Struct
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, StatusCode, TraceFlags, set_span_in_context
from opentelemetry.trace.span import NonRecordingSpan
from opentelemetry.trace.status import Status as SpanStatus

from soak.runner.export.about import About, WallClock
from soak.runner.export.database import MOST_AT_ONCE, ExportError
from soak.runner.export.metrics import HELP, SUFFIXES, MetricSnapshot, is_counter
from soak.runner.export.post import Poster
from soak.runner.export.traces import TraceSpan
from soak.runner.extras import DISTRIBUTION
from soak.schemas.language.expression import Unit

METRICS_PATH, TRACES_PATH = "/v1/metrics", "/v1/traces"
SCOPE = "soak"
_HEADERS = {"Content-Type": "application/x-protobuf", "User-Agent": "soak"}
_UNITS = {
    Unit.DURATION: "s",
    Unit.RATIO: "1",
    Unit.SIZE: "By",
    Unit.DURATION_PER_HOUR: "s/h",
    Unit.SIZE_PER_HOUR: "By/h",
}
"""Units of UCUM; counts have none, so that no receiver puts it into their names."""
_SPANS_AT_ONCE = 500


def resource_of(about: About) -> Resource:
    """What the run is, as attributes of all that is sent of it."""
    commit: dict[str, str | bool] = (
        {"vcs.ref.head.revision": about.commit, "soak.commit.dirty": about.dirty} if about.commit else {}
    )
    return Resource(
        {
            "service.name": "soak",
            "service.instance.id": about.run,
            "service.version": _release(),
            "soak.scenario": about.scenario,
            "soak.scenario.sha256": about.scenario_sha256,
            "soak.target": about.target,
            "soak.run": about.run,
            "soak.seed": about.seed,
            "soak.clock": about.clock,
            "soak.speed": about.speed,
            **commit,
        }
    )


def _release() -> str:
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return ""


def _nanoseconds(time_s: float) -> int:
    return round(time_s * 1e6) * 1000


def metrics_data(snapshots: Sequence[MetricSnapshot], resource: Resource) -> MetricsData:
    """Snapshots as the SDK's data: gauges, and sums of what is counted from the first of them on."""
    points: dict[str, list[NumberDataPoint]] = {}
    for snapshot in snapshots:
        time_ns = _nanoseconds(snapshot.time_s)
        for each in snapshot.readings:
            points.setdefault(each.name, []).append(
                NumberDataPoint(dict(each.labels), 0, time_ns, each.value),
            )
    metrics = [Metric(name, HELP[name], _unit(name), _data(name, found)) for name, found in points.items()]
    scope = ScopeMetrics(InstrumentationScope(SCOPE), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _data(name: str, points: list[NumberDataPoint]) -> Gauge | Sum:
    if is_counter(name):
        return Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
    return Gauge(points)


def _unit(name: str) -> str:
    fitting = [unit for unit, suffix in SUFFIXES.items() if suffix and name.endswith(suffix)]
    return _UNITS.get(max(fitting, key=lambda unit: len(SUFFIXES[unit])), "") if fitting else ""


class OtlpMetrics:
    """A receiver of metrics; `url`: without the path of the signal."""

    keeps_history = True
    most_at_once = MOST_AT_ONCE

    def __init__(self, url: str, poster: Poster, about: About) -> None:
        self._url, self._poster, self._resource = f"{url}{METRICS_PATH}", poster, resource_of(about)

    def send(self, snapshots: Sequence[MetricSnapshot]) -> None:
        """Write them all. Raises ExportError."""
        body = encode_metrics(metrics_data(snapshots, self._resource)).SerializeToString()
        answer = self._poster.send(self._url, body, _HEADERS, missing=f"it has no {METRICS_PATH}", read=True)
        said = _understood(answer, ExportMetricsServiceResponse()).partial_success
        _refuse_partly(said.rejected_data_points, "data points")


_Answer = TypeVar("_Answer", bound=Message)


def _understood(answer: bytes, form: _Answer) -> _Answer:
    """The answer as a message. Raises ExportError for that of something else, such as the page of a website."""
    try:
        form.ParseFromString(answer)
    except DecodeError:
        raise ExportError(
            "its answer is not of this protocol (write the base URL of a receiver)", lasting=True
        ) from None
    return form


def _refuse_partly(rejected: int, what: str) -> None:
    """Of an answer that says that a part was not taken: by the protocol it must not be sent again."""
    if rejected:
        raise ExportError(f"it refused {rejected} {what}", final=True)


class TimedSpan(Struct, frozen=True):
    """A span of a run, and the clock that gives its times."""

    span: TraceSpan
    clock: WallClock


class _Ids(IdGenerator):
    """Ids that follow from the run and the keys of its spans: a run that is sent again is the same trace."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self.trace, self.span = "", ""

    def generate_trace_id(self) -> int:
        return self.of_trace(self.trace)

    def generate_span_id(self) -> int:
        return self.of_span(self.trace, self.span)

    def of_trace(self, trace: str) -> int:
        return self._hash(trace, 16)

    def of_span(self, trace: str, key: str) -> int:
        return self._hash(f"{trace}\n{key}", 8)

    def context(self, trace: str, key: str) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(self.of_trace(trace), self.of_span(trace, key), is_remote=False, trace_flags=flags)

    def _hash(self, text: str, size: int) -> int:
        found = int.from_bytes(hashlib.sha256(f"{self._seed}\n{text}".encode()).digest()[:size], "big")
        return found or 1


class _KeptSpans(SpanProcessor):
    """Keeps the spans that end."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def sdk_spans(spans: Sequence[TimedSpan], about: About) -> list[ReadableSpan]:
    """Spans as the SDK's."""
    began = f"{spans[0].clock.zero_s:.0f}" if spans else ""
    ids = _Ids(f"{about.scenario_sha256}\n{about.seed}\n{about.target}\n{about.run}\n{began}")
    kept = _KeptSpans()
    provider = TracerProvider(ALWAYS_ON, resource_of(about), shutdown_on_exit=False, id_generator=ids)
    provider.add_span_processor(kept)
    tracer = provider.get_tracer(SCOPE)
    for each in spans:
        span, at = each.span, each.clock.at
        ids.trace, ids.span = span.trace, span.key
        above = set_span_in_context(NonRecordingSpan(ids.context(span.trace, span.parent))) if span.parent else None
        made = tracer.start_span(
            span.name,
            above,
            attributes=dict(span.facts),
            links=[Link(ids.context(*link)) for link in span.links],
            start_time=_nanoseconds(at(span.start_s)),
        )
        for mark in span.marks:
            made.add_event(mark.name, dict(mark.facts), _nanoseconds(at(mark.t_s)))
        made.set_status(SpanStatus(StatusCode.ERROR, span.error) if span.error else SpanStatus(StatusCode.OK))
        made.end(_nanoseconds(at(span.end_s)))
    provider.shutdown()
    return kept.spans


Parcel = Sequence[TimedSpan]
"""Spans that are sent together; an empty one only asks whether they would be taken."""


class OtlpTraces:
    """A receiver of traces; `url`: without the path of the signal."""

    keeps_history = True
    most_at_once = 1

    def __init__(self, url: str, poster: Poster, about: About) -> None:
        self._url, self._poster, self._about = f"{url}{TRACES_PATH}", poster, about

    def send(self, parcels: Sequence[Parcel]) -> None:
        """Write them all. Raises ExportError."""
        spans = [span for parcel in parcels for span in parcel]
        body = encode_spans(sdk_spans(spans, self._about)).SerializeToString()
        answer = self._poster.send(self._url, body, _HEADERS, missing=f"it has no {TRACES_PATH}", read=True)
        _refuse_partly(_understood(answer, ExportTraceServiceResponse()).partial_success.rejected_spans, "spans")


def parcels(spans: Sequence[TraceSpan], clock: WallClock) -> Iterator[Parcel]:
    """Spans with the clock of their run, as they are sent."""
    for first in range(0, len(spans), _SPANS_AT_ONCE):
        yield [TimedSpan(span, clock) for span in spans[first : first + _SPANS_AT_ONCE]]
