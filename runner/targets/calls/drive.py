"""One real run of a client and its dependencies: started, followed, and ended."""

import asyncio
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path

from soak.runner.targets.calls.account import Account
from soak.runner.targets.calls.client import Client, MakeChain
from soak.runner.targets.calls.dependencies import Program
from soak.runner.targets.calls.http import warm_up
from soak.runner.targets.calls.rows import Rows
from soak.runner.targets.context import FLUSH_REAL_S, RunContext
from soak.runner.targets.losses import put_losses
from soak.runner.targets.resources import Resources
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.systems.calls.settings import calls_of
from soak.simulation.plan import Plan

_LOOK_REAL_S = 0.02
_PATIENCE_S = 10.0
_HOLD_REAL_S = 0.05
"""A block covers events up to this long ago: newer ones may still be reported and come with the next."""


class Drive:
    """Everything of one run; leaving it as a context ends every process it started."""

    def __init__(self, plan: Plan, directory: Path, speed: float, make_chain: MakeChain) -> None:
        self._stack = ExitStack()
        try:
            programs = {}
            for dependency in calls_of(plan.scenario).dependencies:
                program = self._stack.enter_context(closing(Program(dependency, plan, speed, directory)))
                programs[dependency.name] = program
            for program in programs.values():
                program.start()
            asyncio.run(warm_up([program.url for program in programs.values()]))
        except BaseException:
            self._stack.close()
            raise
        self._programs = programs
        self._context = RunContext.begin(plan, speed)
        rows = Rows(self._context.clock)
        self._account = Account(self._context, rows, programs)
        self._client = Client(plan, rows, programs, make_chain)
        self._resources = Resources(self._context, self._processes, directory)
        self._loop = asyncio.new_event_loop()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._carry, name="client", daemon=True)

    def __enter__(self) -> "Drive":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._context.close()
            self._stop()
        finally:
            self._stack.close()

    def blocks(self) -> Generator[Block, None, None]:
        """The events of the run, a block every FLUSH_REAL_S; the last one ends with the client's own count of its tasks."""
        context = self._context
        put_losses(context)
        self._resources.start()
        context.every(context.plan.scenario.telemetry.sample_interval_s, self._sample)
        self._thread.start()
        over = False
        while not over:
            over = self._go_on(context.now() + FLUSH_REAL_S * context.clock.speed)
            if not over:
                until_s = context.now() - _HOLD_REAL_S * context.clock.speed
                self._account.read()
                yield context.journal.take(max(until_s, 0.0))
        # Stopping the client is not part of the run.
        until_s = context.now()
        self._stop()
        self._account.read()
        until_s, census = max(until_s, self._account.latest_s), self._client.census()
        for state, kind in CENSUS.items():
            context.note(until_s, kind, value=census.get(state, 0))
        yield context.journal.take(until_s)

    def _go_on(self, until_s: float) -> bool:
        """Let it run up to `until_s`; returns whether the run is over. Raises whatever ended the client's thread."""
        context = self._context
        while (now_s := context.now()) < until_s:
            if context.is_over(lambda: self._client.is_busy):
                return True
            wait_s = context.clock.real(min(context.agenda.next_s, until_s) - now_s)
            time.sleep(min(_LOOK_REAL_S, max(0.0, wait_s)))
            context.agenda.run(context.now())
            if self._failure:
                raise self._failure
        return False

    def _sample(self) -> None:
        in_flight, t_s = self._client.in_flight, self._context.now()
        self._context.note(t_s, Kind.SAMPLE_QUEUE_DEPTH, value=max(0, self._client.open - in_flight))
        self._context.note(t_s, Kind.SAMPLE_IN_FLIGHT, value=in_flight)

    def _processes(self) -> dict[str, int]:
        return {name: pid for program in self._programs.values() for name, pid in program.processes().items()}

    # The client's thread.

    def _carry(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._client.run())
        except BaseException as failure:
            self._failure = _only(failure)

    def _stop(self) -> None:
        """End the client; nothing is recorded after that."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._client.end)
            self._thread.join(_PATIENCE_S)
        if not self._loop.is_running() and not self._loop.is_closed():
            self._loop.close()


def _only(failure: BaseException) -> BaseException:
    """The single error inside an exception group."""
    while isinstance(failure, BaseExceptionGroup) and failure.exceptions:
        failure = failure.exceptions[0]
    return failure
