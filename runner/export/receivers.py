"""The receivers of an export, by its type: of metrics, of traces, of what happens."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from soak.runner.export.about import About
from soak.runner.export.database import CREDENTIALS, Database, Receiver
from soak.runner.export.moments import Moment
from soak.runner.secrets import secret_of
from soak.schemas.errors import UsageError
from soak.schemas.language.outlets import Export, ExportType, Secret, Signal

if TYPE_CHECKING:
    from soak.runner.export.otlp import OtlpTraces
    from soak.runner.export.post import Poster

EXTRAS = {ExportType.OTLP: "otlp", ExportType.REMOTE_WRITE: "remote-write"}
"""The extra that a type needs; the others need `export`."""


def open_database(export: Export, folder: Path, about: About) -> Database:
    """The database of an export; files with secrets are looked up in `folder`. Raises UsageError."""
    if export.type is ExportType.OTLP:
        from soak.runner.export.otlp import OtlpMetrics

        return OtlpMetrics(export.url, _poster(export, folder), about)
    if export.type is ExportType.REMOTE_WRITE:
        from soak.runner.export.remote_write import RemoteWrite

        return RemoteWrite(export.url, _poster(export, folder))
    secret = _secret(export, folder)
    if export.type is ExportType.PUSHGATEWAY:
        from soak.runner.export.pushgateway import Pushgateway

        return Pushgateway(export, secret, about.scenario)
    from soak.runner.export.influxdb import InfluxDB

    return InfluxDB(export, secret)


def open_traces(export: Export, folder: Path, about: About) -> "OtlpTraces | None":
    """The receiver of traces of an export, if it has one. Raises UsageError."""
    if export.type is not ExportType.OTLP or Signal.TRACES not in export.signals:
        return None
    from soak.runner.export.otlp import OtlpTraces

    return OtlpTraces(export.url, _poster(export, folder), about)


def open_listener(export: Export, folder: Path, about: About) -> Receiver[Moment]:
    """The receiver of what happens, of an export that is sent that. Raises UsageError."""
    poster = _poster(export, folder)
    if export.type is ExportType.GRAFANA:
        from soak.runner.export.annotations import GrafanaAnnotations

        return GrafanaAnnotations(export.url, poster, about)
    from soak.runner.export.cloudevents import CloudEvents

    return CloudEvents(export.url, poster, about)


def _poster(export: Export, folder: Path) -> "Poster":
    from soak.runner.export.post import Poster, authority

    secret = _secret(export, folder)
    who = authority(export.username, secret) if export.username else authority("", "", secret)
    further = {name: _header(each, folder) for name, each in export.headers}
    words = CREDENTIALS if export.username else "token" if secret else "request, which has neither token nor password"
    return Poster(export.timeout_s, {**who, **further}, words)


def _secret(export: Export, folder: Path) -> str:
    """The password or token of an export; empty without one. Raises UsageError."""
    if not export.username.isascii():
        raise UsageError(f"export: the user name {export.username!r} is not ASCII (choose another one)")
    if not export.secret:
        return ""
    is_token = export.type is ExportType.INFLUXDB2 or not export.username
    return _line(export.secret, folder, "token" if is_token else "password")


def _header(secret: Secret, folder: Path) -> str:
    return _line(secret, folder, "header")


def _line(secret: Secret, folder: Path, kind: str) -> str:
    value = secret_of(secret, folder, "export", kind)
    if not (value.isascii() and value.isprintable()):
        what = f"export: {secret.place}: is not a single line of ASCII characters"
        raise UsageError(f"{what} (put only the {kind} there)")
    return value


def extras_of(exports: tuple[Export, ...]) -> Mapping[str, str]:
    """The extras that exports need, each with what needs it, in words."""
    return {
        EXTRAS.get(each.type, "export"): f"export: {each.type.value}" if each.type in EXTRAS else "export:"
        for each in exports
    }
