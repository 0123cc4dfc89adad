"""The lock of a tenant's chain: of an owner, for a limited time. In Redis, or in a table with the same rules."""

import asyncio
import os
import random
import time
from collections.abc import Callable
from typing import Protocol

from soak.systems.gateway.database import Connection
from soak.systems.gateway.defects import UNGUARDED, Defect
from soak.systems.gateway.pool import Session
from soak.systems.gateway.settings import Settings

_FIRST_LOOK_S, _LAST_LOOK_S = 0.001, 0.01
_SHORT_TTL_S, _SHORT_WAIT_S = 0.02, 0.05

Work = Callable[[Connection], None]


class ChainBusyError(Exception):
    """The lock was not to be had in time."""


class Store(Protocol):
    """Where locks are kept. Its methods run in threads."""

    def set(self, connection: Connection, name: str, owner: str, ttl_s: float) -> bool:
        """Take a lock that nobody has; whether it was taken."""

    def delete(self, connection: Connection, name: str, owner: str) -> None:
        """Give it back, if it is still the owner's; whose ever it is, if `owner` is empty."""


class TableStore:
    """In the table `locks`."""

    def set(self, connection: Connection, name: str, owner: str, ttl_s: float) -> bool:
        """Take a lock that nobody has. Raises StoreError."""
        now = time.time()
        text = (
            "INSERT INTO locks (name, owner, ends) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
            " SET owner = excluded.owner, ends = excluded.ends WHERE locks.ends < ?"
        )
        return connection.change(text, name, owner, now + ttl_s, now) == 1

    def delete(self, connection: Connection, name: str, owner: str) -> None:
        """Give a lock back. Raises StoreError."""
        text = "DELETE FROM locks WHERE name = ?"
        if owner:
            connection.change(f"{text} AND owner = ?", name, owner)
        else:
            connection.change(text, name)


class ChainLocks:
    """Appends of a tenant one after the other: in a process by order of arrival, between processes by `store`."""

    def __init__(self, settings: Settings, store: Store | None) -> None:
        self._store = store
        self._owned = not settings.has(Defect.LOCK_NOT_OWNED)
        self._insists = not settings.has(Defect.LOCK_GIVEN_UP)
        self._ttl_s = settings.lock_ttl_s if self._owned else _SHORT_TTL_S
        self._within_s = settings.lock_within_s if self._insists else _SHORT_WAIT_S
        in_order = not settings.defects & UNGUARDED
        self._locals = {tenant.name: asyncio.Lock() for tenant in settings.tenants} if in_order else {}

    async def append(self, tenant: str, session: Session, work: Work) -> None:
        """Do `work` with the lock of a tenant. Raises ChainBusyError, StoreError."""
        local = self._locals.get(tenant)
        if local is None:
            await self._append(tenant, session, work)
            return
        try:
            async with asyncio.timeout(self._within_s):
                await local.acquire()
        except TimeoutError:
            raise ChainBusyError from None
        try:
            await self._append(tenant, session, work)
        finally:
            local.release()

    async def _append(self, tenant: str, session: Session, work: Work) -> None:
        if self._store is None:
            await session.run(work)
            return
        store, name, owner = self._store, f"chain:{tenant}", os.urandom(8).hex()

        def with_lock(connection: Connection) -> bool:
            if not store.set(connection, name, owner, self._ttl_s):
                return False
            try:
                work(connection)
            finally:
                store.delete(connection, name, owner if self._owned else "")
            return True

        end_s, wait_s = time.monotonic() + self._within_s, _FIRST_LOOK_S
        while not await session.run(with_lock):
            if time.monotonic() > end_s:
                if self._insists:
                    raise ChainBusyError
                await session.run(work)
                return
            await asyncio.sleep(wait_s * (0.5 + random.random()))
            wait_s = min(_LAST_LOOK_S, 1.5 * wait_s)
