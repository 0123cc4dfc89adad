"""Labels of processes, sinks and alerts as numbers, and samples that are gathered one by one."""

from typing import Any

import numpy as np

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import NOTHING, Facts, Samples
from soak.runner.judge.violations import Told, note
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats, Ints, make_block
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.indicators import ALERT, FIGURE, PROCESS, SINK
from soak.schemas.systems.pipeline.settings import SOURCE, Pipeline, pipeline_of

_NONE = -1
"""The label of anything else."""


class Parts:
    """Numbers of labels, as `LabelNumbers` has them. It never changes."""

    def __init__(self, scenario: Scenario) -> None:
        pipeline, self._numbers = pipeline_of(scenario), LabelNumbers(scenario)
        part, kinds = self._numbers.part, [label.kind for label in scenario.workload.labels]
        self.names = pipeline.parts
        self.count = len(pipeline.processes)
        """How many processes there are: sinks have the numbers from here on."""
        self.reader = pipeline.reader
        """The number of the process that reads the source."""
        self.behind = _behind(pipeline)
        """By process, the numbers of the sinks that its records go to, through others or not."""
        self._process = np.array([*(part(**{PROCESS: each.name}) for each in pipeline.processes), _NONE])
        self._sink = np.array(
            [
                *([self._of_sink(each.name, kind) for kind in (*kinds, "")] for each in pipeline.sinks),
                [_NONE] * (len(kinds) + 1),
            ]
        )
        self.figures = {figure: part(**{FIGURE: figure}) for figure in ("total", "confirm", "strong_ratio")}
        self.alerts = {rule: part(**{ALERT: rule}) for rule in pipeline.alerts.rules}

    def __deepcopy__(self, memo: dict[int, Any]) -> "Parts":
        return self

    def _of_sink(self, sink: str, kind: str) -> int:
        """The label of a sink and a kind of records; records of a tenant alone have that of the sink."""
        if not kind:
            return self._numbers.part(**{SINK: sink})
        return self._numbers.part(**{SINK: sink, "kind": kind})

    def process(self, worker: Ints, t_s: Floats) -> Ints:
        """The numbers of processes, at these times; of others the number of no label."""
        inside = (worker >= 0) & (worker < self.count)
        return self._numbers.of(self._process[np.where(inside, worker, self.count)], t_s)

    def sink(self, worker: Ints, t_s: Floats, label: Ints | None = None) -> Ints:
        """The numbers of sinks. label: of the stream, where records have one (-1: none)."""
        sinks = len(self._sink) - 1
        place = worker - self.count
        row = np.where((place >= 0) & (place < sinks), place, sinks)
        column = -1 if label is None else np.where(label < self._sink.shape[1] - 1, label, -1)
        return self._numbers.of(self._sink[row, column], t_s)

    def records(self, label: Ints, t_s: Floats) -> Ints:
        """The numbers of records by their label in the stream."""
        return self._numbers.of(label, t_s)

    def one(self, label: int, t_s: float) -> int:
        """The number of one label at a time."""
        return int(self._numbers.of(np.array([label]), np.array([t_s]))[0])

    def of_process(self, number: int, t_s: float) -> int:
        """The number of one process at a time."""
        return self.one(int(self._process[number]), t_s)

    def name(self, worker: int) -> str:
        """The name of a part; empty for anything else."""
        return self.names[worker] if 0 <= worker < len(self.names) else ""


def _behind(pipeline: Pipeline) -> list[list[int]]:
    found = list[list[int]]([] for _ in pipeline.processes)
    for sink in pipeline.sinks:
        stream, way = sink.of, list[int]()
        while stream != SOURCE and (writer := pipeline.writer(stream)) is not None and writer not in way:
            way.append(writer)
            stream = pipeline.processes[writer].reads
        for process in way:
            found[process].append(pipeline.sink(sink.name))
    return found


class Gathered:
    """Samples that come one by one, in time order."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, float, float, int]] = []

    def add(self, t_s: float, value: float, label: int, weight: float = 1.0) -> None:
        """One more. weight: how many observations it stands for."""
        self._rows.append((t_s, value, weight, label))

    def samples(self) -> Samples:
        """All of them."""
        if not self._rows:
            return NOTHING
        t, value, weight, label = np.array(self._rows).T
        return Samples(t, value, weight, label.astype(np.int64))


def note_one(facts: Facts, of: str, t_s: float, label: int, cause: str, told: Told, amount: int = 1) -> None:
    """Note what no event says: something that did not happen, or what is known at the end."""
    if amount:
        block, first = make_block([t_s], [Kind.RUN_ENDED], until_s=t_s), np.zeros(1, dtype=np.int64)
        labels, amounts = np.array([label]), np.array([amount])
        note(facts, of, block, first, cause=cause, told=lambda position: told, label=labels, amount=amounts)
