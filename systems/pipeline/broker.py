"""Broker: places an order for each confirmed signal, with a key by which the exchange knows it again."""

import asyncio
import json
import os
import time

from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.pace import Pace
from soak.systems.pipeline.records import Signal, passes
from soak.systems.pipeline.signals import REPLAYED_BYTES
from soak.systems.pipeline.spool import back
from soak.systems.pipeline.stage import Checkpoint, Stage, log
from soak.systems.pipeline.tail import Tail, tail_of
from soak.systems.pipeline.web import ask, why

_TIMEOUT_S = 2.0
_RETRY_S = 0.1
_REPLAYED_ROWS = 500


class Broker:
    """Follows the first sink. Its position is stored once orders are accepted; sent again, they have the same keys."""

    def __init__(self, stage: Stage) -> None:
        self._stage, settings = stage, stage.settings
        self._checkpoint = Checkpoint(stage.directory / "broker.checkpoint", stage.process.checkpoint)
        self._again = settings.has(Defect.REPLAY_AFTER_RESTART)
        self._tail: Tail = tail_of(settings.sinks[0], stage.directory, self._begin())
        self._keyed = stage.process.guarantee == "exactly_once" and not self._again
        self._pace = Pace(stage.process.service, f"{settings.market.seed}/broker")
        self._unplaced: list[Signal] = []
        stage.counters |= {"orders_total": 0, "order_errors_total": 0}
        stage.waiting = lambda: self._tail.waiting() + len(self._unplaced)

    def _begin(self) -> int:
        position = self._checkpoint.position
        if not (self._again and position):
            return position
        if self._stage.settings.sinks[0] == "sqlite":
            return max(0, position - _REPLAYED_ROWS)
        return back(self._stage.directory / "signals.jsonl", position, REPLAYED_BYTES)

    async def run(self) -> None:
        """Work until asked to stop; then place what is there."""
        await self._stage.open()
        while not self._stage.stopping.is_set():
            if not await self._step():
                await self._stage.sleep(self._stage.settings.poll)
        end_s = time.monotonic() + self._stage.drain_s
        while self._stage.waiting() and time.monotonic() < end_s:
            await self._step()
        if not self._unplaced:
            self._checkpoint.reached(self._tail.position, now=True)
        self._left = self._stage.waiting()
        self._stage.waiting = lambda: self._left
        self._tail.close()

    async def _step(self) -> bool:
        """Read and place a batch; whether there was any."""
        signals = self._tail.read() if not self._unplaced else []
        self._stage.count("records_read_total", len(signals))
        self._unplaced += [each for each in signals if passes(each, self._stage.process.passes)]
        if self._stage.process.guarantee == "at_most_once":
            self._checkpoint.reached(self._tail.position, now=True)
        while self._unplaced:
            taken = self._unplaced[: self._pace.take(len(self._unplaced))]
            await self._pace.work()
            if await self._place(taken):
                del self._unplaced[: len(taken)]
                self._stage.progressed(len(taken))
            elif self._stage.stopping.is_set():
                return True
            else:
                await self._stage.sleep(_RETRY_S)
        self._stage.progressed()
        self._checkpoint.reached(self._tail.position)
        return bool(signals)

    async def _place(self, signals: list[Signal]) -> bool:
        suffix = "" if self._keyed else f"-{os.getpid()}-{time.monotonic_ns()}"
        orders = [
            {"seq": each.seq, "key": f"{each.seq}{suffix}", "symbol": each.symbol, "sent": each.sent}
            for each in signals
        ]
        url = f"{self._stage.settings.exchange.rstrip('/')}/orders"
        try:
            status, answer = await ask(url, json.dumps(orders).encode(), timeout_s=_TIMEOUT_S)
        except OSError as error:
            status, answer = 0, why(error).encode()
        if status == 200:
            self._stage.count("orders_total", len(orders))
            self._stage.degraded = ""
            return True
        self._stage.count("order_errors_total")
        self._stage.degraded = f"exchange: {status or 'no answer'}"
        log(f"broker: exchange: {status} {answer.decode(errors='replace')[:200]}")
        await asyncio.sleep(0)
        return False
