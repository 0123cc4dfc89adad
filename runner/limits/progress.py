"""Progress of a search on standard error: a live line on a terminal, elsewhere a line when a point is left."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from soak.runner.console import live_console, remark
from soak.runner.limits.decision import Tally
from soak.runner.limits.replications import Values

Watch = Callable[[Values, Tally, int], None]


@contextmanager
def make_progress(paths: list[str]) -> Iterator[Watch]:
    """A function to call after each replication: with its point, the tally there, and how many there are in all."""
    if sys.stderr.isatty():
        from rich.live import Live
        from rich.text import Text

        # Drawn when there is something new, without a thread: the crew forks.
        with Live(console=live_console(), transient=True, auto_refresh=False) as live:
            yield lambda values, tally, total: live.update(Text(_words(paths, values, tally, total)), refresh=True)
    else:
        plain = _Plain(paths)
        yield plain
        plain.leave()


def _words(paths: list[str], values: Values, tally: Tally, total: int) -> str:
    where = ", ".join(f"{path}={value}" for path, value in zip(paths, values, strict=True))
    return f"  {where}: {tally.passes} of {tally.total} PASS; {total} replications so far"


class _Plain:
    """A line for each point that was left."""

    def __init__(self, paths: list[str]) -> None:
        self._paths = paths
        self._last: tuple[Values, Tally, int] | None = None

    def __call__(self, values: Values, tally: Tally, total: int) -> None:
        if self._last and self._last[0] != values:
            self.leave()
        self._last = values, tally, total

    def leave(self) -> None:
        """Tell the last point."""
        if self._last:
            remark(_words(self._paths, *self._last))
