"""The connections of one process, of which a tenant may hold at most a share; who waits is served tenant by tenant."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from soak.systems.gateway.database import Connection, Database, StoreError

T = TypeVar("T")


class Session:
    """A connection for one request; what uses it runs in a thread."""

    def __init__(self, pool: "Pool", connection: Connection | None) -> None:
        self._pool, self.connection = pool, connection
        self._running: asyncio.Future[Any] | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives. Raises StoreError, as when no connection can be made."""
        future = asyncio.get_running_loop().run_in_executor(self._pool.threads, self._work, work)
        self._running = future
        return await asyncio.shield(future)

    def _work(self, work: Callable[[Connection], T]) -> T:
        if self.connection is None or self.connection.broken:
            if self.connection:
                self.connection.close()
            self.connection = self._pool.database.connect()
        return work(self.connection)

    async def over(self) -> None:
        """Wait for work that was left behind when its request was cancelled."""
        if self._running and not self._running.done():
            await asyncio.wait([self._running])


class Pool:
    """`size` connections, made when first needed; `at_most`: of these for one tenant. Without `fair`: in the order of arrival."""

    def __init__(self, database: Database, size: int, at_most: int, *, within_s: float, fair: bool = True) -> None:
        self.database, self._at_most, self._within_s, self._fair = database, at_most, within_s, fair
        self.threads = ThreadPoolExecutor(size, thread_name_prefix="store")
        self._free: list[Connection | None] = [None] * size
        self._held: dict[str, int] = {}
        self._waiting: dict[str, deque[asyncio.Future[Connection | None]]] = {}
        self.size, self.in_use, self.waiting = size, 0, 0

    @asynccontextmanager
    async def session(self, tenant: str, *, leak: bool = False) -> AsyncIterator[Session]:
        """A connection, given back at the end (with `leak`: not). Raises StoreError when there is none in time."""
        session = Session(self, await self._take(tenant))
        try:
            yield session
        finally:
            if not leak:
                await asyncio.shield(self._give(tenant, session))

    async def _take(self, tenant: str) -> Connection | None:
        tenant = self._share_of(tenant)
        if self._free and self._held.get(tenant, 0) < self._at_most:
            return self._hand(tenant)
        future: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(tenant, deque())
        queue.append(future)
        self.waiting += 1
        try:
            async with asyncio.timeout(self._within_s):
                return await future
        except BaseException as error:
            if future.done() and not future.cancelled():
                self._back(tenant, future.result())
            elif future in queue:
                queue.remove(future)
            if isinstance(error, TimeoutError):
                raise StoreError("no connection is free") from None
            raise
        finally:
            self.waiting -= 1

    def _share_of(self, tenant: str) -> str:
        """Whose share and queue it is; without `fair` all have one."""
        return tenant if self._fair else ""

    def _hand(self, tenant: str) -> Connection | None:
        self._held[tenant] = self._held.get(tenant, 0) + 1
        self.in_use += 1
        return self._free.pop()

    async def _give(self, tenant: str, session: Session) -> None:
        await session.over()
        self._back(self._share_of(tenant), session.connection)

    def _back(self, tenant: str, connection: Connection | None) -> None:
        self._held[tenant] -= 1
        self.in_use -= 1
        self._free.append(connection)
        self._serve()

    def _serve(self) -> None:
        """Hand free connections to those who wait, each tenant in turn."""
        for tenant in list(self._waiting):
            queue = self._waiting[tenant]
            while queue and queue[0].done():
                queue.popleft()
            if queue and self._free and self._held.get(tenant, 0) < self._at_most:
                queue.popleft().set_result(self._hand(tenant))
                self._waiting[tenant] = self._waiting.pop(tenant)  # the last, next time

    def close(self) -> None:
        """Close all connections that are free."""
        self.threads.shutdown()
        for connection in self._free:
            if connection:
                connection.close()
