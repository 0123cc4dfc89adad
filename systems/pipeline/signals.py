"""Signal: reads `raw.jsonl`, says of each record whether it is strong, confirmed, of low consistency, and writes the sinks."""

import asyncio
import os
import subprocess
import sys
import time

from soak.systems.pipeline.defects import Defect
from soak.systems.pipeline.pace import Pace
from soak.systems.pipeline.records import Signal, decode_raw, passes, signal_of
from soak.systems.pipeline.sinks import JsonlSink, Sink, SqliteSink
from soak.systems.pipeline.spool import LineReader, back
from soak.systems.pipeline.stage import Checkpoint, Stage, log

REPLAYED_BYTES = 65536
_MOST_PENDING = 50_000
"""Signals that may wait for a sink that cannot be written before no more are read."""

_ORPHAN_OUTLIVES_S = 300


class Scorer:
    """Reads one spool and writes all sinks, each as fast as it can."""

    def __init__(self, stage: Stage) -> None:
        self._stage, settings = stage, stage.settings
        self._exact = stage.process.guarantee == "exactly_once"
        self._again = settings.has(Defect.REPLAY_AFTER_RESTART, Defect.INSERT_OR_IGNORE)
        self._sinks: list[Sink] = []
        self._checkpoint = Checkpoint(stage.directory / "signal.checkpoint", stage.process.checkpoint)
        self._reader = LineReader(stage.directory / "raw.jsonl")
        self._unread: list[tuple[bytes, int]] = []
        self._pace = Pace(stage.process.service, f"{settings.market.seed}/signal")
        stage.waiting = self._waiting

    async def run(self) -> None:
        """Work until asked to stop; then work off what is there, and flush."""
        await self._open_sinks()
        await self._stage.open()
        orphan_of(self._stage)
        self._reader.offset = self._begin()
        while not self._stage.stopping.is_set():
            busy = await self._step()
            if not busy:
                self._idle()
                due_s = min(sink.due_s() for sink in self._sinks)
                await self._stage.sleep(
                    min(self._stage.settings.poll, due_s) if not self._errors() else _retry(self._stage)
                )
        await self._drain()

    def _idle(self) -> None:
        """With nothing to do, it does not fall behind."""
        if not (self._unread or any(sink.pending for sink in self._sinks)):
            self._stage.progressed()

    async def _open_sinks(self) -> None:
        directory, batches = self._stage.directory, self._stage.settings.batch
        if "jsonl" in self._stage.settings.sinks:
            self._sinks.append(JsonlSink(directory / "signals.jsonl", batches.jsonl))
        ignore = self._stage.settings.has(Defect.INSERT_OR_IGNORE)
        while "sqlite" in self._stage.settings.sinks:
            sink = SqliteSink(directory / "signals.db", batches.sqlite, ignore=ignore)
            if not sink.error:
                self._sinks.append(sink)
                break
            log(f"signal: signals.db: {sink.error}")
            await asyncio.sleep(_retry(self._stage))

    def _begin(self) -> int:
        if not self._exact:
            return self._checkpoint.position
        offset = min(sink.position for sink in self._sinks)
        return back(self._stage.directory / "raw.jsonl", offset, REPLAYED_BYTES) if self._again else offset

    def _waiting(self) -> int:
        pending = max((len(sink.pending) for sink in self._sinks), default=0)
        return self._reader.waiting() + len(self._unread) + pending

    def _errors(self) -> bool:
        return any(sink.error for sink in self._sinks)

    # One step.

    async def _step(self) -> bool:
        """Read, work, offer, flush; whether there is more to do at once."""
        room = max(len(sink.pending) for sink in self._sinks) < _MOST_PENDING
        if room and not self._unread:
            self._read()
        if room and self._unread:
            taken = self._unread[: self._pace.take(len(self._unread))]
            await self._pace.work()
            del self._unread[: len(taken)]
            self._stage.count("records_read_total", len(taken))
            self._offer(taken)
        for sink in self._sinks:
            if sink.due_s() <= 0:
                self._flush(sink)
        return room and bool(self._unread) and not self._errors()

    def _read(self) -> None:
        offset = self._reader.offset
        for line in self._reader.read():
            offset += len(line) + 1
            self._unread.append((line, offset))
        if self._unread and self._stage.process.guarantee == "at_most_once":
            self._checkpoint.reached(self._reader.offset, now=True)

    def _offer(self, taken: list[tuple[bytes, int]]) -> None:
        settings, which = self._stage.settings, self._stage.process.passes
        made = [signal_of(decode_raw(line), settings.records, offset) for line, offset in taken]
        signals: list[Signal] = [each for each in made if passes(each, which)]
        if signals:
            for sink in self._sinks:
                sink.offer(signals, again=self._again or not self._exact)
        if len(signals) < len(made):
            self._stage.progressed()

    def _flush(self, sink: Sink) -> None:
        stored = sink.flush()
        self._stage.count(f'sink_stored_total{{sink="{sink.name}"}}', stored)
        self._stage.counters[f'sink_pending{{sink="{sink.name}"}}'] = len(sink.pending)
        if sink.error:
            self._stage.count(f'sink_errors_total{{sink="{sink.name}"}}')
            self._stage.degraded = f"{sink.name}: {sink.error}"
        elif self._stage.degraded.startswith(sink.name):
            self._stage.degraded = ""
        self._stage.progressed(stored if sink is self._sinks[0] else 0)
        if self._stage.process.guarantee == "at_least_once" and not any(each.pending for each in self._sinks):
            self._checkpoint.reached(self._worked)

    # The end.

    async def _drain(self) -> None:
        end_s = time.monotonic() + self._stage.drain_s
        until = self._reader.size
        if self._stage.settings.has(Defect.BATCH_LOST_AT_TERM):
            for sink in self._sinks:
                if isinstance(sink, SqliteSink):
                    sink.forget_batch()
        while self._behind(until) and time.monotonic() < end_s:
            await self._step()
            for sink in self._sinks:
                self._flush(sink)
            if self._errors():
                await asyncio.sleep(_retry(self._stage))
        if self._stage.process.guarantee == "at_least_once" and not any(sink.pending for sink in self._sinks):
            # It ends as it should: nothing of this is written again.
            self._checkpoint.reached(self._worked, now=True)
        for sink in self._sinks:
            sink.close()

    @property
    def _worked(self) -> int:
        """Up to where it has worked on its input."""
        return self._reader.offset - sum(len(line) + 1 for line, _ in self._unread)

    def _behind(self, until: int) -> bool:
        return self._worked < until or any(sink.pending for sink in self._sinks)


def _retry(stage: Stage) -> float:
    return max(stage.settings.poll, 0.02)


def orphan_of(stage: Stage) -> None:
    """The defect: a helper that inherits the port, and lives on when the process has ended."""
    server = stage.listening
    if not (stage.settings.has(Defect.ORPHAN_KEEPS_PORT) and server):
        return
    program = (
        "import os, time\n"
        f"while os.path.exists('/proc/{os.getpid()}'): time.sleep(0.2)\n"
        f"time.sleep({_ORPHAN_OUTLIVES_S})"
    )
    subprocess.Popen([sys.executable, "-c", program], pass_fds=server, start_new_session=True)
