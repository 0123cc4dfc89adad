"""A call over the wire: its planned fault is sent along, and what the client observes is recorded."""

import asyncio
import errno
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeAlias

import httpx
from msgspec import Struct

from soak.runner.targets.calls.dependencies import Program
from soak.runner.targets.calls.http import open_http
from soak.runner.targets.calls.request import Attempts, Request
from soak.runner.targets.calls.rows import Rows
from soak.runner.targets.calls.supervisor import Supervisor
from soak.runner.targets.clock import Clock
from soak.schemas.language.faults import Fault
from soak.schemas.stream.events import Kind
from soak.schemas.systems.calls.faults import CallFault
from soak.schemas.systems.calls.settings import Pool
from soak.simulation.calls.fates import CallFates
from soak.simulation.calls.outcome import CallError, Demand
from soak.simulation.plan import Plan
from soak.systems.calls.fate import HEADER, Fate

_SEEN_AS: dict[str, str] = {CallFault.BAD_RELEASE: "server_error"}
"""The error class of a fault, if it is not the type of the fault."""

Trace: TypeAlias = Callable[[str, object], Awaitable[None]]

_GONE = frozenset({"connection_error", "connection_reset"})
_CONNECTING = "connection.connect_tcp.started"
_LEAST_S = 1e-4


class Seen(Struct, frozen=True):
    """Result of a call as seen by the client: its error class (empty: success), and Retry-After in real seconds."""

    error: str = ""
    retry_after_s: float = 0.0
    refused: bool = False
    """Whether the kernel refused the connection."""


