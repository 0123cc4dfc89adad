"""Faults of the records and their source, and those that a target file carries out itself."""

from concurrent.futures import Future

from soak.runner.targets.pipeline.places import LOW, STRONG
from soak.runner.targets.pipeline.strikes import Strike, Struck
from soak.runner.targets.processes.strikes import Asked
from soak.schemas.language.faults import Fault
from soak.schemas.language.windows import Window
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.faults import OF_PROCESS, OF_SINK, PipelineFaultType
from soak.schemas.target.model import Action
from soak.schemas.target.templates import expand

_SILENT_SHARE = 0.5
_BURST_SHARE = 0.5
_ENOUGH, _LEAST_REAL_S = 20, 0.5
"""That many records must wait for the reader of the source, and be so much newer than what it has passed on."""


class ByAction(Strike):
    """What the target file says: an action at the beginning, and one at the end."""

    def __init__(self, fault: Fault, window: Window, struck: Struck) -> None:
        super().__init__(fault, window, struck)
        self._says = struck.file.faults[fault.type]
        self._asked = Asked(struck.actions)
        self._expected = False

    def _filled(self, action: Action) -> Action:
        struck = self.fault.dependency
        values = {
            "for": f"{self.real_s:g}",
            "process": struck if self.fault.type in OF_PROCESS else "",
            "sink": struck if self.fault.type in OF_SINK else "",
        }
        process = self.on.group.current(struck) if self.fault.type in OF_PROCESS else None
        if process is not None:
            values["pid"] = str(process.pid)
        return expand(action, values)

    def begin(self) -> bool:
        """See `Strike`."""
        if not self._expected:
            self._expected = True
            self.on.observer.expected.update({self.fault.dependency: self.cause} if self._ends_it else {})
        assert self._says.begin
        return self._asked.begin(self._filled(self._says.begin))

    @property
    def _ends_it(self) -> bool:
        return Kind.PROCESS_EXITED in self.fault.spec.seen_by

    def shows(self) -> bool:
        """See `Strike`: what was asked for was answered for."""
        return self._asked.done

    def end(self) -> None:
        """See `Strike`."""
        self._asked.end(self._filled(self._says.end) if self._says.end else None)


class SourceSilence(Strike):
    """The plan has no records for a time; it shows when none is sent for half of it."""

    def shows(self) -> bool:
        """See `Strike`."""
        now_s = min(self.on.context.now(), self.window.end_s)
        since_s = max(self.window.start_s, self.on.flow.book.last_sent_s)
        return now_s - since_s >= _SILENT_SHARE * (self.window.end_s - self.window.start_s)


class SourceBurst(Strike):
    """The plan has more records for a time; it shows when half of them were sent."""

    def begin(self) -> bool:
        """See `Strike`."""
        self._before = self.on.flow.book.sent
        return True

    def shows(self) -> bool:
        """See `Strike`."""
        rate, book = self.on.context.plan.rate, self.on.flow.book
        planned = rate.expected(self.window.end_s) - rate.expected(self.window.start_s)
        return book.sent - self._before >= max(1.0, _BURST_SHARE * planned)


class SourceDisconnect(Strike):
    """The source is asked to close its connections; it shows when its reader has connected again, or lags behind."""

    _asked: "Future[str] | None" = None

    def begin(self) -> bool:
        """See `Strike`."""
        source = self.on.file.source
        assert source and source.disconnect
        if self._asked is None:
            lasts = self.on.pipeline.faults[self.fault.name].lasting
            action = expand(source.disconnect, {"for": f"{self.real_s if lasts else 0:g}"})
            self._before = self.on.metrics.reconnects
            self._asked = self.on.actions.begin(action)
        if not self._asked.done():
            return False
        failed = self._asked.result()
        self._asked = None if failed else self._asked
        return not failed

    def shows(self) -> bool:
        """See `Strike`."""
        if self.on.metrics.reconnects > self._before:
            return True
        reader = self.on.flow.gaps.reader
        waiting = self.on.flow.waiting.now().get(self.on.pipeline.reader, 0.0)
        if reader is None or waiting < _ENOUGH:
            return False
        behind_s = self.on.flow.book.last_sent_s - self.on.flow.book.tallies[reader.name].newest_s
        return behind_s >= _LEAST_REAL_S * self.on.context.clock.speed


class ShareChange(Strike):
    """The records of the plan are otherwise for a time; it shows in what the first sink got since."""

    def begin(self) -> bool:
        """See `Strike`."""
        drop = self.fault.type == PipelineFaultType.STRENGTH_DROP
        pipeline = self.on.pipeline
        self._bit, self._usual = (STRONG, pipeline.strong) if drop else (LOW, pipeline.low_consistency)
        self._before = self._counts
        return True

    @property
    def _counts(self) -> tuple[int, int]:
        tally = self.on.flow.book.tallies[self.on.flow.places[0].name]
        return tally.rows, tally.rows_like[self._bit]

    def shows(self) -> bool:
        """See `Strike`."""
        rows, chosen = (now - before for now, before in zip(self._counts, self._before, strict=True))
        to = self.on.pipeline.faults[self.fault.name].share
        middle = (self._usual + to) / 2
        return rows >= _ENOUGH and (chosen / rows > middle) == (to > self._usual)
