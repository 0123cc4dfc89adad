"""The extras of the distribution: what only some runs need, and the command that installs it."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping

from soak.schemas.errors import UsageError

DISTRIBUTION = "soak-runner"

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "arrow": ("pyarrow",),
    "calls": ("httpx", "tenacity", "purgatory", "aiolimiter", "sniffio"),
    "dask": ("distributed",),
    "export": ("prometheus_client", "influxdb_client"),
    "gateway": ("uvicorn", "starlette", "psycopg", "psycopg_binary", "redis"),
    "http": ("gevent", "geventhttpclient", "locust"),
    "notify": ("apprise",),
    "otlp": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.common", "urllib3"),
    "pandas": ("pandas", "pyarrow"),
    "pipeline": ("websockets",),
    "polars": ("polars", "pyarrow"),
    "remote-write": ("google.protobuf", "cramjam", "urllib3"),
    "trace": ("pyarrow",),
    "zstd": () if sys.version_info >= (3, 14) else ("backports.zstd",),
}
"""The modules of each extra; `all` has all of them."""

NAMED_OTHERWISE = {"google.protobuf": "protobuf"}
"""Distributions that are not named as their modules are."""

_ELSEWHERE = frozenset({"gevent", "geventhttpclient", "locust"})
"""Imported by processes of their own only: they change the sockets of the whole process."""


def need(extra: str, who: str) -> None:
    """Raise UsageError when a package of an extra is missing; `who` needs it. What is for this process is imported."""
    if missing := [distribution_of(name) for name in EXTRAS[extra] if not _is_there(name)]:
        what = f"{who} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise UsageError(f"{what} (in a checkout: pip install '.[{extra}]')")


def distribution_of(module: str) -> str:
    """The distribution of a module of an extra."""
    return NAMED_OTHERWISE.get(module, module.replace("_", "-").replace(".", "-"))


def _is_there(module: str) -> bool:
    try:
        if module in _ELSEWHERE:
            return importlib.util.find_spec(module) is not None
        importlib.import_module(module)
    except (ImportError, ValueError):
        return False
    return True
