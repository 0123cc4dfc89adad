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
from soak.runner.judge.histogram import bucket_of, rank, value_of
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

_MANY = 10_000
"""More latencies than that are not kept one by one."""

_QUANTILES = dict(zip(QUANTILE_COLUMNS, (0.5, 0.95, 0.99), strict=True))


class MetricsWriter:
    """Writes the rows of all minutes that are complete; `finish` writes the last."""

    def __init__(self, path: Path | None, scenario: Scenario, causes: list[str]) -> None:
        """`path`: the file, None to keep it in memory: see `text`. Raises OutputError."""
        self._path = path
        self._faults = list(dict.fromkeys(causes))
        self._fault_of = np.array([self._faults.index(name) for name in causes], dtype=np.int64)
        self._minute = 0
        self._carried = np.zeros(len(Kind), dtype=np.int64)
        self._carried_faults = np.zeros(len(self._faults), dtype=np.int64)
        self._levels = Levels(scenario)
        self._oldest_s = math.nan
        self._latency_minute, self._latency_bucket, self._latency_count = np.zeros((3, 0), dtype=np.int64)
        minutes = language_of(scenario.system).minutes_of(scenario.system_settings)
        names = _columns(scenario.system, minutes, [name for name in self._faults if name])
        self._counted, self._more = list(minutes.counts.values()), list(minutes.more.values())
        self._amounts = Amounts(minutes.amounts.values())
        with writing(path):
            self._file: TextIO = path.open("x", encoding="utf-8", newline="") if path else io.StringIO(newline="")
            self._file.write(",".join(names) + "\n")

    def append(self, block: Block, facts: Facts) -> None:
        """Process a block; raises OutputError."""
        self._advance(block, facts, int(_minute_of(np.array([facts.until_s]))[0]))

    def _advance(self, block: Block, facts: Facts, minute_now: int) -> None:
        minutes = minute_now - self._minute + 1
        index = _minute_of(block.t) - self._minute
        counts = np.bincount(index * len(Kind) + block.kind, minlength=minutes * len(Kind)).reshape(minutes, -1)
        counts[0] += self._carried
        injected = (block.kind == Kind.FAULT_INJECTED) | (block.kind == Kind.TASK_DUPLICATE)
        width = len(self._faults)
        cause = block.cause[injected]
        known = self._fault_of[np.where(cause < len(self._fault_of), cause, NO_CAUSE)]
        cells = index[injected] * width + known
        faults = np.bincount(cells, minlength=minutes * width).reshape(minutes, width)
        faults[0] += self._carried_faults
        depth, workers, own = self._levels.minutes(block, self._minute, minutes)
        levels = np.column_stack([depth.mean, depth.most, self._oldest(facts, minutes), workers.mean])
        quantiles = self._moving_quantiles(facts, minutes)
        amounts = self._amounts.minutes(block, index, minutes)
        self._write(counts[:-1], levels[:-1], quantiles[:-1], faults[:-1], _both(own)[: minutes - 1], amounts[:-1])
        self._carried, self._carried_faults, self._minute = counts[-1], faults[-1], minute_now

    def _oldest(self, facts: Facts, minutes: int) -> Floats:
        """The last sample of each minute; NaN where a minute has none."""
        oldest_s = np.full(minutes, np.nan)
        oldest_s[0] = self._oldest_s
        samples = facts.get("oldest_pending")
        oldest_s[_minute_of(samples.t) - self._minute] = samples.value
        self._oldest_s = float(oldest_s[-1])
        return oldest_s

    def _moving_quantiles(self, facts: Facts, minutes: int) -> Floats:
        """The quantiles of latency for each minute, over the window that ends with it."""
        latency = facts.get("latency")
        first = self._minute - WINDOW_MINUTES + 1
        minute = np.concatenate([self._latency_minute, _minute_of(latency.t)])
        bucket = np.concatenate([self._latency_bucket, bucket_of(latency.value)])
        count_of = np.concatenate([self._latency_count, np.ones(len(latency), dtype=np.int64)])
        recent = minute >= first + minutes - 1
        self._keep(minute[recent], bucket[recent], count_of[recent])
        result = np.full((minutes, len(_QUANTILES)), np.nan)
        if not len(bucket):
            return result
        lowest = int(bucket.min())
        width = int(bucket.max()) - lowest + 1
        rows = minutes + WINDOW_MINUTES
        cells = np.clip(minute - first, 0, rows - 2) * width + bucket - lowest
        # Weights are whole numbers, and sums far below 2^53: they are exact.
        weighed = np.bincount(cells, weights=count_of, minlength=(rows - 1) * width).astype(np.int64)
        by_minute = weighed.reshape(rows - 1, width)
        total = np.concatenate([np.zeros((1, width), dtype=np.int64), np.cumsum(by_minute, axis=0)])
        below = np.cumsum(total[WINDOW_MINUTES:] - total[:-WINDOW_MINUTES], axis=1)
        count = below[:, -1]
        middles = np.array([value_of(lowest + step) for step in range(width)])
        for column, q in enumerate(_QUANTILES.values()):
            wanted = np.array([rank(q, int(n)) for n in count])
            place = np.argmax(below >= wanted[:, None], axis=1)
            result[:, column] = np.where(count > 0, middles[place], np.nan)
        return result

    def _keep(self, minute: Ints, bucket: Ints, count: Ints) -> None:
        """Keep latencies for the windows to come; many of one minute that are alike together."""
        if len(minute) > _MANY:
            lowest, width = int(bucket.min()), int(np.ptp(bucket)) + 1
            cells, place = np.unique(minute * width + bucket - lowest, return_inverse=True)
            minute, bucket = cells // width, cells % width + lowest
            count = np.bincount(place, weights=count).astype(np.int64)
        self._latency_minute, self._latency_bucket, self._latency_count = minute, bucket, count

    def _write(
        self, counts: Ints, levels: Floats, quantiles: Floats, faults: Ints, own: Floats, amounts: Floats
    ) -> None:
        shown = [index for index, name in enumerate(self._faults) if name]
        times = (self._minute + 1 + np.arange(len(counts))) * MINUTE_S
        columns = [
            *_whole(times.astype(np.int64), *counts[:, self._counted].T),
            *_decimals(levels, quantiles),
            *_whole(*faults[:, shown].T, *counts[:, self._more].T),
            *_decimals(own, amounts),
        ]
        with writing(self._path):
            self._file.writelines(",".join(row) + "\n" for row in zip(*columns, strict=True))
            self._file.flush()

    def finish(self, until_s: float) -> None:
        """Write the minute that the run ended in."""
        last = int(-(-until_s // MINUTE_S))
        if last > self._minute:
            self._levels.end(until_s)
            self._advance(make_block([], [], until_s=until_s), Facts(until_s), last)
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
    return np.column_stack([column for each in levels for column in each]) if levels else np.empty((0, 0))


def _whole(*columns: Ints) -> list[list[str]]:
    return [list(map(str, column.tolist())) for column in columns]


def _decimals(*tables: Floats) -> list[list[str]]:
    return [[_show(value) for value in column] for table in tables for column in table.T.tolist()]


def _minute_of(t_s: Floats) -> Ints:
    """The minute, from 0, that times belong to; what happens on the minute belongs to the one that ends there."""
    return np.maximum(np.ceil(t_s / MINUTE_S).astype(np.int64) - 1, 0)


def _show(value: float) -> str:
    return "" if value != value else f"{value:.6g}"
