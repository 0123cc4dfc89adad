"""What the model records: events as they happen, and records in stretches of a sample interval."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from soak.schemas.stream.block import tick
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.pipeline.settings import Guarantee, Passes, Pipeline
from soak.simulation.pipeline.flow import Flow, join
from soak.simulation.pipeline.stage import Step
from soak.simulation.pipeline.stretches import StretchRow, counted, stored
from soak.simulation.recorder import Recorder

NOBODY = -1


@dataclass(slots=True)
class SinkTally:
    """What a sink holds, with what is in it twice. newest_s: when its newest record was sent; infinite without any."""

    total: int = 0
    strong: int = 0
    confirmed: int = 0
    newest_s: float = -math.inf
    stretch: list[Flow] = field(default_factory=list)


class Ledger:
    """Collects rows and hands them to the recorder in time order, complete up to a time."""

    def __init__(
        self, pipeline: Pipeline, recorder: Recorder, names: Sequence[int], followers: Sequence[Callable[[Flow], None]]
    ) -> None:
        """names: of the processes, in the vocabulary. followers: are shown what the first sink holds more."""
        self._pipeline, self._recorder, self._names, self._followers = pipeline, recorder, names, followers
        self._rows: list[StretchRow] = []
        self._sent: list[Flow] = []
        self._taken: list[list[Flow]] = [[] for _ in pipeline.processes]
        self._orders = dict.fromkeys(pipeline.places_orders, 0)
        self._first_sink = len(pipeline.processes)
        self.sinks = {self._first_sink + place: SinkTally() for place in range(len(pipeline.sinks))}
        self.records_sent = 0
        self.sent_like = dict.fromkeys(Passes, 0)
        """How many of them a process that passes only such records on lets through."""
        self.dropping = NO_CAUSE
        """The cause for which more records come than usual."""
        self.behind = NO_CAUSE
        """The cause for which the reader got records together that had waited for it, until it drops none."""

    def row(self, t_s: float, kind: Kind, *, worker: int = NOBODY, cause: int = NO_CAUSE, value: float = 0.0) -> None:
        """Record an event."""
        self._rows.append((t_s, int(kind), -1, 0, worker, cause, value))

    def process(self, t_s: float, kind: Kind, number: int, cause: int = NO_CAUSE) -> None:
        """Record what happened to a process."""
        self.row(t_s, kind, worker=number, cause=cause, value=self._names[number])

    # Records.

    def sent(self, flow: Flow) -> None:
        """The source sent records."""
        self.records_sent += len(flow)
        self.sent_like[Passes.ALL] += len(flow)
        self.sent_like[Passes.STRONG] += int(flow.strong.sum())
        self.sent_like[Passes.CONFIRMED] += int(flow.confirmed.sum())
        if len(flow):
            self._sent.append(flow)

    def worked(self, number: int, step: Step, sinks: Sequence[int]) -> None:
        """A process worked. sinks: the numbers of its outputs."""
        if len(step.taken):
            self._taken[number].append(step.taken)
        if math.isfinite(step.output_s):
            self.process(step.output_s, Kind.PROCESS_OUTPUT, number)
        if dropped := len(step.dropped):
            last_s = float(step.dropped.at_s[-1])
            cause = self.behind or self.dropping
            self.row(last_s, Kind.RECORDS_DROPPED, worker=number, cause=cause, value=dropped)
        elif len(step.taken) and number == self._pipeline.reader:
            self.behind = NO_CAUSE
        for sink, written in zip(sinks, step.written, strict=True) if step.written else ():
            if not len(written.flow):
                continue
            if sink >= 0:
                self._stored(sink, written.flow)
            elif number in self._orders:
                self._placed(number, written.flow)

    def _stored(self, sink: int, flow: Flow) -> None:
        tally = self.sinks[sink]
        tally.total += len(flow)
        tally.strong += int(flow.strong.sum())
        tally.confirmed += int(flow.confirmed.sum())
        tally.newest_s = max(tally.newest_s, float(flow.sent_s.max()))
        first = self._without_known(Kind.RECORDS_DUPLICATED, sink, flow)
        if len(first):
            tally.stretch.append(first)
            if sink == self._first_sink:
                for show in self._followers:
                    show(first)

    def _placed(self, number: int, flow: Flow) -> None:
        if self._pipeline.processes[number].guarantee is Guarantee.EXACTLY_ONCE:
            # An order has the key of its record: placed once more, it is the same order.
            flow = flow.take(flow.first)
        self._orders[number] += len(self._without_known(Kind.ORDERS_DUPLICATED, number, flow))

    def _without_known(self, kind: Kind, worker: int, flow: Flow) -> Flow:
        """Those that are there for the first time; the others are recorded by cause."""
        first = flow.first
        if first.all():
            return flow
        for cause in np.unique(flow.again[~first]).tolist():
            these = flow.again == cause
            last_s = float(flow.at_s[these][-1])
            self.row(last_s, kind, worker=worker, cause=cause, value=int(these.sum()))
        return flow.take(first)

    def stretch(self, now_s: float) -> None:
        """A stretch ends: record what it brought."""
        self._rows += self._counted(now_s, Kind.RECORDS_SENT, self._sent, NOBODY)
        for number, flows in enumerate(self._taken):
            self._rows += self._counted(now_s, Kind.RECORDS_TAKEN, flows, number)
        for sink, tally in self.sinks.items():
            if tally.stretch:
                flow = join(tally.stretch)
                self._rows += stored(flow.at_s, flow.at_s - flow.sent_s, flow.number, flow.label, sink)
                tally.stretch.clear()
        for number, orders in self._orders.items():
            if orders:
                self.row(now_s, Kind.ORDERS_PLACED, worker=number, value=orders)
                self._orders[number] = 0

    @staticmethod
    def _counted(now_s: float, kind: Kind, flows: list[Flow], worker: int) -> Iterator[StretchRow]:
        if flows:
            flow = join(flows)
            flows.clear()
            yield from counted(now_s, kind, flow.number, flow.label, worker)

    # Handing out.

    def flush(self, until_s: float) -> None:
        """Hand out what happened before `until_s`."""
        self._rows.sort(key=lambda row: tick(row[0]))
        cut = next((place for place, row in enumerate(self._rows) if tick(row[0]) >= until_s), len(self._rows))
        for row in self._rows[:cut]:
            self._recorder.row(row)
        del self._rows[:cut]
