"""The process that moves messages of the outbox to `usage`, completes their executions, and seals the days that are over."""

import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType

from soak.systems.gateway.database import Connection, Record, StoreError, open_database, transaction
from soak.systems.gateway.defects import Defect
from soak.systems.gateway.logs import log
from soak.systems.gateway.roots import open_day, seal
from soak.systems.gateway.settings import Settings
from soak.systems.gateway.shared import Shared
from soak.systems.gateway.tally import WAITING, open_shared

_BATCH = 500
_IDLE_S = 0.05
_RETRY_S = 0.5
_COUNT_EVERY_S = 0.5
_EVERY = 50


class Outbox:
    """One process; `row`: of its counters."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shared: Shared = open_shared(settings)
        self._row = settings.workers
        self._database = open_database(settings.database_url, settings.statement_s)
        self._connection: Connection | None = None
        self._stopping = False
        self._moved, self._begun_s = 0, time.monotonic()
        self._seal_s = self._count_s = 0.0

    def run(self) -> int:
        """Until SIGTERM, and then until the outbox is empty; or until the parent has ended."""
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._shared.put(self._row, "pid", os.getpid())
        end_s = 0.0
        while True:
            moved = self._try()
            if self._stopping:
                end_s = end_s or time.monotonic() + 0.8 * self._settings.grace_s
                if not moved or time.monotonic() > end_s:
                    return 0
            if not moved and _parent_ended(_IDLE_S):
                return 1
            if moved < 0:
                time.sleep(_RETRY_S)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _try(self) -> int:
        """How many messages were moved; -1 when the database fails."""
        try:
            if self._connection is None or self._connection.broken:
                self._connection = self._database.connect()
            moved = self._move(self._connection)
            self._count(self._connection)
            if time.monotonic() >= self._seal_s:
                self._seal(self._connection)
                self._seal_s = time.monotonic() + self._settings.seal_every_s
        except StoreError as error:
            log(f"outbox: {error}")
            return -1
        return moved

    def _move(self, connection: Connection) -> int:
        limit = self._allowance()
        rows = (
            connection.rows("SELECT id, tenant, execution, units FROM outbox ORDER BY id LIMIT ?", limit)
            if limit
            else []
        )
        if rows:
            transaction(connection, lambda: self._write(connection, rows))
            self._moved += len(rows)
            self._shared.add(self._row, "outbox_moved_total", len(rows))
        return len(rows)

    def _count(self, connection: Connection) -> None:
        """How many messages wait, now and then."""
        if time.monotonic() >= self._count_s:
            self._count_s = time.monotonic() + _COUNT_EVERY_S
            self._shared.put(self._row, WAITING, int(connection.rows("SELECT count(*) FROM outbox")[0][0]))

    def _allowance(self) -> int:
        rate = self._settings.outbox_rate
        if rate is None or self._stopping:
            return _BATCH
        # At most a second of messages is made up for.
        allowed = rate * (time.monotonic() - self._begun_s)
        self._moved = max(self._moved, int(allowed - rate))
        return min(_BATCH, max(0, int(allowed) - self._moved))

    def _write(self, connection: Connection, rows: list[Record]) -> None:
        now = self._shared.now()
        drops, sticks = (self._settings.has(each) for each in (Defect.OUTBOX_DROPS, Defect.TIMELINE_STUCK))
        used = (
            "INSERT INTO usage (execution, tenant, units, at) SELECT execution, tenant, units, CAST(? AS DOUBLE PRECISION)"
            " FROM outbox WHERE id IN ({}) ON CONFLICT DO NOTHING"
        )
        done = "UPDATE executions SET state = 'completed', ended = ? WHERE id IN ({})"
        over = "DELETE FROM outbox WHERE id IN ({})"
        kept = [number for number, *_ in rows if not (drops and number % _EVERY == 0)]
        ended = [execution for number, _, execution, _ in rows if not (sticks and number % _EVERY == 0)]
        connection.change(used.format(_marks(kept)), now, *kept)
        connection.change(done.format(_marks(ended)), now, *ended)
        connection.change(over.format(_marks(rows)), *(number for number, *_ in rows))

    def _seal(self, connection: Connection) -> None:
        now = self._shared.now()
        before = open_day(now, late=self._settings.has(Defect.ROOT_LATE))
        for tenant in self._settings.tenants:
            seal(connection, tenant.name, before, now)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values) or "NULL"


def _parent_ended(within_s: float) -> bool:
    """Wait; whether the parent, which holds the other end of standard input, has ended meanwhile."""
    with suppress(InterruptedError):
        readable, _, _ = select.select([sys.stdin], [], [], within_s)
        return bool(readable)
    return False
