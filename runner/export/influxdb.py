"""InfluxDB, by the write API of version 1 or of version 2; lines are made by its client library.

The requests are made here: the library's need InfluxDB 1.8, and read whole responses.
"""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from urllib.parse import urlencode

from influxdb_client.client.write.point import Point
from influxdb_client.domain.write_precision import WritePrecision

from soak.runner.export.database import MOST_AT_ONCE
from soak.runner.export.metrics import MetricSnapshot
from soak.runner.export.post import Poster, authority
from soak.schemas.language.outlets import Export, ExportType

FIELD = "value"


def points(snapshots: Sequence[MetricSnapshot]) -> Iterator[Point]:
    """A point for each reading: the metric is the measurement, labels are tags, `value` is the only field."""
    for snapshot in snapshots:
        for reading in snapshot.readings:
            point = Point(reading.name).field(FIELD, reading.value)
            for name, value in reading.labels:
                point.tag(name, value)
            yield point.time(round(snapshot.time_s * 1000), WritePrecision.MS)


def line_protocol(snapshots: Sequence[MetricSnapshot]) -> bytes:
    """Snapshots in InfluxDB's line protocol, times in milliseconds."""
    return "".join(f"{point.to_line_protocol()}\n" for point in points(snapshots)).encode()


class InfluxDB:
    """`/write` of version 1, or `/api/v2/write`."""

    keeps_history = True
    most_at_once = MOST_AT_ONCE

    def __init__(self, export: Export, secret: str) -> None:
        if export.type is ExportType.INFLUXDB2:
            query = {"org": export.org, "bucket": export.database, "precision": "ms"}
            self._url = f"{export.url}/api/v2/write?{urlencode(query)}"
            headers = authority("", "", secret, "Token")
            self._missing = f"it has no bucket {export.database!r} of organisation {export.org!r} (create it there)"
        else:
            self._url = f"{export.url}/write?{urlencode({'db': export.database, 'precision': 'ms'})}"
            headers = authority(export.username, secret)
            self._missing = (
                f"it has no database {export.database!r} (create it there: CREATE DATABASE {export.database})"
            )
        self._poster = Poster(export.timeout_s, headers)

    def send(self, snapshots: Sequence[MetricSnapshot]) -> None:
        """Write them all. Raises ExportError."""
        self._poster.send(self._url, line_protocol(snapshots), missing=self._missing, only=HTTPStatus.NO_CONTENT)
