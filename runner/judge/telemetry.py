"""Signs of life: gaps in the telemetry, sampled levels, and what was lost."""

import numpy as np

from runner.judge.samples import Facts, Samples, Stretch
from schemas.block import Block
from schemas.events import SPECS, Kind

_GAUGES = {
    "queue_depth": Kind.SAMPLE_QUEUE_DEPTH,
    "oldest_pending": Kind.SAMPLE_OLDEST_PENDING,
    "busy_workers": Kind.SAMPLE_BUSY_WORKERS,
    "rss": Kind.SAMPLE_RSS,
    "open_files": Kind.SAMPLE_OPEN_FILES,
    "db_size": Kind.SAMPLE_DB_SIZE,
}
_LIFE = np.array([not SPECS[kind].by_runner and kind is not Kind.FAULT_INJECTED for kind in Kind])


class Telemetry:
    """Follows events and samples as signs of life."""

    def __init__(self, floor_s: float) -> None:
        self._floor_s = floor_s
        self._seen_s = 0.0
        self.longest_gap_s = 0.0
        self.lost_events = 0

    def observe(self, block: Block, facts: Facts) -> None:
        """Add a block's samples and gaps to `facts`."""
        for name, kind in _GAUGES.items():
            told = block.kind == kind
            facts.series[name] = Samples(block.t[told], block.value[told])
        life = block.t[_LIFE[block.kind]]
        edges = np.concatenate([[self._seen_s], life, [block.until_s]])
        gaps = np.diff(edges)
        long = np.flatnonzero(gaps >= max(1e-6, min(self.longest_gap_s, self._floor_s)))
        facts.stretches["telemetry"] = [
            Stretch(float(edges[gap]), float(edges[gap + 1]), gap < len(life)) for gap in long.tolist()
        ]
        facts.series["telemetry"] = Samples(np.empty(0), np.empty(0), exposed=len(life))
        self.longest_gap_s = max(self.longest_gap_s, float(gaps.max()))
        self.lost_events += int(block.value[block.kind == Kind.SAMPLE_LOST].sum())
        if len(life):
            self._seen_s = float(life[-1])
