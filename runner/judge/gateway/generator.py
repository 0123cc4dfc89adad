"""Whether what makes the load was the bottleneck, and not what answers it."""

from collections.abc import Iterator

import numpy as np

from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.units import show_duration, show_ratio

MOST_CPU = 0.9
"""The share of a core above which a process that makes load is taken to be late with what it measures, too."""

MOST_OFTEN = 0.05
"""The share of samples that may be beyond a limit: one is often busy while it starts."""

_LEAST = 2
_FOLLOWED = (Kind.SAMPLE_LOAD_CPU, Kind.SAMPLE_LOAD_LAG, Kind.LOAD_WORKER_JOINED, Kind.LOAD_WORKER_LOST)


class Generator:
    """Follows the processes that make load: how busy and how late each was, and which were lost."""

    def __init__(self, max_lag_s: float) -> None:
        """max_lag_s: how late a request may be."""
        self._max_lag_s = max_lag_s
        self._samples: dict[tuple[Kind, int], int] = {}
        self._beyond: dict[tuple[Kind, int], int] = {}
        self._most: dict[tuple[Kind, int], float] = {}
        self._joined: set[int] = set()
        self._lost: set[int] = set()
        self._none_left_s: float | None = None

    def observe(self, block: Block) -> None:
        """Take in a block."""
        for place in np.flatnonzero(np.isin(block.kind, _FOLLOWED)).tolist():
            kind, worker = Kind(int(block.kind[place])), int(block.worker[place])
            if kind is Kind.LOAD_WORKER_JOINED:
                self._joined.add(worker)
                self._lost.discard(worker)
                self._none_left_s = None
            elif kind is Kind.LOAD_WORKER_LOST:
                self._lost.add(worker)
                if self._joined <= self._lost and self._none_left_s is None:
                    self._none_left_s = float(block.t[place])
            else:
                self._sample(kind, worker, float(block.value[place]))

    def _sample(self, kind: Kind, worker: int, value: float) -> None:
        limit, key = MOST_CPU if kind is Kind.SAMPLE_LOAD_CPU else self._max_lag_s, (kind, worker)
        self._samples[key] = self._samples.get(key, 0) + 1
        self._beyond[key] = self._beyond.get(key, 0) + (value > limit)
        self._most[key] = max(self._most.get(key, 0.0), value)

    def doubts(self) -> Iterator[str]:
        """Why what was measured says less of the system than of the load, each with a remedy."""
        if self._none_left_s is not None:
            yield f"every process that makes load was lost, the last at {show_duration(self._none_left_s)}"
        found = [key for key, beyond in self._beyond.items() if self._is_often(beyond, self._samples[key])]
        for kind, worker in sorted(found):
            share, most = show_ratio(self._beyond[kind, worker] / self._samples[kind, worker]), self._most[kind, worker]
            if kind is Kind.SAMPLE_LOAD_CPU:
                used = f"above {show_ratio(MOST_CPU)} of a core in {share} of its samples, {show_ratio(most)} at most"
                yield f"process {worker} that makes load was the bottleneck: {used} (use more: --processes)"
            else:
                late = f"in {share} of its samples, {show_duration(most)} at most; allowed: {show_duration(self._max_lag_s)}"
                yield f"process {worker} that makes load was late with requests {late} (use more: --processes)"

    @staticmethod
    def _is_often(beyond: int, samples: int) -> bool:
        return beyond >= _LEAST and beyond > MOST_OFTEN * samples
