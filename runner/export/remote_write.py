"""Prometheus remote write 1.0: series with their samples, as protocol buffers, compressed with Snappy.

The messages are declared as the specification has them (https://prometheus.io/docs/specs/prw/remote_write_spec/); the library of
protocol buffers encodes them, and cramjam compresses them.
"""

from collections.abc import Sequence
from functools import cache

from cramjam import snappy
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from soak.runner.export.database import MOST_AT_ONCE
from soak.runner.export.metrics import Labels, MetricSnapshot
from soak.runner.export.post import Poster

_PACKAGE = "soak.remote_write"
_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": "soak",
}
_MISSING = "it takes no remote write there (start Prometheus with --web.enable-remote-write-receiver; its path is /api/v1/write)"
_MESSAGES = {
    "Label": (("name", 1, "TYPE_STRING"), ("value", 2, "TYPE_STRING")),
    "Sample": (("value", 1, "TYPE_DOUBLE"), ("timestamp", 2, "TYPE_INT64")),
    "TimeSeries": (("labels", 1, "Label"), ("samples", 2, "Sample")),
    "WriteRequest": (("timeseries", 1, "TimeSeries"),),
}
"""Fields of each message: name, number, and type, or the message that is repeated."""


@cache
def write_request() -> type[Message]:
    """The class of the message WriteRequest."""
    file = FileDescriptorProto(name="remote_write.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind in fields:
            one = described.field.add(name=name, number=number)
            if kind in _MESSAGES:
                one.type, one.label = FieldDescriptorProto.TYPE_MESSAGE, FieldDescriptorProto.LABEL_REPEATED
                one.type_name = f".{_PACKAGE}.{kind}"
            else:
                one.type = FieldDescriptorProto.Type.Value(kind)
                one.label = FieldDescriptorProto.LABEL_OPTIONAL
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.WriteRequest"))


def series_of(snapshots: Sequence[MetricSnapshot]) -> dict[Labels, list[tuple[int, float]]]:
    """Samples (Unix time in milliseconds, value) of each series, its labels sorted and with its name, as is asked of a sender."""
    found: dict[Labels, list[tuple[int, float]]] = {}
    for snapshot in snapshots:
        time_ms = round(snapshot.time_s * 1000)
        for reading in snapshot.readings:
            labels = tuple(sorted((("__name__", reading.name), *reading.labels)))
            found.setdefault(labels, []).append((time_ms, reading.value))
    return found


def written(snapshots: Sequence[MetricSnapshot]) -> bytes:
    """Snapshots as the body of a request."""
    series = [
        {
            # A label without a value is the same as none, and some receivers refuse it.
            "labels": [{"name": name, "value": value} for name, value in labels if value],
            "samples": [{"value": value, "timestamp": time_ms} for time_ms, value in samples],
        }
        for labels, samples in series_of(snapshots).items()
    ]
    return bytes(snappy.compress_raw(write_request()(timeseries=series).SerializeToString()))


class RemoteWrite:
    """A receiver of remote write."""

    keeps_history = True
    most_at_once = MOST_AT_ONCE

    def __init__(self, url: str, poster: Poster) -> None:
        self._url, self._poster = url, poster

    def send(self, snapshots: Sequence[MetricSnapshot]) -> None:
        """Write them all. Raises ExportError."""
        self._poster.send(self._url, written(snapshots), _HEADERS, missing=_MISSING)
