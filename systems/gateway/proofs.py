"""The pages that prove something: chain, reconciliation, timelines, edges, roots; and those of the administrator."""

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from soak.systems.gateway import executions, tally
from soak.systems.gateway.chain import Verifier, day_of, extent
from soak.systems.gateway.database import StoreError
from soak.systems.gateway.defects import Defect
from soak.systems.gateway.roots import open_day, roots, seal
from soak.systems.gateway.service import Call, Service
from soak.systems.gateway.web import RefusalError, answer, asked, number

_FIRST_ROWS = 100
_MOST = 1e12


class Limit(msgspec.Struct, frozen=True):
    """The body of `/tenants/NAME/limits`."""

    rate: float | None = None
    burst: float | None = None


class Clock(msgspec.Struct, frozen=True):
    """The body of `/clock`: seconds ahead of the computer's."""

    offset: float


class Proofs:
    """The pages of one process."""

    def __init__(self, service: Service) -> None:
        self._service, self._settings, self._shared = service, service.settings, service.shared

    async def verify(self, call: Call) -> Response:
        """Verify the tenant's audit log, from a row on; below 0, that many rows from the end."""
        begin = int(number(call.request, "from", 1, low=-_MOST, high=_MOST))
        what = await call.session.run(lambda store: extent(store, call.tenant, begin))
        first_only = self._settings.has(Defect.VERIFY_FIRST_ROWS)
        verifier = Verifier(what, _FIRST_ROWS if first_only else None)
        while await call.session.run(verifier.step):
            pass
        self._shared.add(self._service.row, "rows_read_total", verifier.rows)
        return answer(
            {
                "tenant": call.tenant,
                "rows_written": what.rows,
                "rows_verified": verifier.rows,
                "violations": verifier.violations,
            }
        )

    async def reconcile(self, call: Call) -> Response:
        """Audit log against usage."""
        found = await call.session.run(lambda store: executions.reconciled(store, call.tenant))
        return answer({"tenant": call.tenant, **found})

    async def edges(self, call: Call) -> Response:
        """Edges between executions, and those that are lost."""
        found = await call.session.run(lambda store: executions.edges(store, call.tenant))
        return answer({"tenant": call.tenant, **found})

    async def stuck(self, call: Call) -> Response:
        """Timelines that have been in progress for longer than `older` seconds."""
        before = self._shared.now() - number(call.request, "older", 60, low=0, high=_MOST)
        found = await call.session.run(lambda store: executions.stuck(store, call.tenant, before))
        return answer({"tenant": call.tenant, "stuck": found})

    async def seal(self, call: Call) -> Response:
        """Seal the days of the tenant that are over."""
        now = self._shared.now()
        before = open_day(now, late=self._settings.has(Defect.ROOT_LATE))
        made = await call.session.run(lambda store: seal(store, call.tenant, before, now))
        return answer({"tenant": call.tenant, "sealed": made})

    async def roots(self, call: Call) -> Response:
        """The roots of the tenant, and how many are missing."""
        today, day = day_of(self._shared.now()), call.request.query_params.get("day")
        found = await call.session.run(lambda store: roots(store, call.tenant, today, day))
        return answer({"tenant": call.tenant, **found})

    async def limits(self, request: Request) -> Response:
        """Set (PUT) or show the limit of a tenant."""
        self._service.admin(request)
        name = request.path_params["name"]
        if name not in self._service.secrets:
            raise RefusalError(404, "no such tenant")
        if request.method == "PUT":
            limit = await asked(request, Limit)
            if (limit.rate or 0) < 0 or (limit.burst or 0) < 0:
                raise RefusalError(422, "rate, burst: 0 or more")
            self._service.limits.set(name, limit.rate, limit.burst)
        rate, burst = self._service.limits.limit(name)
        return answer({"tenant": name, "rate": rate, "burst": None if rate is None else burst})

    async def clock(self, request: Request) -> Response:
        """Set (POST) or show the gateway's clock."""
        self._service.admin(request)
        if request.method == "POST":
            self._shared.offset_s = (await asked(request, Clock)).offset
        now = self._shared.now()
        return answer({"now": now, "day": day_of(now), "offset": self._shared.offset_s})

    async def health(self, _: Request) -> Response:
        """200 if the database answers."""
        try:
            async with self._service.pool.session("") as session:
                await session.run(lambda store: store.rows("SELECT 1"))
        except StoreError as error:
            return answer({"status": "failing", "why": str(error)}, 503)
        return answer(
            {"status": "ok", "worker": self._service.row, "pid": int(self._shared.value(self._service.row, "pid"))}
        )

    async def metrics(self, _: Request) -> Response:
        """Counters of all processes."""
        return PlainTextResponse(tally.page(self._shared), media_type="text/plain; version=0.0.4")
