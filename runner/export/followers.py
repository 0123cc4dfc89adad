"""Those who are told during a run what happens in it, and at its end what took long."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from soak.runner.export.about import About, WallClock
from soak.runner.export.attempts import Stories
from soak.runner.export.feed import Feed
from soak.runner.export.moments import Moment, MomentsSoFar
from soak.runner.export.receivers import open_listener, open_traces
from soak.runner.export.traces import trace_of
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Verdict, paused_s
from soak.schemas.language.outlets import Export
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

if TYPE_CHECKING:
    from soak.runner.export.otlp import Parcel

EVERY_S = 1.0
"""How often it is looked for what has happened, in real seconds."""


class Follower(Protocol):
    """Someone who is told of a run."""

    export: Export
    way: Feed[Any]

    def begin(self, now_s: float, patience_s: float) -> None:
        """Tell that a run begins, at this Unix time. Raises ExportError."""

    def append(self, block: Block) -> None:
        """Take in a block."""

    def look(self, judge: Judge, now: float) -> None:
        """Tell what has happened; `now`: on the monotonic clock."""

    def finished(self, judge: Judge, verdict: Verdict) -> None:
        """Tell how the run came out."""

    def abandon(self, now_s: float) -> None:
        """Tell that the run has ended without a verdict."""


def followers_of(export: Export, vocabulary: Vocabulary, folder: Path, about: About) -> Iterator[Follower]:
    """Those of an export. Raises UsageError."""
    if export.type.of_moments:
        yield Listener(export, Feed(export.name, open_listener(export, folder, about)), about)
    elif traces := open_traces(export, folder, about):
        yield Tracer(export, Feed(f"{export.name} (traces)", traces), about, vocabulary)


class _Zero:
    """When scenario time was zero, by the wall clock of this machine."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._zero_s: float | None = None

    def append(self, block: Block) -> None:
        """The first block of a run is its start."""
        if self._zero_s is None and np.any(block.kind == Kind.RUN_STARTED):
            self._zero_s = time.time()

    def clock(self, judge: Judge) -> WallClock:
        """The clock so far; of a resumed run reckoned back from now."""
        if self._zero_s is None:
            self._zero_s = time.time() - judge.until_s / self._speed - paused_s(judge.resumes, judge.until_s)
        return WallClock(self._zero_s, self._speed, tuple(judge.resumes))


class Listener:
    """Is told what happens, as soon as it is known."""

    def __init__(self, export: Export, way: Feed[Moment], about: About) -> None:
        self.export, self.way = export, way
        self._scenario = about.scenario
        self._zero = _Zero(about.speed)
        self._so_far = MomentsSoFar()
        self._first: Moment | None = None
        self._due = 0.0

    def begin(self, now_s: float, patience_s: float) -> None:
        """Tell that a run begins. Raises ExportError."""
        self._first = self._so_far.begin(self._scenario, now_s)
        self.way.begin(self._first, patience_s)

    def append(self, block: Block) -> None:
        """Take in a block."""
        self._zero.append(block)

    def look(self, judge: Judge, now: float) -> None:
        """Tell what has happened since."""
        if now >= self._due:
            self._due = now + EVERY_S
            self._tell(judge, None)

    def finished(self, judge: Judge, verdict: Verdict) -> None:
        """Tell the rest, and the verdict."""
        self._tell(judge, verdict)

    def _tell(self, judge: Judge, verdict: Verdict | None) -> None:
        for moment in self._so_far.news(judge, self._zero.clock(judge).at, verdict):
            self.way.put(moment)

    def abandon(self, now_s: float) -> None:
        """Tell that the run has ended without a verdict."""
        if self._first:
            self.way.put(self._so_far.without_verdict(self._first, now_s))


class Tracer:
    """Is told at the end of a run: a trace cannot be changed once it was sent."""

    def __init__(self, export: Export, way: "Feed[Parcel]", about: About, vocabulary: Vocabulary) -> None:
        self.export, self.way = export, way
        self._zero, self._stories = _Zero(about.speed), Stories(vocabulary)

    def begin(self, now_s: float, patience_s: float) -> None:
        """Ask whether traces are taken. Raises ExportError."""
        self.way.begin((), patience_s)

    def append(self, block: Block) -> None:
        """Take in a block."""
        self._zero.append(block)
        self._stories.append(block)

    def look(self, judge: Judge, now: float) -> None:
        """Nothing is told before the end."""

    def finished(self, judge: Judge, verdict: Verdict) -> None:
        """Send the trace of the run and those of its slowest tasks."""
        from soak.runner.export.otlp import parcels

        for parcel in parcels(trace_of(judge, verdict, self._stories), self._zero.clock(judge)):
            self.way.put(parcel)

    def abandon(self, now_s: float) -> None:
        """A run without a verdict has no trace."""
