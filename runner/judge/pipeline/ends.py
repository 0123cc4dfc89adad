"""What is known of sinks and queues at the end, and samples of levels on the way."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from soak.runner.judge.pipeline.parts import Gathered, Parts, note_one
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.violations import Told
from soak.schemas.stream.block import Block, tick
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import Pipeline

LEVELS = {
    "backlog": Kind.SAMPLE_BACKLOG,
    "process_rss": Kind.SAMPLE_PROCESS_RSS,
    "process_open_files": Kind.SAMPLE_PROCESS_OPEN_FILES,
    "process_cpu": Kind.SAMPLE_PROCESS_CPU,
}
"""Samples of processes, by series."""

_FIGURES = {Kind.SINK_TOTAL: "total", Kind.SINK_CONFIRM: "confirm", Kind.SINK_STRONG: "strong"}
_FOLLOWED = kind_flags(*_FIGURES, Kind.RUN_RESUMED, Kind.LEDGER_UNREAD)
_ORDERLY = (Kind.RUN_ENDED, Kind.RUN_DECIDED)


@dataclass(slots=True)
class Figures:
    """What a sink holds of the closed window of records; None where it did not say."""

    total: float | None = None
    confirm: float | None = None
    strong: float | None = None

    @property
    def strong_ratio(self) -> float | None:
        """The share of strong records; None where it is not known or there are no records."""
        return None if self.strong is None or not self.total else self.strong / self.total


class Ends:
    """Follows levels, and what sinks say of themselves at the end."""

    def __init__(self, pipeline: Pipeline, parts: Parts) -> None:
        self._parts = parts
        self.sinks = [Figures() for _ in pipeline.sinks]
        streams = dict.fromkeys(each.of for each in pipeline.sinks)
        alike = [[place for place, sink in enumerate(pipeline.sinks) if sink.of == stream] for stream in streams]
        self._alike = [each for each in alike if len(each) > 1]
        """The sinks of each stream that has several, by their places."""
        self.unread: list[str] = []
        """What ledgers are of that could not be read as the target file says."""
        self.left: list[float | None] = [None] * len(pipeline.processes)
        """By process, the records that waited for it when last looked."""
        self.most = {name: [math.nan] * len(pipeline.processes) for name in LEVELS}
        """The largest sample of each process, by series."""

    def observe(self, block: Block, facts: Facts) -> None:
        """Take in a block."""
        for name, kind in LEVELS.items():
            places = np.flatnonzero(block.kind == kind)
            label = self._parts.process(block.worker[places], block.t[places])
            facts.series[name] = Samples(block.t[places], block.value[places], label=label)
            self._keep(name, block, places)
        places = np.flatnonzero(block.kind == Kind.SAMPLE_FRESHNESS)
        label = self._parts.sink(block.worker[places], block.t[places])
        facts.series["freshness"] = Samples(block.t[places], block.value[places], label=label)
        for place in np.flatnonzero(_FOLLOWED[block.kind]).tolist():
            self._figure(block, place)
        left, differences = Gathered(), Gathered()
        if facts.ended and len(block) and block.kind[-1] in _ORDERLY:
            self._end(facts, left, differences)
        facts.series["left_in_queues"], facts.series["sink_difference"] = left.samples(), differences.samples()

    def _keep(self, name: str, block: Block, places: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> None:
        most = self.most[name]
        for worker in np.unique(block.worker[places]).tolist():
            if 0 <= worker < len(most):
                own = block.value[places[block.worker[places] == worker]]
                most[worker] = float(np.fmax(most[worker], own.max()))
                if name == "backlog":
                    self.left[worker] = float(own[-1])

    def _figure(self, block: Block, place: int) -> None:
        if block.kind[place] == Kind.RUN_RESUMED:
            # What was said last was not of the end.
            self.sinks, self.unread = [Figures() for _ in self.sinks], []
            return
        if block.kind[place] == Kind.LEDGER_UNREAD:
            part = int(block.worker[place])
            self.unread.append(self._parts.names[part] if part >= 0 else "the source")
            return
        number = int(block.worker[place]) - self._parts.count
        if 0 <= number < len(self.sinks):
            setattr(self.sinks[number], _FIGURES[Kind(int(block.kind[place]))], float(block.value[place]))

    def _end(self, facts: Facts, left: Gathered, differences: Gathered) -> None:
        t_s = facts.until_s
        for number, records in enumerate(self.left):
            if records is not None and not self.unread:
                label = self._parts.of_process(number, t_s)
                left.add(t_s, records, label)
                note_one(
                    facts,
                    "left_in_queues",
                    t_s,
                    label,
                    "still waiting",
                    Told(part=self._parts.names[number]),
                    int(records),
                )
        for figure, difference in self._differing():
            differences.add(t_s, tick(difference), self._parts.one(self._parts.figures[figure], t_s))

    def unknown(self, labels: frozenset[int] | None, t_s: float) -> int:
        """Of how many processes with these labels it is not known what waits for them."""
        numbers = [number for number, records in enumerate(self.left) if records is None]
        return sum(labels is None or self._parts.of_process(number, t_s) in labels for number in numbers)

    def _differing(self) -> Iterator[tuple[str, float]]:
        for figure in self._parts.figures:
            for sinks in self._alike:
                difference = apart([getattr(self.sinks[each], figure) for each in sinks])
                if difference is not None:
                    yield figure, difference

    def differences(self) -> dict[str, float]:
        """By how much sinks of one stream differ, by figure: the largest difference."""
        found: dict[str, float] = {}
        for figure, difference in self._differing():
            found[figure] = max(difference, found.get(figure, 0.0))
        return found

    @property
    def counted(self) -> bool:
        """Whether every sink was counted at the end."""
        return all(each.total is not None for each in self.sinks)


def apart(values: list[float | None]) -> float | None:
    """By how much figures of the same records differ, as a share of the largest; None where one is not known."""
    known = [each for each in values if each is not None]
    if not known or len(known) < len(values):
        return None
    most, least = max(known), min(known)
    return (most - least) / most if most > 0 else 0.0
