"""A server that takes whatever is posted to it, and what it was sent, decoded by the protocols' own messages."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Taken:
    """What a server was sent, and where it is."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)

    def to(self, path: str) -> list[Request]:
        return [each for each in self.requests if each.path == path]


Answer = Callable[[Request, int], tuple[int, bytes]]
"""Of a request, and how many came before it: status and body of the answer."""


def nothing_to_say(request: Request, before: int) -> tuple[int, bytes]:
    return 200, b""


@contextmanager
def receiving(answer: Answer = nothing_to_say) -> Iterator[Taken]:
    taken = Taken()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = Request(self.command, self.path, dict(self.headers.items()), body)
            status, said = answer(request, len(taken.requests))
            taken.requests.append(request)
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_PATCH = do_POST  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    taken.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def attributes(pairs: "list[KeyValue] | Any") -> dict[str, Any]:
    return {pair.key: plain(pair.value) for pair in pairs}


def points(taken: Taken, path: str = "/v1/metrics") -> Iterator[tuple[str, dict[str, Any], float, float]]:
    """Name, attributes, Unix time and value of every point of metrics that came."""
    for request in taken.to(path):
        for resource in ExportMetricsServiceRequest.FromString(request.body).resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    data = getattr(metric, metric.WhichOneof("data") or "gauge")
                    for point in data.data_points:
                        yield metric.name, attributes(point.attributes), point.time_unix_nano / 1e9, point.as_double


def spans(taken: Taken, path: str = "/v1/traces") -> list[tuple[dict[str, Any], Span]]:
    """Attributes of the resource, and the span, of all that came."""
    return [
        (attributes(resource.resource.attributes), span)
        for request in taken.to(path)
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
