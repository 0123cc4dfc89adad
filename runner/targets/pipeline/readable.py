"""Whether ledgers can be read as the target file says; what says nothing must not count as holding nothing."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from soak.runner.console import remark
from soak.runner.targets.pipeline.epochs import Epochs
from soak.runner.targets.pipeline.tails import Rows, Tail
from soak.runner.targets.processes.ledger_trial import fault_of_ledger
from soak.schemas.errors import shortened
from soak.schemas.systems.pipeline.record_ledger import SOURCE
from soak.schemas.target.model import Ledger

_FAR_S = 86_400.0
"""A time so long before the run began, or so long from now, is not one of the run."""

_MANY = 20
"""From this number of lines that cannot be read on it is said at once, and not at the end only."""


class Readable:
    """Counts what could be read of each ledger, and what could not."""

    def __init__(self, ledgers: Mapping[str, Ledger], tails: Mapping[str, Tail], epochs: Epochs) -> None:
        self._ledgers, self._tails, self._epochs = ledgers, tails, epochs
        self._rows: Counter[str] = Counter()
        self._strange: Counter[str] = Counter()
        """Rows whose times cannot be of the run."""
        self._a_time: dict[str, float] = {}
        """One of those, in seconds since 1970."""
        self._said: set[str] = set()

    def count(self, name: str, rows: int) -> None:
        """Rows of a ledger that could be read."""
        self._rows[name] += rows

    def look(self, name: str, rows: Rows) -> None:
        """Look at the times of rows that were read just now."""
        self.count(name, len(rows))
        if not self._epochs.known:
            return
        first, last = self._epochs.began_at - _FAR_S, time.time() + _FAR_S
        for times in (rows.at, rows.sent):
            if times is None:
                continue
            far = (times < first) | (times > last)
            if far.any():
                self._strange[name] += int(far.sum())
                self._a_time.setdefault(name, float(times[np.flatnonzero(far)[0]]))
                return

    def say_early(self) -> None:
        """Say on standard error of which ledgers many lines cannot be read so far."""
        for name, tail in self._tails.items():
            if tail.damaged + self._strange[name] >= _MANY and (why := self._why_not(name)):
                self._say(name, why)

    def unread(self, expected: "frozenset[str]") -> Iterator[str]:
        """At the end: the names of ledgers that cannot be judged by. expected: those in which there should be records."""
        for name in self._tails:
            if why := self._why_not(name) or (self._absent(name) if name in expected else ""):
                self._say(name, why)
                yield name

    def _why_not(self, name: str) -> str:
        """Why more than half of what is there cannot be used; empty if it can."""
        damaged, rows = self._tails[name].damaged, self._rows[name]
        if damaged > rows:
            fault = fault_of_ledger(self._ledgers[name]) or "the line is not what the target file says"
            return f"{damaged:,} lines could not be read: {fault} (correct its fields)"
        if 2 * self._strange[name] > rows:
            form = self._ledgers[name].time.value
            return f"its times are those of {_year(self._a_time[name])} where they are read as {form} (correct time:)"
        return ""

    def _absent(self, name: str) -> str:
        ledger = self._ledgers[name]
        path = Path(ledger.jsonl or ledger.sqlite or "")
        if self._rows[name] or path.exists():
            return ""
        return f"there is no file {shortened(path.name)} (correct its path)"

    def _say(self, name: str, why: str) -> None:
        if name not in self._said:
            self._said.add(name)
            what = "the source" if name == SOURCE else name
            remark(f"warning: the ledger of {what} says nothing, and objectives on it cannot hold: {why}")


def _year(at: float) -> str:
    """The year of a time, in words that also fit one that no calendar has."""
    try:
        return str(datetime.fromtimestamp(at, UTC).year)
    except (OverflowError, ValueError, OSError):
        return "no year"
