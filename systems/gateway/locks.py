"""The lock of a tenant's chain: of an owner, for a limited time. In Redis, or in a table with the same rules."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from soak.systems.gateway.defects import LOCK_DEFECTS, Defect
from soak.systems.gateway.pool import Session
from soak.systems.gateway.settings import Settings

_FIRST_LOOK_S, _LAST_LOOK_S = 0.002, 0.02


class ChainBusyError(Exception):
    """The lock was not to be had in time."""


class Store(Protocol):
    """Where locks are kept."""

    async def set(self, session: Session, name: str, owner: str, ttl_s: float) -> bool:
        """Take a lock that nobody has; whether it was taken."""

    async def delete(self, session: Session, name: str, owner: str) -> None:
        """Give it back, if it is still the owner's; whoever has it, if `owner` is empty."""


class TableStore:
    """In the table `locks`."""

    async def set(self, session: Session, name: str, owner: str, ttl_s: float) -> bool:
        """Take a lock that nobody has."""
        now = time.time()
        text = (
            "INSERT INTO locks (name, owner, ends) VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE"
            " SET owner = excluded.owner, ends = excluded.ends WHERE locks.ends < ?"
        )
        return await session.run(lambda store: store.change(text, name, owner, now + ttl_s, now)) == 1

    async def delete(self, session: Session, name: str, owner: str) -> None:
        """Give a lock back."""
        text, values = "DELETE FROM locks WHERE name = ?", [name]
        if owner:
            text, values = f"{text} AND owner = ?", [name, owner]
        await session.run(lambda store: store.change(text, *values))


class ChainLocks:
    """Appends of a tenant one after the other: in a process by order of arrival, between processes by `store`."""

    def __init__(self, settings: Settings, store: Store | None) -> None:
        self._store = store
        self._ttl_s, self._within_s = settings.lock_ttl_s, settings.lock_within_s
        self._owned = not settings.has(Defect.LOCK_NOT_OWNED)
        self._insists = not settings.has(Defect.LOCK_GIVEN_UP)
        if not self._owned:
            self._ttl_s = 0.02
        if not self._insists:
            self._within_s = 0.05
        in_order = not settings.defects & (LOCK_DEFECTS | {Defect.CHAIN_FORK})
        self._locals = {tenant.name: asyncio.Lock() for tenant in settings.tenants} if in_order else {}

    @asynccontextmanager
    async def hold(self, tenant: str, session: Session) -> AsyncIterator[None]:
        """Hold the lock of a tenant. Raises ChainBusyError, StoreError."""
        local = self._locals.get(tenant)
        if local is None:
            async with self._hold(tenant, session):
                yield
            return
        try:
            async with asyncio.timeout(self._within_s):
                await local.acquire()
        except TimeoutError:
            raise ChainBusyError from None
        try:
            async with self._hold(tenant, session):
                yield
        finally:
            local.release()

    @asynccontextmanager
    async def _hold(self, tenant: str, session: Session) -> AsyncIterator[None]:
        if self._store is None:
            yield
            return
        name, owner = f"chain:{tenant}", os.urandom(8).hex()
        had = await self._take(self._store, session, name, owner)
        try:
            yield
        finally:
            if had:
                await self._store.delete(session, name, owner if self._owned else "")

    async def _take(self, store: Store, session: Session, name: str, owner: str) -> bool:
        end_s, wait_s = time.monotonic() + self._within_s, _FIRST_LOOK_S
        while not await store.set(session, name, owner, self._ttl_s):
            if time.monotonic() > end_s:
                if self._insists:
                    raise ChainBusyError
                return False
            await asyncio.sleep(wait_s * (0.5 + random.random()))
            wait_s = min(_LAST_LOOK_S, 1.5 * wait_s)
        return True
