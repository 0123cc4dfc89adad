"""Which counters there are, and the page that shows them, over all processes, in Prometheus' text format."""

import os
from pathlib import Path

from soak.systems.gateway.settings import Settings
from soak.systems.gateway.shared import Shared

SHARED = "shared.bin"
STATUSES = (200, 400, 401, 403, 404, 413, 422, 429, 500, 503)
_COUNTERS = (
    "tokens_total",
    "rows_read_total",
    "lock_waits_given_up_total",
    "outbox_moved_total",
    "request_seconds_total",
)
_GAUGES = ("pid", "up", "in_flight", "pool_in_use", "pool_waiting")
WAITING = "outbox_waiting"
"""A gauge of the outbox alone: messages that it has not moved."""


def request_counter(tenant: str, status: int) -> str:
    """The name of the counter of a tenant's answers with a status; '' is a caller without a tenant."""
    return f'requests_total{{tenant="{tenant}",status="{status if status in STATUSES else 500}"}}'


def open_shared(settings: Settings) -> Shared:
    """The shared file of a gateway, with a row for each HTTP process and one for the outbox."""
    tenants = [tenant.name for tenant in settings.tenants]
    names = [request_counter(tenant, status) for tenant in (*tenants, "") for status in STATUSES]
    return Shared(settings.path / SHARED, tenants, settings.workers + 1, (*names, *_COUNTERS, *_GAUGES, WAITING))


def page(shared: Shared) -> str:
    """The metrics."""
    lines: list[str] = []
    seen: set[str] = set()
    for name in shared.names:
        plain = name.partition("{")[0]
        if plain in _GAUGES or plain == WAITING:
            continue
        if plain not in seen:
            seen.add(plain)
            lines.append(f"# TYPE gateway_{plain} counter")
        if (value := shared.total(name)) or "{" not in name:
            lines.append(f"gateway_{name} {value:.15g}")
    for name in _GAUGES[1:]:
        lines.append(f"# TYPE gateway_{name} gauge")
        lines += [f'gateway_{name}{{worker="{row}"}} {shared.value(row, name):.15g}' for row in range(shared.rows - 1)]
    lines += [f"# TYPE gateway_{WAITING} gauge", f"gateway_{WAITING} {shared.value(shared.rows - 1, WAITING):.15g}"]
    lines.append("# TYPE gateway_resident_memory_bytes gauge")
    for row in range(shared.rows):
        worker = str(row) if row < shared.rows - 1 else "outbox"
        if (used := resident_bytes(int(shared.value(row, "pid")))) is not None:
            lines.append(f'gateway_resident_memory_bytes{{worker="{worker}"}} {used}')
    return "\n".join(lines) + "\n"


def resident_bytes(pid: int) -> int | None:
    """Memory of a process; None if there is no such one."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
