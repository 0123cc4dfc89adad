"""InfluxDB, by the write API of version 1 or of version 2; lines are made by its client library.

The requests are made here: the library's need InfluxDB 1.8, and read whole responses.
"""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from urllib.parse import urlencode

import urllib3
from influxdb_client.client.write.point import Point
from influxdb_client.domain.write_precision import WritePrecision

from soak.runner.export.database import ExportError
from soak.runner.export.metrics import MetricSnapshot
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

    def __init__(self, export: Export, secret: str) -> None:
        if export.type is ExportType.INFLUXDB2:
            query = {"org": export.org, "bucket": export.database, "precision": "ms"}
            self._url = f"{export.url}/api/v2/write?{urlencode(query)}"
            self._headers = {"Authorization": f"Token {secret}"}
            self._missing = f"it has no bucket {export.database!r} of organisation {export.org!r} (create it there)"
        else:
            self._url = f"{export.url}/write?{urlencode({'db': export.database, 'precision': 'ms'})}"
            self._headers = urllib3.make_headers(basic_auth=f"{export.username}:{secret}") if secret else {}
            self._missing = (
                f"it has no database {export.database!r} (create it there: CREATE DATABASE {export.database})"
            )
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(export.timeout_s), retries=False)

    def send(self, snapshots: Sequence[MetricSnapshot]) -> None:
        """Write them all. Raises ExportError."""
        body = line_protocol(snapshots)
        try:
            # The status suffices: the body, however long, is not read.
            answer = self._pool.request(
                "POST", self._url, body=body, headers=self._headers, preload_content=False, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise _broken(error) from None
        answer.close()
        if answer.status == HTTPStatus.NOT_FOUND:
            raise ExportError(self._missing)
        if answer.status != HTTPStatus.NO_CONTENT:
            raise ExportError.of_status(answer.status)


def _broken(error: urllib3.exceptions.HTTPError) -> ExportError:
    """The cause of a connection error: the library wraps the operating system error, possibly repeatedly."""
    cause: BaseException = error
    while not isinstance(cause, OSError) and (inner := cause.__cause__ or cause.__context__):
        cause = inner
    late = isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(cause, OSError)
    return ExportError.of(TimeoutError() if late else cause)
