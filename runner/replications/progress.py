"""Progress of many replications: a live line on a terminal, a plain line now and then elsewhere. It goes to standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from soak.runner.console import live_console, remark
from soak.runner.progress import PLAIN_EVERY_S, PLAIN_STEPS

Counted = Callable[[int, str], None]
"""Called with how many replications are made, and figures so far."""


@contextmanager
def count_progress(total: int) -> Iterator[Counted]:
    """A function to call after each replication."""
    if not sys.stderr.isatty():
        yield _Plain(total)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.completed} of {task.total} replications"),
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


class _Plain:
    """A line for every tenth of the replications, and at least every half minute of real time."""

    def __init__(self, total: int) -> None:
        self._total, self._step, self._said = total, 0, time.monotonic()

    def __call__(self, made: int, figures: str) -> None:
        step = PLAIN_STEPS * made // self._total
        if step > self._step or time.monotonic() - self._said > PLAIN_EVERY_S:
            self._step, self._said = step, time.monotonic()
            remark(f"  {made} of {self._total} replications: {figures}")
