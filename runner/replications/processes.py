"""Processes of this machine that make replications: each gets a scenario once, and a job as soon as it is free."""

import os
import signal
import sys
import time
from collections import deque
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from pickle import HIGHEST_PROTOCOL, dumps, loads

import msgspec

from soak.runner.replications.preload import settle
from soak.runner.replications.replication import Job, Replication
from soak.runner.replications.scenarios import Packing, Shelf
from soak.runner.replications.worker import Order, Reply, held, serve

WINDOW = 8
"""Jobs for each worker that may be unfinished at a time: a long one does not keep the other workers waiting."""
_AHEAD = 2
"""Jobs that a worker has at a time: one that it works on and one that waits, so that it is never idle."""
_BUFFER_BYTES = 32_768
"""Larger messages go to idle workers only: a busy one may be sending, too, and then both would wait for ever."""


class LocalPromise:
    """A replication in flight."""

    def __init__(self, pool: "ProcessPool", number: int, job: Job) -> None:
        self._pool, self.number, self.job = pool, number, job
        self.reply: Reply | None = None

    def done(self) -> bool:
        """Whether it came, or an error in its place."""
        return self.reply is not None

    def result(self, timeout: float | None = None) -> Replication:
        """Wait for it; raises TimeoutError after `timeout` seconds, BrokenExecutor when a worker was killed, or its error."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.reply is None:
            left_s = None if until is None else until - time.monotonic()
            if left_s is not None and left_s < 0:
                raise TimeoutError
            self._pool.attend(left_s)
        if self.reply.error:
            raise self.reply.error
        assert self.reply.replication
        return self.reply.replication


class _Worker:
    """A process, what it has to do, and the scenarios that it has."""

    def __init__(self, siblings: "list[_Worker]") -> None:
        context = _context()
        self.connection, theirs = context.Pipe()
        inherited = [self.connection, *(each.connection for each in siblings)] if sys.platform == "linux" else []
        self.process: BaseProcess = context.Process(target=serve, args=(theirs, os.getpid(), inherited), daemon=True)
        with held(signal.SIGINT):
            self.process.start()
        theirs.close()
        self.orders: dict[int, LocalPromise] = {}
        self._known: Shelf[None] = Shelf()

    def give(self, promise: LocalPromise, packing: Packing) -> bool:
        """Send an order; False where it is too large for a worker that is busy. Raises OSError when the process is gone."""
        job, packed = promise.job, packing.of(promise.job.scenario)
        known = packed.number in self._known
        if not known and self.orders and len(packed.content) > _BUFFER_BYTES:
            return False
        rest = msgspec.structs.asdict(job)
        del rest["scenario"]
        content = None if known else packed.content
        self._known.put(packed.number, None)
        self.orders[promise.number] = promise
        self._send(Order(promise.number, job.scenario.system, packed.number, content, rest))
        return True

    def receive(self) -> None:
        """Read a reply. Raises EOFError or OSError when the process is gone."""
        reply: Reply = loads(self.connection.recv_bytes())
        self.orders.pop(reply.number).reply = reply

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _send(self, message: Order) -> None:
        self.connection.send_bytes(dumps(message, HIGHEST_PROTOCOL))


def _context() -> "ForkContext | SpawnContext":
    # Forked, so that nobody imports anything twice. Where that is not safe, they are started afresh.
    if sys.platform == "linux":
        return get_context("fork")
    return get_context("spawn")


class ProcessPool:
    """One process for each core, or `workers` of them."""

    def __init__(self, workers: int | None = None) -> None:
        self._count = workers or _cores()
        self._packing, self._number = Packing(), 0
        self._waiting: deque[LocalPromise] = deque()
        self._workers: list[_Worker] = []
        self._start()

    @property
    def in_flight(self) -> int:
        """How many jobs to keep in flight."""
        return self._count * WINDOW

    @property
    def workers(self) -> int:
        """How many workers there are."""
        return self._count

    @property
    def processes(self) -> list[int]:
        """The ids of the workers."""
        return [each.process.pid or 0 for each in self._workers]

    @property
    def packed(self) -> int:
        """How many scenarios were packed to be sent."""
        return self._packing.packed

    def submit(self, job: Job) -> LocalPromise:
        """Queue a job."""
        self._number += 1
        promise = LocalPromise(self, self._number, job)
        self._waiting.append(promise)
        self._feed()
        return promise

    def attend(self, timeout_s: float | None) -> None:
        """Wait for replies, and send workers that have become free what waits. Raises BrokenExecutor when one was killed."""
        busy = {each.connection: each for each in self._workers if each.orders}
        for connection in wait(list(busy), timeout_s):
            assert isinstance(connection, Connection)
            try:
                busy[connection].receive()
            except (EOFError, OSError):
                raise BrokenExecutor("a worker was killed") from None
        self._feed()

    def restart(self) -> None:
        """Start again after a worker was killed; jobs submitted before are forgotten."""
        self._waiting.clear()
        self._end()
        self._start()

    def close(self) -> None:
        """End all workers, also in the middle of a job."""
        self._waiting.clear()
        self._end()

    def _start(self) -> None:
        settle()
        for _ in range(self._count):
            self._workers.append(_Worker(self._workers))

    def _end(self) -> None:
        for each in self._workers:
            each.process.kill()
        while self._workers:
            self._workers.pop().end()

    def _feed(self) -> None:
        """Give every worker a job, and then, except of the last ones, a second: the first to be free takes those."""
        for orders in range(_AHEAD):
            for worker in self._workers:
                if len(worker.orders) == orders and len(self._waiting) > (self._count if orders else 0):
                    self._give(worker)

    def _give(self, worker: _Worker) -> None:
        # One that was killed is found when its reply is waited for.
        with suppress(OSError):
            if worker.give(self._waiting[0], self._packing):
                self._waiting.popleft()


def _cores() -> int:
    """How many cores this process may use, as far as the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
