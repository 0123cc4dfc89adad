"""Executions, their edges and timelines, and their way to usage: what is written with an append, and what can be asked."""

from collections.abc import Mapping
from dataclasses import dataclass

from soak.systems.gateway.database import Connection, Record, Statement

_COLUMNS = "id, timeline, tool, state, started, ended, parent"


@dataclass(frozen=True)
class Execution:
    """One that is allowed, as it begins."""

    name: str
    tenant: str
    timeline: str
    tool: str
    units: int
    at: float
    parent: str | None

    def changes(self) -> list[Statement]:
        """What is to be written in the transaction of its append."""
        begun = (self.name, self.tenant, self.timeline, self.tool, "in_progress", self.at, self.parent)
        found: list[Statement] = [
            (
                "INSERT INTO executions (id, tenant, timeline, tool, state, started, parent) VALUES (?, ?, ?, ?, ?, ?, ?)",
                begun,
            ),
            ("INSERT INTO outbox (tenant, execution, units) VALUES (?, ?, ?)", (self.tenant, self.name, self.units)),
        ]
        if self.parent is not None:
            edge = (self.name, self.parent, self.tenant)
            found.append(("INSERT INTO edges (child, parent, tenant) VALUES (?, ?, ?)", edge))
        return found


def told(row: Record) -> Mapping[str, object]:
    """A row of `executions` as it is answered."""
    return dict(zip(("execution", "timeline", "tool", "state", "started", "ended", "parent"), row, strict=True))


def newest(connection: Connection, tenant: str, limit: int) -> list[Record]:
    """The newest executions of a tenant, the newest first. Raises StoreError."""
    text = f"SELECT {_COLUMNS} FROM executions WHERE tenant = ? ORDER BY number DESC LIMIT ?"
    return connection.rows(text, tenant, limit)


def newest_of_all(connection: Connection, tenant: str, limit: int) -> tuple[list[Record], int]:
    """The same, found among all executions, and how many rows were read. Raises StoreError."""
    rows = connection.rows(f"SELECT tenant, number, {_COLUMNS} FROM executions")
    own = sorted((row for row in rows if row[0] == tenant), key=lambda row: int(row[1]), reverse=True)
    return [row[2:] for row in own[:limit]], len(rows)


def find(connection: Connection, name: str, tenant: str | None) -> Record | None:
    """An execution of a tenant; of any, if it is None. Raises StoreError."""
    rows = connection.rows(f"SELECT {_COLUMNS}, tenant FROM executions WHERE id = ?", name)
    return rows[0][:-1] if rows and tenant in (None, rows[0][-1]) else None


def edges(connection: Connection, tenant: str) -> Mapping[str, int]:
    """Executions with a parent (`expected`); of these, those whose edge joins two of the tenant (`found`). Raises StoreError."""
    text = "SELECT count(*) FROM executions WHERE tenant = ? AND parent IS NOT NULL"
    [(expected,)] = connection.rows(text, tenant)
    joined = (
        "SELECT count(*) FROM executions c JOIN edges e ON e.child = c.id AND e.parent = c.parent"
        " JOIN executions p ON p.id = e.parent AND p.tenant = c.tenant WHERE c.tenant = ? AND c.parent IS NOT NULL"
    )
    [(found,)] = connection.rows(joined, tenant)
    return {"expected": expected, "found": found, "lost": expected - found}


def stuck(connection: Connection, tenant: str, before: float) -> int:
    """Timelines with an execution that began before a time and has not ended. Raises StoreError."""
    text = "SELECT count(DISTINCT timeline) FROM executions WHERE tenant = ? AND state = 'in_progress' AND started < ?"
    return int(connection.rows(text, tenant, before)[0][0])


def timeline(connection: Connection, tenant: str, name: str) -> Mapping[str, object] | None:
    """How many executions a timeline has, how many of them go on; None if the tenant has no such one. Raises StoreError."""
    text = (
        "SELECT count(*), coalesce(sum(CASE WHEN state = 'in_progress' THEN 1 ELSE 0 END), 0), min(started), max(ended)"
        " FROM executions WHERE timeline = ? AND tenant = ?"
    )
    [(count, going, started, ended)] = connection.rows(text, name, tenant)
    if not count:
        return None
    state = "in_progress" if going else "completed"
    return {
        "timeline": name,
        "state": state,
        "executions": count,
        "in_progress": int(going),
        "started": started,
        "ended": None if going else ended,
    }


def usage(connection: Connection, tenant: str) -> Mapping[str, int]:
    """Executions and units of a tenant's usage. Raises StoreError."""
    text = "SELECT count(*), coalesce(sum(units), 0) FROM usage WHERE tenant = ?"
    [(count, units)] = connection.rows(text, tenant)
    return {"executions": count, "units": int(units)}


def reconciled(connection: Connection, tenant: str) -> Mapping[str, int]:
    """Allowed rows of the audit log against usage and outbox, at one moment; a `gap` other than 0 is an error."""
    text = (
        "SELECT (SELECT count(*) FROM audit WHERE tenant = ? AND decision = 'allow'),"
        " (SELECT count(*) FROM usage WHERE tenant = ?), (SELECT count(*) FROM outbox WHERE tenant = ?)"
    )
    [(audit, used, pending)] = connection.rows(text, tenant, tenant, tenant)
    return {"audit": audit, "usage": used, "pending": pending, "gap": audit - used - pending}
