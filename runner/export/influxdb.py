"""InfluxDB, by the write API of version 1 or of version 2. The client library makes the lines, and speaks version 2."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from urllib.parse import urlencode

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from runner.export.database import ExportError
from runner.export.metrics import Snapshot
from schemas.outlets import Export

FIELD = "value"


def points(snapshots: Sequence[Snapshot]) -> Iterator[Point]:
    """A point for each reading: the metric is the measurement, labels are tags, `value` is the only field."""
    for snapshot in snapshots:
        for reading in snapshot.readings:
            point = Point(reading.name).field(FIELD, reading.value)
            for name, value in reading.labels:
                point.tag(name, value)
            yield point.time(round(snapshot.time_s * 1000), WritePrecision.MS)


def line_protocol(snapshots: Sequence[Snapshot]) -> bytes:
    """Snapshots in InfluxDB's line protocol, times in milliseconds."""
    return "".join(f"{point.to_line_protocol()}\n" for point in points(snapshots)).encode()


class InfluxDB1:
    """`/write`, as InfluxDB 1 has it; the client library needs 1.8 at least, so that this is a request of our own."""

    keeps_history = True

    def __init__(self, export: Export, secret: str) -> None:
        self._export = export
        self._headers = urllib3.make_headers(basic_auth=f"{export.username}:{secret}") if secret else {}
        query = urlencode({"db": export.database, "precision": "ms"})
        self._url = f"{export.url}/write?{query}"
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(export.timeout_s), retries=False)

    def send(self, snapshots: Sequence[Snapshot]) -> None:
        """Write them all. Raises ExportError."""
        try:
            answer = self._pool.request("POST", self._url, body=line_protocol(snapshots), headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise _broken(error) from None
        if answer.status == HTTPStatus.NOT_FOUND:
            name = self._export.database
            raise ExportError(f"it has no database {name!r} (create it there: CREATE DATABASE {name})")
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise ExportError.of_status(answer.status)


class InfluxDB2:
    """`/api/v2/write`, through the client library."""

    keeps_history = True

    def __init__(self, export: Export, secret: str) -> None:
        self._export = export
        self._client = InfluxDBClient(
            export.url, secret, org=export.org, timeout=round(export.timeout_s * 1000), retries=False
        )
        self._api = self._client.write_api(write_options=SYNCHRONOUS)

    def send(self, snapshots: Sequence[Snapshot]) -> None:
        """Write them all. Raises ExportError."""
        export = self._export
        try:
            self._api.write(export.database, export.org, list(points(snapshots)))
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:
                what = f"it has no bucket {export.database!r} of organisation {export.org!r} (create it there)"
                raise ExportError(what) from None
            raise ExportError.of_status(int(error.status or 0)) from None
        except urllib3.exceptions.HTTPError as error:
            raise _broken(error) from None


def _broken(error: urllib3.exceptions.HTTPError) -> ExportError:
    """What broke a connection: the library wraps the error of the system, once or more often."""
    cause: BaseException = error
    while not isinstance(cause, OSError) and (inner := cause.__cause__ or cause.__context__):
        cause = inner
    late = isinstance(error, urllib3.exceptions.TimeoutError) and not isinstance(cause, OSError)
    return ExportError.of(TimeoutError() if late else cause)
