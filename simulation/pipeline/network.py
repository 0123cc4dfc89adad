"""Processes and sinks joined by streams, through which records go from instant to instant."""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from soak.schemas.stream.block import Bools
from soak.schemas.systems.pipeline.settings import SOURCE, Pipeline
from soak.simulation.pipeline.flow import Flow
from soak.simulation.pipeline.ledger import Ledger
from soak.simulation.pipeline.outputs import Output
from soak.simulation.pipeline.source import Source
from soak.simulation.pipeline.stage import Losses, Stage, Step


class Reached(Struct, frozen=True):
    """A sink that the records of a process reach if they pass these filters."""

    sink: int
    passing: Callable[[Flow], Bools]


class Network:
    """The flow of records. `advance` has to be called before anything changes."""

    def __init__(self, pipeline: Pipeline, source: Source, seed: int, ledger: Ledger) -> None:
        self._pipeline, self.source, self._ledger = pipeline, source, ledger
        self.stages = [Stage(process, self._outputs(process.writes), seed) for process in pipeline.processes]
        self.outputs = {output.number: output for stage in self.stages for output in stage.outputs}
        self._readers = {
            number: [place for place, each in enumerate(pipeline.processes) if each.reads == process.writes]
            for number, process in enumerate(pipeline.processes)
        }
        self._order = list(self._downstream(pipeline.reader))
        self._now_s = 0.0

    def _outputs(self, stream: str) -> list[Output]:
        """The sinks of a stream, of which its readers follow the first; a stream without one is written at once."""
        if not stream:
            return []
        sinks = [each for each in self._pipeline.sinks if each.of == stream]
        return [Output(self._pipeline.sink(each.name), each.rows, each.every_s) for each in sinks] or [Output()]

    def _downstream(self, number: int) -> Iterator[int]:
        """A process and those behind it, each after the one that it reads from."""
        yield number
        for reader in self._readers[number] if self._pipeline.processes[number].writes else ():
            yield from self._downstream(reader)

    def advance(self, now_s: float) -> None:
        """Let records flow up to an instant."""
        if now_s <= self._now_s:
            return
        from_s, self._now_s = self._now_s, now_s
        sent, reaches = self.source.send(now_s)
        self._ledger.sent(sent)
        self.stages[self._order[0]].push(reaches)
        for number in self._order:
            self._pass_on(number, self.stages[number].step(from_s, now_s))

    def _pass_on(self, number: int, step: Step) -> None:
        if step.written:
            for reader in self._readers[number]:
                self.stages[reader].push(step.written[0].flow)
        self._ledger.worked(number, step, [output.number for output in self.stages[number].outputs])

    def connect(self, now_s: float, cause: int) -> None:
        """The reader of the source reads from now on, first what waited for it, and for what cause it did."""
        if self.source.connected and self.source.read:
            self._ledger.behind = cause
            self.stages[self._order[0]].push(self.source.take(now_s))

    @property
    def empty(self) -> bool:
        """Whether nothing waits anywhere."""
        return not any(self.waiting(number) for number in range(len(self.stages)))

    def waiting(self, number: int) -> int:
        """Records that wait for a process, wherever they are."""
        stage = self.stages[number]
        return stage.waiting + (self.source.waiting if stage.process.reads == SOURCE else 0)

    def lost(self, number: int, losses: Losses) -> Iterator[tuple[int, int]]:
        """How many records each sink will never have, after a process lost them."""
        for reached in self._reached(number, ()):
            count = int(reached.passing(losses.whole).sum())
            for place, flow in enumerate(losses.of_output):
                output = self.stages[number].outputs[place]
                if output.number == reached.sink or (place == 0 and reached.sink not in self._own(number)):
                    count += int(reached.passing(flow).sum())
            if count:
                yield reached.sink, count

    def _own(self, number: int) -> set[int]:
        return {output.number for output in self.stages[number].outputs}

    def _reached(self, number: int, before: Sequence[int]) -> Iterator[Reached]:
        path = (*before, number)
        filters = [self._pipeline.processes[each].passes for each in path]

        def passing(flow: Flow) -> Bools:
            passed = flow.passing(filters[0])
            for each in filters[1:]:
                passed &= flow.passing(each)
            return passed

        for output in self.stages[number].outputs:
            if output.number >= 0:
                yield Reached(output.number, passing)
        if self._pipeline.processes[number].writes:
            for reader in self._readers[number]:
                yield from self._reached(reader, path)
