"""Destinations of exports: from the scenario, or from the environment instead."""

import os
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

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
    ExportType.OTLP: "http://127.0.0.1:4318",
    ExportType.REMOTE_WRITE: "http://127.0.0.1:9090/api/v1/write",
    ExportType.GRAFANA: "http://127.0.0.1:3000",
    ExportType.CLOUDEVENTS: "http://127.0.0.1:8080/events",
}
_BY_TOKEN = frozenset(set(ExportType) - {ExportType.PUSHGATEWAY, ExportType.INFLUXDB})
"""Those that take a token; all but InfluxDB 2 take a user name and a password, too."""


def exports_of(scenario: Scenario, environment: Mapping[str, str] = os.environ) -> tuple[Export, ...]:
    """The exports of a run: the scenario's, unless the environment names one. Raises UsageError."""
    named, url = environment.get(TYPE, "").strip(), environment.get(URL, "").strip()
    if not named and not url:
        return scenario.exports
    if not named or not url:
        there, missing = (TYPE, URL) if named else (URL, TYPE)
        raise UsageError(f"{there} is set, but {missing} is not (set both, or neither)")
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
        raise UsageError(f"{example} (the value is not a valid URL)") from None
    if "@" in parts.netloc:
        raise UsageError(f"{URL}: contains a user name or password (put them into {USERNAME} and {PASSWORD})")
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    needed = {ExportType.INFLUXDB: ("db",), ExportType.INFLUXDB2: ("org", "bucket")}.get(export_type, ())
    if parts.scheme not in {"http", "https"} or not parts.hostname or set(query) != set(needed):
        raise UsageError(f"{example} (the value is not a valid URL, or has other parts)")
    if export_type is ExportType.SCRAPE:
        if (
            parts.hostname not in {"127.0.0.1", "localhost"}
            or parts.path not in {"", "/", "/metrics"}
            or not parts.port
        ):
            raise UsageError(f"{example} (a run serves /metrics on the loopback interface only)")
        return Export(export_type, DEFAULT_EVERY_S, DEFAULT_TIMEOUT_S, required=True, port=port)
    if export_type is not ExportType.INFLUXDB2 and bool(environment.get(USERNAME)) != bool(environment.get(PASSWORD)):
        raise UsageError(f"only one of {USERNAME} and {PASSWORD} is set (set both, or neither)")
    by_token = export_type in _BY_TOKEN and not environment.get(USERNAME)
    variable = TOKEN if by_token or export_type is ExportType.INFLUXDB2 else PASSWORD
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
