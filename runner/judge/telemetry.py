"""Telemetry: gaps, sampled levels, and losses."""

import copy

import numpy as np

from soak.runner.judge.samples import Facts, Samples, Scan, Stretch
from soak.schemas.stream.block import Block, quantise
from soak.schemas.stream.by_kind import flags_by_kind
from soak.schemas.stream.events import Kind

_GAUGES = {
    "queue_depth": Kind.SAMPLE_QUEUE_DEPTH,
    "oldest_pending": Kind.SAMPLE_OLDEST_PENDING,
    "busy_workers": Kind.SAMPLE_BUSY_WORKERS,
    "rss": Kind.SAMPLE_RSS,
    "open_files": Kind.SAMPLE_OPEN_FILES,
    "db_size": Kind.SAMPLE_DB_SIZE,
    "threads": Kind.SAMPLE_THREADS,
    "runner_rss": Kind.SAMPLE_RUNNER_RSS,
    "runner_open_files": Kind.SAMPLE_RUNNER_OPEN_FILES,
    "in_flight": Kind.SAMPLE_IN_FLIGHT,
    "memory": Kind.SAMPLE_MEMORY,
    "memory_held": Kind.SAMPLE_MEMORY_HELD,
}
SIGNS_OF_LIFE = flags_by_kind(lambda kind, spec: not spec.by_runner and kind is not Kind.FAULT_INJECTED)
"""By kind: whether an event comes from the system under test, and not from the runner itself."""


_NOWHERE, _NO_TIMES = np.empty(0, dtype=np.int64), np.empty(0)


class Telemetry:
    """Tracks gaps between events and samples."""

    def __init__(self, floor_s: float, wanted: frozenset[str] | None = None) -> None:
        """floor_s: the shortest gap that a condition or an objective needs. wanted: the series that are read; None: all."""
        self._floor_s = floor_s
        self._gauges = {name: kind for name, kind in _GAUGES.items() if wanted is None or name in wanted}
        self._seen_s = 0.0
        self.longest_gap_s = 0.0
        self.lost_events = 0

    def __deepcopy__(self, memo: dict[int, object]) -> "Telemetry":
        """It holds numbers only."""
        return copy.copy(self)

    def observe(self, block: Block, facts: Facts) -> None:
        """Add a block's samples and gaps to `facts`."""
        if facts.scan:
            self._follow(block, facts, facts.scan)
            return
        for name, kind in self._gauges.items():
            selected = block.kind == kind
            facts.series[name] = Samples(block.t[selected], block.value[selected])
        life = block.t[SIGNS_OF_LIFE[block.kind]]
        edges = np.concatenate([[self._seen_s], life, [block.until_s]])
        gaps = quantise(np.diff(edges))
        lasts = np.arange(len(gaps)) == len(life)
        kept = np.flatnonzero((gaps >= self._floor_s) | (gaps == gaps.max()) | (lasts & (gaps > 0))).tolist()
        facts.stretches["telemetry"] = [Stretch(float(edges[k]), float(edges[k + 1]), k < len(life)) for k in kept]
        facts.series["telemetry"] = Samples(np.empty(0), np.empty(0), exposed=len(life))
        # What a system did before its runner died is known from its own log only.
        unobserved = block.value[block.kind == Kind.RUN_RESUMED]
        self.longest_gap_s = max(self.longest_gap_s, float(gaps.max()), *unobserved.tolist())
        self.lost_events += int(block.value[block.kind == Kind.SAMPLE_LOST].sum())
        if len(life):
            self._seen_s = float(life[-1])

    def _follow(self, block: Block, facts: Facts, scan: Scan) -> None:
        """The same of a block that has been looked through."""
        for name, kind in self._gauges.items():
            selected = np.flatnonzero(block.kind == kind) if scan.counts[kind] else _NOWHERE
            facts.series[name] = Samples(block.t[selected], block.value[selected])
        facts.stretches["telemetry"] = scan.gaps
        facts.series["telemetry"] = Samples(_NO_TIMES, _NO_TIMES, exposed=int(scan.counts[SIGNS_OF_LIFE].sum()))
        longest_s = max(each.length_s for each in scan.gaps) if scan.gaps else 0.0
        resumed = block.value[block.kind == Kind.RUN_RESUMED].tolist() if scan.counts[Kind.RUN_RESUMED] else ()
        self.longest_gap_s = max(self.longest_gap_s, longest_s, *resumed)
        if scan.counts[Kind.SAMPLE_LOST]:
            self.lost_events += int(block.value[block.kind == Kind.SAMPLE_LOST].sum())
