"""Executions of long ago, of a tenant that is gone: what a table holds after months."""

import json
import sys

from soak.systems.gateway.database import StoreError, open_database, transaction
from soak.systems.gateway.logs import log
from soak.systems.gateway.settings import Settings

TENANT = "archived"
_FILL = (
    "INSERT INTO executions (id, tenant, timeline, tool, state, started, ended)"
    " WITH RECURSIVE row(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM row WHERE n < ?)"
    " SELECT 'old-' || n, ?, 't-old-' || n, 'search', 'completed', n, n + 1 FROM row WHERE true ON CONFLICT DO NOTHING"
)


def fill(settings: Settings, rows: int) -> int:
    """Add executions to the database of a gateway that runs, and print how many, as JSON; the exit code."""
    database = open_database(settings.database_url, settings.statement_s)
    try:
        connection = database.connect()
        try:
            added = transaction(connection, lambda: connection.change(_FILL, rows, TENANT))
        finally:
            connection.close()
    except StoreError as error:
        log(f"fill: {error}")
        return 1
    json.dump({"added": added}, sys.stdout)
    return 0
