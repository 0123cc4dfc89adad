"""From checked data to `notify:` and `export:`."""

from collections.abc import Mapping
from typing import Any

from soak.schemas import units
from soak.schemas.language.outlets import (
    BOTH,
    DEFAULT_EVERY_S,
    DEFAULT_TIMEOUT_S,
    Export,
    ExportType,
    Notify,
    Occasion,
    Secret,
    Signal,
)

Data = Mapping[str, Any]


def build_notify(data: Data) -> Notify:
    """A recipient."""
    return Notify(_secret(data["to"]), frozenset(map(Occasion, data["when"])))


def _secret(data: Data) -> Secret:
    return Secret(data.get("from_env"), data.get("from_file"))


def build_export(data: Data) -> Export:
    """An export."""
    secret = data.get("password") or data.get("token")
    return Export(
        ExportType(data["type"]),
        every_s=units.duration(data["every"]) if "every" in data else DEFAULT_EVERY_S,
        timeout_s=units.duration(data["timeout"]) if "timeout" in data else DEFAULT_TIMEOUT_S,
        required=data.get("required", True),
        url=data.get("url", "").rstrip("/"),
        database=data.get("database") or data.get("bucket") or "",
        org=data.get("org", ""),
        username=data.get("username", ""),
        secret=_secret(secret) if secret else None,
        port=data.get("port", 0),
        headers=tuple((name, _secret(each)) for name, each in data.get("headers", {}).items()),
        signals=frozenset(map(Signal, data.get("signals", BOTH))),
    )
