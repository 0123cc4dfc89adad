"""Records on their way: how many were sent, stored and lost, and how long they took."""

import numpy as np

from soak.runner.judge.histogram import Histogram
from soak.runner.judge.pipeline.parts import Parts
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.stream.block import Block, quantise
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import SOURCE, Passes, Pipeline

_OF_SINK = {"lost": Kind.RECORDS_LOST, "duplicates": Kind.RECORDS_DUPLICATED, "phantoms": Kind.RECORDS_PHANTOM}
_OF_PROCESS = {"dropped": Kind.RECORDS_DROPPED, "missed": Kind.RECORDS_MISSED}


class Flow:
    """Counts records, by sink and process, and keeps how long they took to each sink."""

    def __init__(self, pipeline: Pipeline, parts: Parts) -> None:
        self._parts, sinks = parts, len(pipeline.sinks)
        self.sent = 0
        self.stored = np.zeros(sinks, dtype=np.int64)
        self.counts = {name: np.zeros(sinks, dtype=np.int64) for name in _OF_SINK}
        """By name, of each sink."""
        self.on_the_way = {name: np.zeros(len(pipeline.processes), dtype=np.int64) for name in _OF_PROCESS}
        """By name, of each process."""
        self.expected: list[int | None] = [None] * sinks
        """How many records have to get to each sink, where that is said."""
        self.told: dict[str, set[int]] = {name: set() for name in _OF_SINK}
        """By name, the sinks of which something was said, be it 0."""
        self.latency = [Histogram() for _ in range(sinks)]

    def observe(self, block: Block, facts: Facts) -> None:
        """Take in a block."""
        sent = np.flatnonzero(block.kind == Kind.RECORDS_SENT)
        value, t = block.value[sent], block.t[sent]
        self.sent += int(value.sum())
        facts.series["records_sent"] = Samples(t, value, value, self._parts.records(block.label[sent], t))
        self._stored(block, facts)
        for counts, kinds, first in ((self.counts, _OF_SINK, self._parts.count), (self.on_the_way, _OF_PROCESS, 0)):
            for name, kind in kinds.items():
                places = np.flatnonzero(block.kind == kind)
                number = block.worker[places] - first
                inside = (number >= 0) & (number < len(counts[name]))
                if counts is self.counts:
                    self.told[name].update(number[inside].tolist())
                np.add.at(counts[name], number[inside], block.value[places][inside].astype(np.int64))

        for place in np.flatnonzero(block.kind == Kind.SINK_EXPECTED).tolist():
            sink = int(block.worker[place]) - self._parts.count
            if 0 <= sink < len(self.expected):
                self.expected[sink] = int(block.value[place])

    def lost(self, sink: int) -> int:
        """How many records a sink will never have, with those that a process on the way there missed."""
        missed = self.on_the_way["missed"]
        on_the_way = sum(
            int(missed[each]) for each, sinks in enumerate(self._parts.behind) if self._parts.count + sink in sinks
        )
        return int(self.counts["lost"][sink]) + on_the_way

    def _stored(self, block: Block, facts: Facts) -> None:
        stored = np.flatnonzero(block.kind == Kind.RECORDS_STORED)
        count = block.attempt[stored]
        worker, label, t = block.worker[stored], block.label[stored], block.t[stored]
        first = worker == self._parts.count
        number = count[first].astype(np.float64)
        facts.series["records"] = Samples(t[first], number, number, self._parts.records(label[first], t[first]))
        # Quantiles are of records, not of events.
        latency = np.repeat(block.value[stored], count)
        sent_s = quantise(t - block.value[stored])
        labels = np.repeat(self._parts.sink(worker, sent_s, label), count)
        facts.series["latency"] = Samples(np.repeat(t, count), latency, label=labels)
        sink = worker - self._parts.count
        for place, histogram in enumerate(self.latency):
            own = sink == place
            self.stored[place] += int(count[own].sum())
            histogram.add(np.repeat(block.value[stored][own], count[own]))


def way_to(pipeline: Pipeline, sink: int) -> tuple[list[int], bool]:
    """The processes through which the records of a sink go, and whether all of them pass everything on."""
    way, stream, whole = list[int](), pipeline.sinks[sink].of, True
    while stream != SOURCE:
        writer = pipeline.writer(stream)
        if writer is None or writer in way:
            break
        way.append(writer)
        whole &= pipeline.processes[writer].passes is Passes.ALL
        stream = pipeline.processes[writer].reads
    return way, whole
