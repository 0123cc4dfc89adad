"""What pages are sent of the runs that they show: each run once as a whole, and from then on what is new.

A message is encoded once, however many pages there are. A page that was away gets what it missed, or the whole again.
"""

import secrets
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec

from soak.runner.watch.drawing import Chart, charts_of
from soak.runner.watch.grid import WINDOW
from soak.runner.watch.state import State, Watched
from soak.schemas.language.model import Scenario

_KEPT = 64
"""Messages kept for pages that were away for a moment."""

_MOST_BANDS = 2000
_MOST_DIGITS = 18
"""Of the number of a message."""
_COLUMN_OF_TIME = "t_s"


class Band(msgspec.Struct, frozen=True):
    """A stretch of time with its name and kind: a fault or a phase."""

    start_s: float
    end_s: float
    name: str
    kind: str


class About(msgspec.Struct, frozen=True):
    """What does not change of a run. report: where its report is, or will be."""

    name: str
    report: str
    clock: str
    step_s: float
    window_s: float
    bands: list[Band]


class Whole(msgspec.Struct, frozen=True):
    """A run as a whole: `columns` have a value for each of `rows` steps."""

    run: int
    about: About
    charts: list[Chart]
    head: State
    rows: int
    columns: dict[str, list[float | None]]


class Further(msgspec.Struct, frozen=True):
    """What is new of a run: its head, and the steps from number `start` up to `rows`."""

    run: int
    head: State
    start: int
    rows: int
    columns: dict[str, list[float | None]]


class Failed(msgspec.Struct, frozen=True):
    """A run that cannot be followed any more: why."""

    run: int
    problem: str


class _Shown:
    """One run as pages know it."""

    def __init__(self, number: int, path: Path) -> None:
        self.number, self.path = number, path
        self.watched: Watched | None = None
        self.head: State | None = None
        self.rows = 0
        self.charts: list[Chart] = []
        self.problem = ""

    def whole(self) -> bytes:
        """Everything, as a message; empty as long as nothing is known."""
        if self.problem and not self.head:
            return _event("failed", Failed(self.number, self.problem))
        if self.watched is None or self.head is None or self.watched.steps is None:
            return b""
        steps = self.watched.steps
        used = {_COLUMN_OF_TIME, *(line.column for chart in self.charts for line in chart.lines)}
        columns = {name: values for name, values in steps.table.between(0, self.rows).items() if name in used}
        about = About(
            self.path.resolve().name,
            str(self.path / "report.html"),
            self.watched.identity.clock,
            steps.grid.step_s,
            WINDOW * steps.grid.step_s,
            bands_of(self.watched.judge.scenario),
        )
        whole = _event("run", Whole(self.number, about, self.charts, self.head, self.rows, columns))
        return whole + (_event("failed", Failed(self.number, self.problem)) if self.problem else b"")

    def further(self, watched: Watched, state: State) -> bytes:
        """What is new since the last call, as a message: empty if it is nothing."""
        steps = watched.steps
        assert steps is not None
        charts, first = charts_of(watched.judge.scenario, steps), self.watched is None
        changed = first or charts != self.charts
        rows, start, before = steps.table.rows, self.rows, self.head
        self.watched, self.head, self.rows, self.charts = watched, state, rows, charts
        if changed:
            return self.whole()
        if rows == start and before and msgspec.structs.replace(before, eta_s=state.eta_s) == state:
            return b""
        used = {_COLUMN_OF_TIME, *(line.column for chart in charts for line in chart.lines)}
        columns = {name: values for name, values in steps.table.between(start, rows).items() if name in used}
        return _event("step", Further(self.number, state, start, rows, columns))


def _event(name: str, content: msgspec.Struct) -> bytes:
    # JSON has no line ends of its own: one data line.
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(content))


class Feed:
    """The newest of all runs, for any number of pages."""

    def __init__(self, paths: list[Path]) -> None:
        self._changed = threading.Condition()
        self._runs = [_Shown(number, path) for number, path in enumerate(paths)]
        self._following = len(paths)
        self._epoch = secrets.token_hex(4)
        """Numbers of another server mean nothing to this one."""
        self._number = 0
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=_KEPT)

    @property
    def over(self) -> bool:
        """Whether nothing more will come of any run."""
        return not self._following

    def put(self, run: int, watched: Watched, state: State) -> None:
        """Publish a state of a run."""
        with self._changed:
            self._send(self._runs[run].further(watched, state))

    def fail(self, run: int, problem: str) -> None:
        """Say that a run cannot be followed any more."""
        with self._changed:
            self._runs[run].problem = problem
            self._send(_event("failed", Failed(run, problem)))

    def end(self) -> None:
        """One of the runs is over: nothing more will come of it."""
        with self._changed:
            self._following -= 1
            self._changed.notify_all()

    def _send(self, message: bytes) -> None:
        if message:
            self._number += 1
            self._kept.append((self._number, b"id: %s-%d\n%s" % (self._epoch.encode(), self._number, message)))
            self._changed.notify_all()

    def head(self, run: int) -> State | None:
        """The newest state of a run."""
        return self._runs[run].head

    def clock(self, run: int) -> str:
        """The clock of a run: real or simulated; empty as long as nothing is known of it."""
        watched = self._runs[run].watched
        return watched.identity.clock if watched else ""

    def messages(self, last_id: str, patience_s: float) -> Iterator[bytes]:
        """What a page is sent that has seen the message `last_id` (empty: none), up to the end of all runs.

        Empty texts where there was nothing for `patience_s`: a sign of life.
        """
        number = self._known(last_id)
        while True:
            with self._changed:
                if number is None or not self._has(number):
                    text, number = self._all(), self._number
                else:
                    self._wait_beyond(number, patience_s)
                    text = b"".join(message for count, message in self._kept if count > number)
                    if text and not self._has(number):
                        text = self._all()
                    number = self._number
                over = self.over
            yield text
            if over:
                return

    def _wait_beyond(self, number: int, patience_s: float) -> None:
        self._changed.wait_for(lambda: self._number > number or self.over, patience_s)

    def _known(self, last_id: str) -> int | None:
        epoch, _, number = last_id.partition("-")
        is_number = number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS
        return int(number) if epoch == self._epoch and is_number else None

    def _has(self, number: int) -> bool:
        """Whether all messages after a number are still there."""
        oldest = self._kept[0][0] if self._kept else self._number + 1
        return oldest - 1 <= number <= self._number

    def _all(self) -> bytes:
        mark = b"id: %s-%d\n" % (self._epoch.encode(), self._number)
        return b"".join(mark + whole for shown in self._runs if (whole := shown.whole()))


def bands_of(scenario: Scenario) -> list[Band]:
    """The windows of faults and phases, in time order; of very many the first."""
    faults = [
        Band(each.start_s, each.end_s, fault.name, "fault") for fault in scenario.faults for each in fault.windows
    ]
    phases = [Band(each.window.start_s, each.window.end_s, each.name, "phase") for each in scenario.phases]
    return sorted([*faults, *phases], key=lambda each: (each.start_s, each.end_s))[:_MOST_BANDS]
