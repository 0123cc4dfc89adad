"""The tables, and their making. `seq` numbers the rows of a tenant's audit log from 1; nothing but the append keeps it unique."""

from collections.abc import Iterable

from soak.systems.gateway.database import Database, transaction

_AUDIT = """CREATE TABLE IF NOT EXISTS audit (
    id {serial}, tenant TEXT NOT NULL, seq BIGINT NOT NULL, at DOUBLE PRECISION NOT NULL, day TEXT NOT NULL,
    decision TEXT NOT NULL, tool TEXT NOT NULL, execution TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL)"""
_EXECUTIONS = """CREATE TABLE IF NOT EXISTS executions (
    number {serial}, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, timeline TEXT NOT NULL, tool TEXT NOT NULL,
    state TEXT NOT NULL, started DOUBLE PRECISION NOT NULL, ended DOUBLE PRECISION, parent TEXT)"""
_OUTBOX = """CREATE TABLE IF NOT EXISTS outbox (
    id {serial}, tenant TEXT NOT NULL, execution TEXT NOT NULL, units BIGINT NOT NULL)"""
_USAGE = """CREATE TABLE IF NOT EXISTS usage (
    execution TEXT PRIMARY KEY, tenant TEXT NOT NULL, units BIGINT NOT NULL, at DOUBLE PRECISION NOT NULL)"""
_ROOTS = """CREATE TABLE IF NOT EXISTS roots (
    tenant TEXT NOT NULL, day TEXT NOT NULL, entries BIGINT NOT NULL, root TEXT NOT NULL, sealed DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (tenant, day))"""
TABLES = (
    "CREATE TABLE IF NOT EXISTS chains (tenant TEXT PRIMARY KEY, seq BIGINT NOT NULL, head TEXT NOT NULL)",
    _AUDIT,
    "CREATE INDEX IF NOT EXISTS audit_seq ON audit (tenant, seq)",
    "CREATE INDEX IF NOT EXISTS audit_day ON audit (tenant, day, seq)",
    "CREATE INDEX IF NOT EXISTS audit_decision ON audit (tenant, decision)",
    _EXECUTIONS,
    "CREATE INDEX IF NOT EXISTS executions_tenant ON executions (tenant, number)",
    "CREATE INDEX IF NOT EXISTS executions_open ON executions (tenant, started) WHERE state = 'in_progress'",
    "CREATE INDEX IF NOT EXISTS executions_timeline ON executions (timeline)",
    "CREATE TABLE IF NOT EXISTS edges (child TEXT PRIMARY KEY, parent TEXT NOT NULL, tenant TEXT NOT NULL)",
    _OUTBOX,
    _USAGE,
    "CREATE INDEX IF NOT EXISTS usage_tenant ON usage (tenant)",
    _ROOTS,
    "CREATE TABLE IF NOT EXISTS locks (name TEXT PRIMARY KEY, owner TEXT NOT NULL, ends DOUBLE PRECISION NOT NULL)",
)
BEGIN = "0" * 64
"""The hash before the first row of a chain."""


def make_tables(database: Database, tenants: Iterable[str]) -> None:
    """Make what is not there yet. Raises StoreError."""
    connection = database.connect()
    try:

        def make() -> None:
            for text in TABLES:
                connection.change(text.format(serial=database.serial))
            for tenant in tenants:
                connection.change(
                    "INSERT INTO chains (tenant, seq, head) VALUES (?, 0, ?) ON CONFLICT DO NOTHING", tenant, BEGIN
                )

        transaction(connection, make)
    finally:
        connection.close()
