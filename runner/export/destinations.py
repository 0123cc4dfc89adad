"""Where the figures of a run are exported to, by the scenario or else by the environment."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from soak.runner.export.database import Database
from soak.runner.secrets import secret_of
from soak.schemas.errors import UsageError
from soak.schemas.language.model import Scenario
from soak.schemas.language.outlets import DEFAULT_EVERY_S, DEFAULT_TIMEOUT_S, Export, ExportType, Secret
from soak.schemas.language.shape import did_you_mean

TYPE, URL = "TIMESERIES_TYPE", "TIMESERIES_URL"
USERNAME, PASSWORD, TOKEN = "TIMESERIES_USERNAME", "TIMESERIES_PASSWORD", "TIMESERIES_TOKEN"
_EXAMPLES = {
    ExportType.PUSHGATEWAY: "http://127.0.0.1:9091",
    ExportType.INFLUXDB: "http://127.0.0.1:8086?db=soak",
    ExportType.INFLUXDB2: "http://127.0.0.1:8086?org=quality&bucket=soak",
    ExportType.SCRAPE: "http://127.0.0.1:9464",
}


def exports_of(scenario: Scenario, environment: Mapping[str, str] = os.environ) -> tuple[Export, ...]:
    """The exports of a run: the scenario's, unless the environment names one. Raises UsageError."""
    named, url = environment.get(TYPE, "").strip(), environment.get(URL, "").strip()
    if not named and not url:
        return scenario.exports
    if not named or not url:
        there, missing = (TYPE, URL) if named else (URL, TYPE)
        raise UsageError(f"{there} is set, {missing} is not (set both, or neither)")
    try:
        export_type = ExportType(named)
    except ValueError:
        remedy = did_you_mean(named, [each.value for each in ExportType])
        raise UsageError(f"{TYPE}: unknown value {named!r} ({remedy})") from None
    return (_from_environment(export_type, url, environment),)


def _from_environment(export_type: ExportType, url: str, environment: Mapping[str, str]) -> Export:
    example = f"{URL}: write a URL such as {_EXAMPLES[export_type]}"
    try:
        parts = urlsplit(url)
        port = parts.port or 0
    except ValueError:
        raise UsageError(f"{example} (it is not a valid URL)") from None
    if "@" in parts.netloc:
        raise UsageError(f"{URL}: holds a user name or password (put them into {USERNAME} and {PASSWORD})")
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    needed = {ExportType.INFLUXDB: ("db",), ExportType.INFLUXDB2: ("org", "bucket")}.get(export_type, ())
    if parts.scheme not in {"http", "https"} or not parts.hostname or set(query) != set(needed):
        raise UsageError(f"{example} (it is not a valid URL, or of another kind)")
    if export_type is ExportType.SCRAPE:
        if (
            parts.hostname not in {"127.0.0.1", "localhost"}
            or parts.path not in {"", "/", "/metrics"}
            or not parts.port
        ):
            raise UsageError(f"{example} (a run serves /metrics on the loopback only)")
        return Export(export_type, DEFAULT_EVERY_S, DEFAULT_TIMEOUT_S, required=True, port=port)
    if export_type is not ExportType.INFLUXDB2 and bool(environment.get(USERNAME)) != bool(environment.get(PASSWORD)):
        raise UsageError(f"of {USERNAME} and {PASSWORD} one is set and the other is not (set both, or neither)")
    variable = TOKEN if export_type is ExportType.INFLUXDB2 else PASSWORD
    wanted = environment.get(variable) or export_type is ExportType.INFLUXDB2
    return Export(
        export_type,
        DEFAULT_EVERY_S,
        DEFAULT_TIMEOUT_S,
        required=True,
        url=f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/"),
        database=query.get("db") or query.get("bucket") or "",
        org=query.get("org", ""),
        username=environment.get(USERNAME, ""),
        secret=Secret(variable, None) if wanted else None,
    )


def open_database(export: Export, folder: Path, scenario: str) -> Database:
    """The database of an export; files with secrets are looked up in `folder`. Raises UsageError."""
    kind = "token" if export.type is ExportType.INFLUXDB2 else "password"
    secret = secret_of(export.secret, folder, "export", kind) if export.secret else ""
    if export.secret and not (secret.isascii() and secret.isprintable()):
        what = f"export: {export.secret.place}: holds more than one line of ASCII characters"
        raise UsageError(f"{what} (put the {kind} there, and nothing else)")
    if not export.username.isascii():
        raise UsageError(f"export: the user name {export.username!r} is not ASCII (choose another one)")
    if export.type is ExportType.PUSHGATEWAY:
        from soak.runner.export.pushgateway import Pushgateway

        return Pushgateway(export, secret, scenario)
    from soak.runner.export.influxdb import InfluxDB

    return InfluxDB(export, secret)
