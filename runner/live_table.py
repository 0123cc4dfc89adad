"""Progress of a run on a terminal: the table of `soak watch`, from the judge of the run. It goes to standard error."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from soak.runner.console import is_drawn_on, live_console
from soak.runner.engine import Sink
from soak.runner.judge.judge import Judge
from soak.runner.judge.samples import Facts
from soak.runner.output import is_dumb
from soak.runner.progress import PlainLines
from soak.runner.watch.state import Watched
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.identity import Identity

if TYPE_CHECKING:
    from rich.live import Live

DRAWN_EVERY_S = 0.25
"""Least interval between two drawings of the table, in real seconds."""

MOST_BUSY = 0.02
"""Share of a core that drawing may take: a table that takes long is drawn less often."""


class Progress(Protocol):
    """Called after each block."""

    sinks: Sequence[Sink]
    """What is to be shown the blocks."""

    def __call__(self, judge: Judge) -> None:
        """The run so far."""


@contextmanager
def make_progress(scenario: Scenario, identity: Identity) -> Iterator[Progress]:
    """A table on a terminal, plain lines elsewhere."""
    if not is_drawn_on() or is_dumb():
        yield PlainLines(scenario)
        return
    from rich.live import Live

    # Without a thread of its own: the run is drawn between two blocks only, and a second Ctrl-C leaves the terminal as it was.
    with Live(console=live_console(), auto_refresh=False, transient=True) as live:
        yield _Drawn(live, identity)


class _Drawn:
    """The table of `soak watch`, from the judge of the run."""

    def __init__(self, live: "Live", identity: Identity) -> None:
        from soak.runner.watch.screen import screen

        self._screen = screen
        self.sinks: Sequence[Sink] = (self,)
        self._live, self._identity = live, identity
        self._watched: Watched | None = None
        self._began = self._next = time.monotonic()
        self._began_at_s = 0.0

    def append(self, block: Block, facts: Facts) -> None:
        """Note what the judge does not keep."""
        if self._watched:
            self._watched.look(block)

    def __call__(self, judge: Judge) -> None:
        """Draw, if it is time to."""
        if self._watched is None:
            self._watched, self._began_at_s = Watched(judge, self._identity), judge.until_s
        now = time.monotonic()
        if now < self._next or not judge.until_s:
            return
        began = time.thread_time()
        console = self._live.console
        state = self._watched.state(self._eta(judge))
        drawn = self._screen(state, console.width, console.height, ascii_only=not console.encoding.startswith("utf"))
        self._live.update(drawn, refresh=True)
        took = time.thread_time() - began
        self._next = now + max(DRAWN_EVERY_S, took / MOST_BUSY)

    def _eta(self, judge: Judge) -> float | None:
        """Seconds of real time that are left at the speed so far; None: not known yet."""
        done_s, took_s = judge.until_s - self._began_at_s, time.monotonic() - self._began
        left_s = max(0.0, judge.scenario.duration_s - judge.until_s)
        return left_s / done_s * took_s if done_s > 0 and took_s > 1 else None
