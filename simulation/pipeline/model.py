"""Records that flow through processes: the model of the system `pipeline`."""

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
from simpy import Environment

from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.events import CENSUS, Kind
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.losses import put_losses
from soak.simulation.pipeline.stretches import counted, stored
from soak.simulation.plan import Plan, Submissions
from soak.simulation.recorder import Recorder


class PipelineModel:
    """Turns a plan into events; `ended_s` is when everything was over after the end of arrivals."""

    def __init__(self, env: Environment, plan: Plan, recorder: Recorder) -> None:
        self._env, self._plan, self._row = env, plan, recorder.row
        self._pipeline = pipeline_of(plan.scenario)
        self._chunks: Iterator[Submissions] = iter(plan.submissions())
        self._waiting: Submissions | None = None
        self.ended_s: float | None = None
        put_losses(env, plan, recorder)
        env.process(self._flow())

    def run(self, until_s: float) -> None:
        """Let everything happen that comes before `until_s`."""
        self._env.run(until=until_s)

    def census(self, now: float) -> None:
        """There are no tasks; what is left of records is told by samples."""
        for kind in CENSUS.values():
            self._row((now, kind, -1, 0, -1, 0, 0))

    def _flow(self) -> Generator[Any, Any, None]:
        every_s = self._plan.scenario.telemetry.sample_interval_s
        while self.ended_s is None:
            yield self._env.timeout(every_s)
            self._stretch(self._env.now)
            if self._env.now >= self._plan.ends_s:
                self.ended_s = self._env.now

    def _stretch(self, until_s: float) -> None:
        due, number = self._take(until_s)
        label = self._plan.labels_of(number)
        rows = counted(until_s, Kind.RECORDS_SENT, number, label)
        for sink in range(len(self._pipeline.sinks)):
            rows += stored(due, np.zeros(len(due)), number, label, len(self._pipeline.processes) + sink)
        for row in sorted(rows, key=lambda each: each[0]):
            self._row(row)

    def _take(self, until_s: float) -> tuple[Floats, Ints]:
        due, number = [], []
        while True:
            chunk = self._waiting or next(self._chunks, None)
            if chunk is None:
                break
            cut = int(np.searchsorted(chunk.due_s, until_s, side="right"))
            due.append(chunk.due_s[:cut])
            number.append(chunk.number[:cut])
            self._waiting = chunk.take(slice(cut, None)) if cut < len(chunk) else None
            if self._waiting:
                break
        if not due:
            return np.empty(0), np.empty(0, dtype=np.int64)
        return np.concatenate(due), np.concatenate(number)
