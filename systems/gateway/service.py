"""One HTTP process: what its pages work with, and how a request goes through it."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from soak.systems.gateway.chain import Append
from soak.systems.gateway.database import StoreError, open_database
from soak.systems.gateway.defects import LOCK_DEFECTS, UNGUARDED, Defect
from soak.systems.gateway.limits import Limits
from soak.systems.gateway.locks import ChainBusyError, ChainLocks, Store, TableStore
from soak.systems.gateway.logs import log
from soak.systems.gateway.policy import Policy
from soak.systems.gateway.pool import Pool, Session
from soak.systems.gateway.settings import Settings
from soak.systems.gateway.tally import open_shared, request_counter
from soak.systems.gateway.tokens import Tokens, signing_key
from soak.systems.gateway.web import RefusalError, answer, bearer, same

_LEAK_EVERY = 100
_LEFT_BYTES = 20_000


@dataclass(frozen=True)
class Call:
    """A request of a tenant, with its connection."""

    request: Request
    tenant: str
    session: Session


class Service:
    """What one process has; `row`: of its counters."""

    def __init__(self, settings: Settings, row: int) -> None:
        self.settings, self.row = settings, row
        self.shared = open_shared(settings)
        self.tokens = Tokens(signing_key(settings.path))
        self.secrets = {tenant.name: tenant.password for tenant in settings.tenants}
        self.policy = Policy(tool.name for tool in settings.tools)
        self.tools = {tool.name: tool for tool in settings.tools}
        size, fair = settings.connections, settings.fair and not settings.has(Defect.ONE_POOL)
        self.pool = Pool(
            open_database(settings.database_url, settings.statement_s),
            size,
            (settings.at_most or size // 2) if fair else size,
            within_s=settings.connection_within_s,
            fair=fair,
        )
        self.redis = None
        if settings.redis:
            from soak.systems.gateway.redis_store import RedisStore

            self.redis = RedisStore(settings.redis)
        self.limits = Limits(settings, self.shared, self.redis)
        self.locks = ChainLocks(settings, self._lock_store())
        self.append = Append(guarded=not settings.defects & UNGUARDED, pause_s=settings.chain_ms / 1000)
        self.count, self.left = 0, bytearray()
        for gauge in ("up", "in_flight", "pool_in_use", "pool_waiting"):
            self.shared.put(row, gauge, 0)
        self.shared.put(row, "pid", os.getpid())

    def _lock_store(self) -> Store | None:
        if self.settings.has(Defect.CHAIN_FORK):
            return None
        return self.redis or (TableStore() if self.settings.defects & LOCK_DEFECTS else None)

    def who(self, request: Request) -> str:
        """The tenant that asks; for the administrator, the one of `?tenant=`. Raises RefusalError."""
        token = bearer(request)
        named = request.query_params.get("tenant")
        if same(token, self.settings.admin_token):
            if named not in self.secrets:
                raise RefusalError(422 if named is None else 404, "tenant: name one that there is")
            return named
        read = self.tokens.read("access", token) if token else None
        if read is None or read[0] not in self.secrets:
            raise unauthorized("token is missing, not valid or expired")
        if named not in (None, read[0]):
            raise RefusalError(403, "tenant: not the one of the token")
        return read[0]

    def admin(self, request: Request) -> None:
        """Raise RefusalError unless the administrator asks."""
        if not same(bearer(request), self.settings.admin_token):
            raise unauthorized("admin token is missing or not valid")

    def page(
        self, work: Callable[[Call], Awaitable[Response]], *, limited: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """A page of a tenant; `limited`: counts against its rate."""

        async def serve(request: Request, note: list[str]) -> Response:
            tenant = self.who(request)
            note.append(tenant)
            if limited and (wait_s := await self.limits.take(tenant)) > 0:
                raise throttled(wait_s)
            async with self.pool.session(tenant, leak=self._leaks()) as session:
                self._gauges()
                if limited and self.settings.store_ms:
                    await asyncio.sleep(self.settings.store_ms / 1000)
                return await work(Call(request, tenant, session))

        return self._counted(serve)

    def open_page(self, work: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """A page without a tenant."""
        return self._counted(lambda request, _: work(request))

    def _counted(
        self, work: Callable[[Request, list[str]], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            note: list[str] = []
            begun_s = time.monotonic()
            self.shared.add(self.row, "in_flight")
            try:
                response = await self._refused(work(request, note))
            finally:
                self.shared.add(self.row, "in_flight", -1)
            tenant = note[0] if note else ""
            self.shared.add(self.row, request_counter(tenant, response.status_code))
            self.shared.add(self.row, "request_seconds_total", time.monotonic() - begun_s)
            self._gauges()
            if self.settings.has(Defect.MEMORY_GROWTH):
                self.left += b"x" * _LEFT_BYTES
            return response

        return serve

    async def _refused(self, work: Awaitable[Response]) -> Response:
        """What a page answers, or why it does not."""
        try:
            return await work
        except RefusalError as refusal:
            return answer(refusal.body, refusal.status, refusal.headers)
        except ChainBusyError:
            self.shared.add(self.row, "lock_waits_given_up_total")
            return answer({"error": "the chain is locked"}, 503, {"Retry-After": "1"})
        except StoreError as error:
            log(f"http-{self.row}: {error}")
            return answer({"error": "the store is not available"}, 503, {"Retry-After": "1"})

    def _gauges(self) -> None:
        self.shared.put(self.row, "pool_in_use", self.pool.in_use)
        self.shared.put(self.row, "pool_waiting", self.pool.waiting)

    def _leaks(self) -> bool:
        self.count += 1
        return self.settings.has(Defect.POOL_LEAK) and self.count % _LEAK_EVERY == 0

    async def close(self) -> None:
        """When the process ends."""
        self.pool.close()
        if self.redis:
            await self.redis.close()


def unauthorized(why: str) -> RefusalError:
    """A 401."""
    refusal = RefusalError(401, why)
    refusal.headers["WWW-Authenticate"] = "Bearer"
    return refusal


def throttled(wait_s: float) -> RefusalError:
    """A 429; `Retry-After` is in whole seconds."""
    refusal = RefusalError(429, "too many requests", retry_after_s=round(wait_s, 3))
    refusal.headers["Retry-After"] = str(max(1, round(wait_s)))
    return refusal
