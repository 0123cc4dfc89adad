"""The pages of tenants: log in, execute, and look at what was executed."""

import asyncio
import os
import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from soak.systems.gateway import executions
from soak.systems.gateway.chain import Append, Entry, append
from soak.systems.gateway.database import Connection, Statement
from soak.systems.gateway.defects import Defect
from soak.systems.gateway.executions import Execution
from soak.systems.gateway.service import Call, Service, unauthorized
from soak.systems.gateway.tokens import REFRESH_LIFE
from soak.systems.gateway.web import RefusalError, answer, asked, number, same

_SHORT_S = 2.0
_ALLOWED_EVERY, _WRONG_EVERY, _SLOW_EVERY = 10, 20, 4
_NAME_LENGTH = 100


class Login(msgspec.Struct, frozen=True):
    """The body of `/token`."""

    tenant: str
    secret: str


class Renewal(msgspec.Struct, frozen=True):
    """The body of `/token/refresh`."""

    refresh_token: str


class Order(msgspec.Struct, frozen=True):
    """The body of `/execute`. `parent`: an execution of the same tenant, whose child this one is (empty: none)."""

    tool: str
    args: msgspec.Raw = msgspec.Raw(b"{}")
    timeline: str | None = None
    parent: str | None = None


class Pages:
    """The pages of one process."""

    def __init__(self, service: Service) -> None:
        self._service, self._settings = service, service.settings
        self._orders, self._denied = 0, 0

    async def token(self, request: Request) -> Response:
        """Log in with a tenant's secret."""
        login = await asked(request, Login)
        secret = self._service.secrets.get(login.tenant)
        if not same(login.secret, secret or "") or secret is None:
            raise unauthorized("tenant or secret is not valid")
        return self._tokens(login.tenant, time.time() + REFRESH_LIFE * self._settings.token_s)

    async def refresh(self, request: Request) -> Response:
        """A new token for a refresh token, which stays valid until its own end."""
        renewal = await asked(request, Renewal)
        read = self._service.tokens.read("refresh", renewal.refresh_token)
        if read is None or read[0] not in self._service.secrets:
            raise unauthorized("refresh token is not valid or expired")
        return self._tokens(*read)

    def _tokens(self, tenant: str, refresh_end: float) -> Response:
        life_s, tokens = self._settings.token_s, self._service.tokens
        end = time.time() + life_s
        if self._settings.has(Defect.TOKEN_NOT_RENEWED):
            end = refresh_end - REFRESH_LIFE * life_s + min(_SHORT_S, life_s)
        self._service.shared.add(self._service.row, "tokens_total")
        return answer(
            {
                "token": tokens.make("access", tenant, min(end, refresh_end)),
                "token_type": "Bearer",
                "expires_in": life_s,
                "refresh_token": tokens.make("refresh", tenant, refresh_end),
            }
        )

    async def execute(self, call: Call) -> Response:
        """Decide, and write down what was decided."""
        order = await asked(call.request, Order)
        if len(order.tool) > _NAME_LENGTH or len(order.timeline or "") > _NAME_LENGTH:
            raise RefusalError(422, f"tool, timeline: at most {_NAME_LENGTH} characters")
        reason = self._service.policy.denied(order.tool, bytes(order.args).decode())
        if reason and self._settings.has(Defect.DENIED_ALLOWED):
            self._denied += 1
            reason = "" if self._denied % _ALLOWED_EVERY == 0 else reason
        if not reason and order.parent and not await self._is_there(call, order.parent):
            raise RefusalError(422, "parent: no such execution")
        tool = self._service.tools.get(order.tool) if not reason else None
        if tool and tool.ms:
            await asyncio.sleep(tool.ms / 1000)
        name = os.urandom(8).hex()
        timeline = order.timeline or f"t-{name}"
        await self._write(call, order, name, timeline, reason)
        if reason:
            return answer({"decision": "deny", "reason": reason}, 403)
        self._orders += 1
        if self._settings.has(Defect.ERROR_AS_SUCCESS) and self._orders % _WRONG_EVERY == 0:
            return answer({"status": 504, "error": "upstream timed out"})
        return answer({"decision": "allow", "execution": name, "timeline": timeline})

    async def _is_there(self, call: Call, name: str) -> bool:
        return await call.session.run(lambda store: executions.find(store, name, call.tenant)) is not None

    async def _write(self, call: Call, order: Order, name: str, timeline: str, reason: str) -> None:
        tool = self._service.tools.get(order.tool)
        units = tool.units if tool else 1
        how = self._how()

        def write(store: Connection) -> None:
            at = self._service.shared.now()
            changes: list[Statement] = []
            if not reason:
                changes = Execution(name, call.tenant, timeline, order.tool, units, at, order.parent or None).changes()
            entry = Entry(call.tenant, at, "deny" if reason else "allow", order.tool, "" if reason else name)
            append(store, entry, changes, how)

        await self._service.locks.append(call.tenant, call.session, write)

    def _how(self) -> Append:
        """How the next append is done, which some defects slow down."""
        how, has = self._service.append, self._settings.has
        pause_s = how.pause_s
        if has(Defect.CHAIN_FORK):
            pause_s = max(pause_s, 0.005)
        if has(Defect.LOCK_GIVEN_UP):
            pause_s = max(pause_s, 0.02)
        if has(Defect.LOCK_NOT_OWNED) and self._orders % _SLOW_EVERY == 0:
            pause_s = max(pause_s, 0.06)
        return Append(how.guarded, pause_s)

    async def newest(self, call: Call) -> Response:
        """The newest executions of the tenant."""
        limit = int(number(call.request, "limit", 20, low=1, high=1000))
        if self._settings.has(Defect.SLOW_QUERY):
            rows, read = await call.session.run(lambda store: executions.newest_of_all(store, call.tenant, limit))
        else:
            rows = await call.session.run(lambda store: executions.newest(store, call.tenant, limit))
            read = len(rows)
        self._service.shared.add(self._service.row, "rows_read_total", read)
        return answer({"executions": [executions.told(row) for row in rows]})

    async def one(self, call: Call) -> Response:
        """One execution of the tenant."""
        name = call.request.path_params["name"]
        tenant = None if self._settings.has(Defect.CROSS_TENANT) else call.tenant
        row = await call.session.run(lambda store: executions.find(store, name, tenant))
        if row is None:
            raise RefusalError(404, "no such execution")
        return answer(executions.told(row))

    async def timeline(self, call: Call) -> Response:
        """One timeline of the tenant."""
        name = call.request.path_params["name"]
        found = await call.session.run(lambda store: executions.timeline(store, call.tenant, name))
        if found is None:
            raise RefusalError(404, "no such timeline")
        return answer(found)

    async def usage(self, call: Call) -> Response:
        """What the tenant has used."""
        return answer(await call.session.run(lambda store: executions.usage(store, call.tenant)))
