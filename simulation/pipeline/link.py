"""The connection of the reader to the source: made again when it is closed, refused or silent for too long."""

import math

from simpy import Environment

from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.simulation.pipeline.ledger import Ledger
from soak.simulation.pipeline.network import Network
from soak.simulation.pipeline.steps import Steps
from soak.simulation.plan import Plan

RECONNECT_S = 0.2
"""How long the reader waits before it connects again."""


class Link:
    """Connects the reader, and watches the connection."""

    def __init__(
        self, env: Environment, plan: Plan, network: Network, ledger: Ledger, timeout_s: float, reader: int
    ) -> None:
        self._env, self._plan, self._network, self._ledger = env, plan, network, ledger
        self._timeout_s, self._reader = timeout_s, reader
        self._number = 0
        self._refused_until_s = 0.0
        self._cause = NO_CAUSE
        self.silent: list[int] = []
        """The causes for which the source is silent."""

    def open(self, *, first: bool, cause: int) -> None:
        """The reader connects: at once, or when it is not refused any more. first: for the first time in its life."""
        self._number += 1
        self._cause = cause
        self._env.process(self._connect(self._number, first=first))

    def close(self) -> None:
        """The reader has gone."""
        self._number += 1
        self._network.advance(self._env.now)
        self._network.source.disconnect()

    def break_off(self, cause: int, refused_until_s: float) -> bool:
        """The source closes the connection, and refuses new ones for a time; whether there was one."""
        self._refused_until_s = max(self._refused_until_s, refused_until_s)
        if not self._network.source.connected:
            return False
        self.close()
        self.open(first=False, cause=cause)
        return True

    def _connect(self, number: int, *, first: bool) -> Steps:
        if not first:
            yield self._env.timeout(RECONNECT_S)
        source = self._network.source
        while self._number == number and (self._env.now < self._refused_until_s or not source.read):
            yield self._env.timeout(RECONNECT_S)
        if self._number != number:
            return
        now = self._env.now
        self._network.advance(now)
        source.connected = True
        if not first:
            self._ledger.row(now, Kind.STREAM_RECONNECTED, worker=self._reader, cause=self._cause)
        self.tell_missed(now)
        self._network.connect(now, self._cause)
        yield from self._watch(number)

    def tell_missed(self, now: float) -> None:
        """Record what was sent while there was no connection."""
        source = self._network.source
        if source.missed:
            self._ledger.row(now, Kind.RECORDS_MISSED, worker=self._reader, cause=self._cause, value=source.missed)
            source.missed = 0

    def _watch(self, number: int) -> Steps:
        """Give the connection up when no data has come for too long. A reader that is stopped does not look."""
        since_s, source = self._env.now, self._network.source
        while self._number == number:
            now = self._env.now
            since_s = now if not source.read else max(since_s, source.last_before(now))
            due_s = since_s + self._timeout_s
            if due_s > self._plan.ends_s:
                return
            if due_s > math.nextafter(now, math.inf):
                yield self._env.timeout(due_s - now)
                continue
            cause = self.silent[-1] if self.silent else NO_CAUSE
            self._ledger.row(now, Kind.STREAM_TIMED_OUT, worker=self._reader, cause=cause)
            self.close()
            self.open(first=False, cause=cause)
