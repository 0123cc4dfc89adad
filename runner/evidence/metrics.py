"""metrics.csv: a row per minute, computed while the stream is written.

`queue_depth` and `busy_workers` are means over the minute and `queue_depth_max` its maximum, all from the events;
`oldest_pending_s` is the last sample of the minute. Which events are counted, and which further levels there are, is up to
the system: see `Minutes`.
"""

import contextlib
import io
import math
from collections import Counter
from pathlib import Path
from typing import TextIO

import numpy as np

from soak.runner.evidence.amounts import Amounts
from soak.runner.evidence.levels import Levels, PerMinute
from soak.runner.evidence.moving import MovingQuantiles
from soak.runner.judge.samples import Facts
from soak.schemas.errors import UsageError, writing
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import language_of
from soak.schemas.language.room import LEVEL_COLUMNS, QUANTILE_COLUMNS, Minutes
from soak.schemas.stream.block import Block, Floats, Ints, make_block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE

MINUTE_S = 60.0
WINDOW_MINUTES = 30
"""Latency quantiles of a row are those of the tasks that ended in the last this many minutes."""

_QUANTILES = dict(zip(QUANTILE_COLUMNS, (0.5, 0.95, 0.99), strict=True))


class MinuteRows:
    """The rows of all minutes that are complete, from blocks as they come; `last` gives the one that the run ended in.

    names: of the columns. whole: for each whether it has whole numbers. Where `step_s` is not a minute, a row is of that many
    seconds, and its quantiles are of as many steps.
    """

    def __init__(self, scenario: Scenario, causes: list[str], step_s: float = MINUTE_S) -> None:
        """causes: the faults of the vocabulary, by number. Raises UsageError for a column that is named twice."""
        self._faults = list(dict.fromkeys(causes))
        self._fault_of = np.array([self._faults.index(name) for name in causes], dtype=np.int64)
        self._shown = [index for index, name in enumerate(self._faults) if name]
        self.step_s = step_s
        self._minute = 0
        self._carried = np.zeros(len(Kind), dtype=np.int64)
        self._carried_faults = np.zeros(len(self._faults), dtype=np.int64)
        self._levels = Levels(scenario, step_s)
        self._oldest_s = math.nan
        self._latency = MovingQuantiles(list(_QUANTILES.values()), WINDOW_MINUTES)
        minutes = language_of(scenario.system).minutes_of(scenario.system_settings)
        self._counted, self._more = list(minutes.counts.values()), list(minutes.more.values())
        self._amounts = Amounts(minutes.amounts.values())
        self.names = _columns(scenario.system, minutes, [self._faults[index] for index in self._shown])
        self.whole = [
            *[True] * (1 + len(self._counted)),
            *[False] * (len(LEVEL_COLUMNS) + len(_QUANTILES)),
            *[True] * (len(self._shown) + len(self._more)),
        ]
        self.whole += [False] * (len(self.names) - len(self.whole))

    def append(self, block: Block, facts: Facts) -> Floats:
        """Process a block; returns the rows that it completes, by row and column: NaN where nothing is known."""
        return self._advance(block, facts, int(self._minute_of(np.array([facts.until_s]))[0]))

    def last(self, until_s: float) -> Floats:
        """The row of the minute that the run ended in, if there is one."""
        last = int(-(-until_s // self.step_s))
        if last <= self._minute:
            return np.empty((0, len(self.names)))
        self._levels.end(until_s)
        return self._advance(make_block([], [], until_s=until_s), Facts(until_s), last)

    def _advance(self, block: Block, facts: Facts, minute_now: int) -> Floats:
        first, minutes = self._minute, minute_now - self._minute + 1
        index = self._minute_of(block.t) - first
        counts = np.bincount(index * len(Kind) + block.kind, minlength=minutes * len(Kind)).reshape(minutes, -1)
        counts[0] += self._carried
        injected = (block.kind == Kind.FAULT_INJECTED) | (block.kind == Kind.TASK_DUPLICATE)
        width = len(self._faults)
        cause = block.cause[injected]
        known = self._fault_of[np.where(cause < len(self._fault_of), cause, NO_CAUSE)]
        cells = index[injected] * width + known
        faults = np.bincount(cells, minlength=minutes * width).reshape(minutes, width)
        faults[0] += self._carried_faults
        depth, workers, own = self._levels.minutes(block, first, minutes)
        levels = np.column_stack([depth.mean, depth.most, self._oldest(facts, minutes), workers.mean])
        latency = facts.get("latency")
        quantiles = self._latency.steps(self._minute_of(latency.t), latency.value, first, minutes)
        amounts = self._amounts.minutes(block, index, minutes)
        self._carried, self._carried_faults, self._minute = counts[-1], faults[-1], minute_now
        times = (first + 1 + np.arange(minutes)) * self.step_s
        further = [counts[:, self._more], *([_both(own)] if own else []), amounts]
        rows: Floats = np.column_stack(
            [times, counts[:, self._counted], levels, quantiles, faults[:, self._shown], *further]
        )
        return rows[:-1]

    def _minute_of(self, t_s: Floats) -> Ints:
        """The minute, from 0, that times belong to; what happens on the minute belongs to the one that ends there."""
        return np.maximum(np.ceil(t_s / self.step_s).astype(np.int64) - 1, 0)

    def _oldest(self, facts: Facts, minutes: int) -> Floats:
        """The last sample of each minute; NaN where a minute has none."""
        oldest_s = np.full(minutes, np.nan)
        oldest_s[0] = self._oldest_s
        samples = facts.get("oldest_pending")
        oldest_s[self._minute_of(samples.t) - self._minute] = samples.value
        self._oldest_s = float(oldest_s[-1])
        return oldest_s


class MetricsWriter:
    """Writes the rows of all minutes that are complete; `finish` writes the last."""

    def __init__(self, path: Path | None, scenario: Scenario, causes: list[str]) -> None:
        """`path`: the file, None to keep it in memory: see `text`. Raises OutputError."""
        self._path = path
        self._rows = MinuteRows(scenario, causes)
        with writing(path):
            self._file: TextIO = path.open("x", encoding="utf-8", newline="") if path else io.StringIO(newline="")
            self._file.write(",".join(self._rows.names) + "\n")

    def append(self, block: Block, facts: Facts) -> None:
        """Process a block; raises OutputError."""
        self._write(self._rows.append(block, facts))

    def _write(self, rows: Floats) -> None:
        columns = [_shown(column, whole) for column, whole in zip(rows.T, self._rows.whole, strict=True)]
        with writing(self._path):
            self._file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))
            self._file.flush()

    def finish(self, until_s: float) -> None:
        """Write the minute that the run ended in."""
        self._write(self._rows.last(until_s))
        if self._path:
            with writing(self._path):
                self._file.close()

    @property
    def text(self) -> bytes:
        """The text written to memory."""
        assert isinstance(self._file, io.StringIO)
        return self._file.getvalue().encode()

    def close(self) -> None:
        """Close the file, even of an incomplete run; what was written is kept."""
        with contextlib.suppress(OSError):
            self._file.close()


def _columns(system: str, minutes: Minutes, faults: list[str]) -> list[str]:
    """The columns of metrics.csv. Raises UsageError for a system that names one a second time."""
    injected = (f"injected:{name}" for name in faults)
    names = ["t_s", *minutes.counts, *LEVEL_COLUMNS, *_QUANTILES, *injected, *minutes.added]
    for name, count in Counter(names).items():
        if count > 1:
            raise UsageError(f"system {system}: metrics.csv has a second column {name!r} (rename it in its `Minutes`)")
    return names


def _both(levels: list[PerMinute]) -> Floats:
    """Mean and maximum of each level, in columns."""
    return np.column_stack([column for each in levels for column in each])


def _shown(column: Floats, whole: bool) -> list[str]:
    return list(map(str, column.astype(np.int64).tolist())) if whole else [_show(value) for value in column.tolist()]


def _show(value: float) -> str:
    return "" if value != value else f"{value:.6g}"