class Wire:
    """Calls one dependency. Raises CallError for a failed call."""

    def __init__(
        self,
        program: Program,
        supervisor: Supervisor,
        plan: Plan,
        rows: Rows,
        attempts: Attempts,
        pool: Pool | None = None,
    ) -> None:
        self.name = program.dependency.name
        self._program = program
        self._supervisor = supervisor
        self._plan = plan
        self._rows = rows
        self._clock: Clock = rows.clock
        self._attempts = attempts
        self._fates = CallFates(plan, program.dependency)
        self._pool = pool
        self._to = plan.vocabulary.name(self.name)
        self.in_flight = 0
        """Calls in flight."""
        self._http = open_http(pool.size if pool else None)
        self._unlimited = open_http() if pool else self._http

    async def close(self) -> None:
        """Close what is open."""
        await self._http.aclose()
        await self._unlimited.aclose()

    async def call(self, request: Request, deadline: float, demand: Demand | None = None) -> None:
        """The next call of a request, to be over by `deadline` (in scenario time).

        With a `demand`, as another way of doing the work, it needs no connection of the pool.
        """
        request.calls[self.name] = request.calls.get(self.name, 0) + 1
        whole = demand or Demand(request.memory_bytes)
        now_s = self._clock.now()
        latency_s, fault, cause, within = self._fates.of(
            request.number, request.calls[self.name], now_s, self._supervisor.live
        )
        fate = self._fate(request, latency_s, fault, cause, within, whole)
        down = self._supervisor.down
        refuse = fault is not None and fault.type == CallFault.CONNECTION_ERROR and not down
        began_s, seen = await self._send(request, fate, deadline, refuse=refuse, pooled=demand is None)
        self.in_flight -= 1
        self._supervisor.note(failed=bool(seen.error))
        if seen.error:
            raise self._failed(request, fault, cause, seen, down=down or self._supervisor.down)
        if fault and fault.type == CallFault.DELAY and self._clock.real(self._clock.now() - began_s) >= fate.delay_s:
            self._rows.note(Kind.FAULT_SEEN, cause=cause)
        self._rows.note(Kind.CALL_SUCCEEDED, number=request.number, attempt=request.attempt, value=self._to)

    def _fate(
        self, request: Request, latency_s: float, fault: Fault | None, cause: int, within: float, demand: Demand
    ) -> Fate:
        real, call = self._clock.real, request.calls[self.name]
        store = self._program.dependency.store
        return Fate(
            task=request.number,
            attempt=request.attempt + request.pending,
            latency_s=real(latency_s),
            fault=fault.type if fault else "",
            cause=cause,
            within=within,
            delay_s=real(self._fates.delay_s(fault, request.number, call))
            if fault and fault.type == CallFault.DELAY
            else 0.0,
            retry_after_s=real(fault.retry_after_s) if fault else 0.0,
            record=self._fates.record(request.number, call, store.records) if store else 0,
            memory_bytes=demand.piece_bytes,
            pieces=demand.pieces,
            piece_s=-1.0 if demand.piece_s is None else real(demand.piece_s),
            hold=request.hold and demand.pieces == 1,
        )

    async def _send(
        self, request: Request, fate: Fate, deadline: float, *, refuse: bool, pooled: bool
    ) -> tuple[float, Seen]:
        """Send a call; returns its start and result.

        It starts when it has a connection; without one in time, it is rejected.
        """
        begun: list[float] = []

        def begin() -> None:
            begun.append(self._clock.now())
            self._attempts.begin(request)
            self._rows.note(Kind.CALL_STARTED, number=request.number, attempt=request.attempt, value=self._to)
            self.in_flight += 1

        async def watch(event: str, _: object) -> None:
            if event == _CONNECTING and not begun:
                begin()

        url = self._program.refusing_url if refuse else self._program.url
        http = self._http if pooled else self._unlimited
        try:
            seen = await self._get(http, url, fate, deadline, watch)
        except httpx.PoolTimeout:
            # The call counter does not advance.
            request.calls[self.name] -= 1
            raise self._attempts.reject(request, "pool_exhausted") from None
        except BaseException:
            self.in_flight -= len(begun)
            raise
        if not begun:
            begin()
        return begun[0], seen

    async def _get(self, http: httpx.AsyncClient, url: str, fate: Fate, deadline: float, watch: Trace) -> Seen:
        left_s = self._left_s(deadline)
        try:
            # An overall timeout: those of httpx restart after the wait for a connection.
            async with asyncio.timeout(None if left_s is None else left_s + _LEAST_S):
                answer = await http.get(
                    f"{url}/call",
                    headers={HEADER: json.dumps(asdict(fate))},
                    timeout=self._timeout(left_s),
                    extensions={"trace": watch},
                )
        except httpx.PoolTimeout:
            raise
        except (httpx.TimeoutException, TimeoutError):
            return Seen("timeout")
        except httpx.ConnectError as error:
            return Seen("connection_error", refused=_errno(error) == errno.ECONNREFUSED)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            return Seen("connection_reset")
        return _read(answer)

    def _left_s(self, deadline: float) -> float | None:
        """Remaining real seconds; None: unlimited."""
        return None if math.isinf(deadline) else max(_LEAST_S, self._clock.real(deadline - self._clock.now()))

    def _timeout(self, left_s: float | None) -> httpx.Timeout:
        wait_s = self._clock.real(self._pool.max_wait_s) if self._pool else None
        waits = [each for each in (left_s, wait_s) if each is not None]
        return httpx.Timeout(left_s, pool=max(_LEAST_S, min(waits)) if waits else None)

    def _failed(self, request: Request, fault: Fault | None, cause: int, seen: Seen, *, down: int) -> CallError:
        """The error of a failed call, attributed to its planned fault if it matches."""
        planned = fault is not None and seen.error == _SEEN_AS.get(fault.type, str(fault.type))
        if seen.refused and planned:
            # The kernel refuses the connection: there is no log line, but the error proves it.
            self._rows.note(Kind.FAULT_INJECTED, number=request.number, attempt=request.attempt, cause=cause)
        error = self._plan.vocabulary.causes[cause].error if planned and seen.error != "timeout" else seen.error
        if down and seen.error in _GONE:
            cause, error = down, seen.error
        elif not planned:
            cause = self._plan.vocabulary.cause("", seen.error)
        retry_after_s = seen.retry_after_s * self._clock.speed
        if retry_after_s:
            request.not_before_s = self._clock.now() + retry_after_s
        self._rows.note(Kind.CALL_FAILED, number=request.number, attempt=request.attempt, cause=cause, value=self._to)
        return CallError(error, cause, retry_after_s)


def _errno(error: BaseException | None) -> int:
    """The operating system's error code, from the chain of causes."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        error = error.__cause__ or error.__context__
    return 0


def _read(answer: httpx.Response) -> Seen:
    if answer.status_code == httpx.codes.OK:
        return Seen()
    try:
        error = str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        error = f"http_{answer.status_code}"
    return Seen(error, float(answer.headers.get("Retry-After", 0)))
