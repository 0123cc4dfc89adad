"""Transparency roots: one over each tenant's rows of a UTC day, sealed when that day is over."""

from collections.abc import Mapping
from datetime import date, timedelta

from soak.systems.gateway.chain import day_of, merkle
from soak.systems.gateway.database import Connection


def open_day(now: float, *, late: bool = False) -> str:
    """The first day that may not be sealed yet: today; with `late`, yesterday."""
    today = date.fromisoformat(day_of(now))
    return (today - timedelta(days=1) if late else today).isoformat()


def seal(connection: Connection, tenant: str, before: str, now: float) -> int:
    """Seal what a tenant has of days before one and is not sealed yet; how many roots that made. Raises StoreError."""
    days = "SELECT DISTINCT day FROM audit WHERE tenant = ? AND day < ?"
    missing = connection.rows(
        f"{days} AND day NOT IN (SELECT day FROM roots WHERE tenant = ?) ORDER BY day", tenant, before, tenant
    )
    for (day,) in missing:
        rows = connection.rows("SELECT hash FROM audit WHERE tenant = ? AND day = ? ORDER BY seq, id", tenant, day)
        values = (tenant, day, len(rows), merkle([made for (made,) in rows]), now)
        text = "INSERT INTO roots (tenant, day, entries, root, sealed) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        connection.change(text, *values)
    return len(missing)


def roots(connection: Connection, tenant: str, today: str, day: str | None) -> Mapping[str, object]:
    """Of one day or all days with rows that are over: how many are sealed, how many are missing. Raises StoreError."""
    days = connection.rows("SELECT DISTINCT day FROM audit WHERE tenant = ? AND day < ?", tenant, today)
    sealed: dict[str, str] = dict(connection.rows("SELECT day, root FROM roots WHERE tenant = ?", tenant))
    over = [name for (name,) in days if day in (None, name)]
    found = {name: sealed[name] for name in sorted(over) if name in sealed}
    return {"day": day, "sealed": len(found), "missing": len(over) - len(found), "roots": found}
