"""The extras of the distribution: what only some runs need, and the command that installs it."""

import importlib
from collections.abc import Mapping

from soak.schemas.errors import UsageError

DISTRIBUTION = "soak-runner"

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "calls": ("httpx", "tenacity", "purgatory", "aiolimiter", "sniffio"),
    "dask": ("distributed",),
    "export": ("prometheus_client", "influxdb_client"),
    "gateway": ("uvicorn", "starlette", "psycopg", "psycopg_binary", "redis"),
    "notify": ("apprise",),
    "pipeline": ("websockets",),
    "trace": ("pyarrow",),
}
"""The modules of each extra; `all` has all of them."""


def need(extra: str, who: str) -> None:
    """Raise UsageError when a package of an extra is missing; `who` needs it. What is there is imported."""
    if missing := [name.replace("_", "-") for name in EXTRAS[extra] if not _is_there(name)]:
        what = f"{who} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise UsageError(f"{what} (pip install '{DISTRIBUTION}[{extra}]')")


def _is_there(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True
