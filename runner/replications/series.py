"""A series of replications: in order of their seeds, until an interruption, with progress on standard error.

Progress is a live line on a terminal; elsewhere it is a plain line now and then.
"""

import time
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import TypeAlias

from soak.runner.console import is_drawn_on, live_console, remark
from soak.runner.engine import never
from soak.runner.progress import PLAIN_EVERY_S, PLAIN_STEPS
from soak.runner.replications.replication import Job, Replication
from soak.runner.replications.worker_pool import WorkerPool, in_order

Show: TypeAlias = Callable[[int, str], None]
"""Called with how many are made, and the figures so far."""


@contextmanager
def series(
    pool: WorkerPool,
    jobs: Iterable[Job],
    total: int,
    what: str = "replications",
    interrupted: Callable[[], bool] = never,
) -> Iterator[tuple[Generator[Replication, None, None], Show]]:
    """The replications of `jobs` in their order, and what to call when more are made; `total` of `what` are expected.

    The pool is closed at the end, also when not all were taken. Raises SoakError as `in_order` does.
    """
    with closing(in_order(pool, jobs, interrupted)) as results, counting(total, what) as show:
        yield results, show


@contextmanager
def counting(total: int, what: str) -> Iterator[Show]:
    """A function to call with how many of `total` there are; `what` they are called."""
    if not is_drawn_on():
        yield _PlainCount(total, what)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(f"{{task.completed}} of {{task.total}} {what}"),
        BarColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=live_console(), transient=True) as bar:
        task = bar.add_task("", total=total)

        def show(made: int, figures: str) -> None:
            bar.update(task, completed=made, description=figures)

        yield show


class _PlainCount:
    """A line for every tenth of the whole, and at least every half minute of real time."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what = total, what
        self._step, self._printed = 0, time.monotonic()

    def __call__(self, made: int, figures: str) -> None:
        step = PLAIN_STEPS * made // self._total
        if step > self._step or time.monotonic() - self._printed > PLAIN_EVERY_S:
            self._step, self._printed = step, time.monotonic()
            remark(f"  {made} of {self._total} {self._what}{figures and f': {figures}'}")


@contextmanager
def changing_line() -> Iterator[Callable[[Hashable, str], None]]:
    """A function to call with the latest text of a topic; elsewhere than on a terminal the last text of each is printed."""
    if is_drawn_on():
        from rich.live import Live
        from rich.text import Text

        # Drawn when there is something new, without a thread: worker pools fork.
        with Live(console=live_console(), transient=True, auto_refresh=False) as live:
            yield lambda topic, text: live.update(Text(text), refresh=True)
    else:
        plain = _PlainTopics()
        yield plain
        plain.print_last()


class _PlainTopics:
    """A line for each topic, when the next one begins."""

    def __init__(self) -> None:
        self._last: tuple[Hashable, str] | None = None

    def __call__(self, topic: Hashable, text: str) -> None:
        if self._last and self._last[0] != topic:
            self.print_last()
        self._last = topic, text

    def print_last(self) -> None:
        """Print the text of the last topic."""
        if self._last:
            remark(self._last[1])
