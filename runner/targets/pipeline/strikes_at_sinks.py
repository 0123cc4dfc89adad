"""Faults of what the system writes to: a sink that is locked or full, a database of time series that does not answer."""

import math
import resource
from pathlib import Path

from soak.runner.targets.pipeline.places import Place, input_of
from soak.runner.targets.pipeline.strikes import Strike, Struck
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.strikes import SqliteLock
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window

_ENOUGH = 5
"""That many more records must have come while a sink got none."""

_LEAST_REAL_S, _BATCHES = 0.25, 2.0
"""For that long, and for that many of its batches, a sink must have got nothing."""


class AtSink(Strike):
    """Strikes a sink; it shows when the sink gets nothing more while records go on coming."""

    _before = (0, 0)
    _since_s = 0.0

    @property
    def place(self) -> Place:
        """The sink."""
        return next(each for each in self.on.flow.places if each.name == self.fault.dependency)

    def mark(self) -> None:
        """Its effect is measured from here on."""
        self.on.ledgers.read(self.on.context.now())
        self._before, self._since_s = self._counts, self.on.context.now()

    @property
    def _counts(self) -> tuple[int, int]:
        struck, place = self.on, self.place
        tallies, writer = struck.flow.book.tallies, struck.pipeline.writer(self.place.stream)
        before = None if writer is None else input_of(struck.flow.places, struck.pipeline, writer)
        there = struck.flow.book.sent if before is None else tallies[before.name].distinct
        return tallies[place.name].rows, there

    def shows(self) -> bool:
        """See `Strike`."""
        stored, there = self._counts
        now_s = self.on.context.now()
        if stored > self._before[0]:
            # Written before the fault, or after its end: only what comes from here on tells.
            self._before, self._since_s = (stored, there), now_s if now_s < self.window.end_s else math.inf
            return False
        return there - self._before[1] >= _ENOUGH and now_s - self._since_s >= self._least_s

    @property
    def _least_s(self) -> float:
        """How long it takes until a sink that gets nothing is one that cannot be written to."""
        sinks = {each.name: each for each in self.on.pipeline.sinks}
        return max(_BATCHES * sinks[self.place.name].every_s, _LEAST_REAL_S * self.on.context.clock.speed)


class SinkLock(AtSink):
    """Holds the write lock of an SQLite database."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck)
        self._lock = SqliteLock()

    def begin(self) -> bool:
        """See `Strike`."""
        path = self.place.ledger.sqlite
        assert path is not None
        if not self._lock.begin(path):
            return False
        self.mark()
        return True

    def end(self) -> None:
        """See `Strike`."""
        self._lock.end()


class SinkFull(AtSink):
    """Lets the process that writes a sink write no file beyond the size that the sink has: as on a full disk, its writes fail.

    Of an SQLite database nothing is let through. A limit of the process (RLIMIT_FSIZE) needs no rights and no disk of its own.
    """

    _limited: ProcessId | None = None
    _limits = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

    @property
    def _writer(self) -> ProcessId | None:
        number = self.on.pipeline.writer(self.place.stream)
        return None if number is None else self.on.group.current(self.on.pipeline.processes[number].name)

    def begin(self) -> bool:
        """See `Strike`."""
        if not self._limit():
            return False
        self.mark()
        return True

    def _limit(self) -> bool:
        writer, ledger = self._writer, self.place.ledger
        if writer is None:
            return False
        most = 1 if ledger.jsonl is None else _size(Path(ledger.jsonl))
        try:
            self._limits = resource.prlimit(writer.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(writer.pid, resource.RLIMIT_FSIZE, (most, self._limits[1]))
        except OSError:
            return False
        self._limited = writer
        return True

    def shows(self) -> bool:
        """See `Strike`. One that is started meanwhile is limited, too."""
        if self._writer not in {None, self._limited} and self.on.context.now() < self.window.end_s:
            self._limit()
        return super().shows()

    def end(self) -> None:
        """See `Strike`."""
        if self._limited is not None and self._limited.is_alive():
            resource.prlimit(self._limited.pid, resource.RLIMIT_FSIZE, self._limits)


def _size(path: Path) -> int:
    try:
        return max(1, path.stat().st_size)
    except OSError:
        return 1


class ExportOutage(Strike):
    """The database of time series does not answer."""

    def begin(self) -> bool:
        """See `Strike`."""
        timeseries = self.on.timeseries
        assert timeseries is not None
        self._before, timeseries.answers = timeseries.refused, False
        return True

    def shows(self) -> bool:
        """See `Strike`."""
        return self.on.timeseries is not None and self.on.timeseries.refused > self._before

    def end(self) -> None:
        """See `Strike`."""
        if self.on.timeseries is not None:
            self.on.timeseries.answers = True
