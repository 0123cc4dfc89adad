"""The records of one process: what waits for it, what it works on, and what becomes of it when the process dies."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.pipeline.settings import SOURCE, Guarantee, Overflow, Process
from soak.simulation.distributions import draw
from soak.simulation.pipeline.flow import NONE, Flow, join
from soak.simulation.pipeline.lindley import Limit, departures, serve
from soak.simulation.pipeline.outputs import Output, Written
from soak.simulation.streams import BLOCK, Stream

_KEPT = 8


class ServiceTimes:
    """How long a process works on each record, by its number: the same whenever it does."""

    def __init__(self, process: Process, seed: int) -> None:
        self._service, self._stream = process.service, Stream(seed, f"service:{process.name}")
        self._kept: dict[int, Floats] = {}

    def of(self, number: Ints) -> Floats:
        """Service times in seconds, by task number."""
        arrival = number >> KEY_SHIFT
        blocks, times_s = arrival // BLOCK, np.empty(len(number))
        for block in np.unique(blocks).tolist():
            inside = blocks == block
            times_s[inside] = self._block(block)[arrival[inside] % BLOCK]
        return times_s

    def _block(self, block: int) -> Floats:
        if block not in self._kept:
            self._kept[block] = draw(self._service, self._stream.at(block), BLOCK)
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return self._kept[block]


@dataclass(frozen=True, slots=True)
class Step:
    """What a process did in a stretch. taken: records it worked on for the first time. written: by output.

    dropped: at its full buffer. output_s: when it first passed on something new after its start; infinite if it did not.
    """

    taken: Flow = NONE
    written: tuple[Written, ...] = ()
    dropped: Flow = NONE
    output_s: float = math.inf


@dataclass(frozen=True, slots=True)
class Losses:
    """What a process lost when it died. whole: records that none of its outputs will have; of_output: more, by output."""

    whole: Flow
    of_output: tuple[Flow, ...] = field(default=())


class Stage:
    """A process as a server of records, each known by its place in the input, counted from the beginning."""

    def __init__(self, process: Process, outputs: Sequence[Output], seed: int) -> None:
        self.process, self.outputs = process, tuple(outputs)
        self.running = False
        """Whether it works: it is healthy and not stopped."""
        self.first = process.reads == SOURCE
        self._awaited = False
        self._cause = NO_CAUSE
        self._times = ServiceTimes(process, seed)
        self._exact = process.guarantee is Guarantee.EXACTLY_ONCE
        limit = process.buffer if self.first and process.overflow is not Overflow.BLOCK else 0
        self._limit = Limit(limit, process.overflow is Overflow.DROP_OLDEST) if limit else None
        self._input, self._place, self._service_s = NONE, np.empty(0, dtype=np.int64), np.empty(0)
        self._coming: list[Flow] = []
        """What has come to the input since it worked last."""
        self._next = 0
        """The place of what comes next to the input."""
        self._worked = 0
        """How many of the input, from its first, it has worked on."""
        self._admitted = 0
        """How many of the others are in its buffer."""
        self._reached = self._checkpoint = 0
        self._until: int | None = None
        self._free_s = self._credit_s = 0.0

    # What waits.

    @property
    def waiting(self) -> int:
        """Records that it has not passed on: in its input, and in the fullest batch of an output."""
        return self.unworked + max((len(output) for output in self.outputs), default=0)

    @property
    def unworked(self) -> int:
        """Records in its input that it has not worked on."""
        return len(self._input) + sum(map(len, self._coming)) - self._worked

    @property
    def reached(self) -> int:
        """The place up to which it has worked on records."""
        return self._reached

    def push(self, flow: Flow) -> None:
        """Records come to its input."""
        if len(flow):
            self._coming.append(flow)
            self._next += len(flow)

    def _take_in(self) -> None:
        """Put what has come to the rest of the input: together, since a process that is down may have much of it."""
        if self._coming:
            flow, self._coming = join(self._coming), []
            self._input = join([self._input, flow])
            self._place = np.concatenate([self._place, np.arange(self._next - len(flow), self._next)])
            self._service_s = np.concatenate([self._service_s, self._times.of(flow.number)])

    @property
    def _at(self) -> int:
        """The place of the record that it works on next."""
        self._take_in()
        return int(self._place[self._worked]) if self._worked < len(self._place) else self._next

    # Work.

    def step(self, from_s: float, until_s: float) -> Step:
        """Work from one instant to another, between which nothing happens to it. Its input is there up to `until_s`."""
        if not self.running:
            return Step()
        self._take_in()
        dropped, finish_s = self._finish(until_s)
        done = int(np.searchsorted(finish_s, until_s, side="right"))
        worked = slice(self._worked, self._worked + done)
        flow, place, finish_s = self._input.take(worked).at(finish_s[:done]), self._place[worked], finish_s[:done]
        if done:
            self._free_s, self._credit_s = float(finish_s[-1]), 0.0
        self._worked += done
        self._admitted = self.unworked
        taken = flow.take(place >= self._reached)
        self._reached = max(self._reached, self._at)
        written = self._write(flow, place, from_s, until_s)
        if self.process.guarantee is Guarantee.AT_LEAST_ONCE:
            self._look_for_checkpoint(finish_s, place, written, (from_s, until_s))
        self._forget()
        return Step(taken, written, dropped, self._first_output(taken, written))

    def _finish(self, until_s: float) -> tuple[Flow, Floats]:
        """What is dropped, and when the rest of the input is done."""
        begin = self._worked
        end = None if self._until is None else int(np.searchsorted(self._place, self._until))
        at_s, service_s = self._input.at_s[begin:end], self._service_s[begin:end]
        if not len(at_s):
            return NONE, at_s
        if self._limit is None:
            return NONE, departures(at_s, service_s, self._free_s)
        served = serve(at_s, service_s, self._free_s, self._limit, self._admitted, until_s)
        if not len(served.dropped):
            return NONE, served.finish_s
        gone = served.dropped + begin
        dropped = self._input.take(gone)
        self._keep(np.delete(np.arange(len(self._input)), gone))
        return dropped, np.delete(served.finish_s, served.dropped)

    def _keep(self, index: Ints | slice) -> None:
        self._input, self._place, self._service_s = (
            self._input.take(index),
            self._place[index],
            self._service_s[index],
        )

    def _write(self, flow: Flow, place: Ints, from_s: float, until_s: float) -> tuple[Written, ...]:
        passing = flow.passing(self.process.passes)
        if not passing.all():
            flow, place = flow.take(passing), place[passing]
        for output in self.outputs:
            output.offer(flow, place, exact=self._exact, cause=self._cause)
        ending = self._until is not None
        return tuple(output.write(from_s, until_s, at_once=ending) for output in self.outputs)

    def _first_output(self, taken: Flow, written: Sequence[Written]) -> float:
        """When it passed on something new for the first time since its start; without a stream to write: worked on it."""
        if not self._awaited:
            return math.inf
        times = [each.flow.at_s[each.flow.first][:1] for each in written] if self.outputs else [taken.at_s[:1]]
        first_s = min((float(each[0]) for each in times if len(each)), default=math.inf)
        self._awaited = math.isinf(first_s)
        return first_s

    def _look_for_checkpoint(
        self, finish_s: Floats, place: Ints, written: Sequence[Written], between_s: tuple[float, float]
    ) -> None:
        """Checkpoints are made at whole multiples of their interval: the last one counts."""
        every_s, (from_s, until_s) = self.process.checkpoint_s, between_s
        at_s = math.floor(until_s / every_s) * every_s
        if at_s <= from_s:
            return
        later = place[np.searchsorted(finish_s, at_s, side="right") :]
        reached = int(later[0]) if len(later) else self._at
        for output, each in zip(self.outputs, written, strict=True):
            unwritten = each.place[np.searchsorted(each.flow.at_s, at_s, side="right") :][:1]
            reached = min(reached, output.first_waiting(reached), *unwritten.tolist())
        self._checkpoint = max(self._checkpoint, reached)

    def _forget(self) -> None:
        """Let go of the input that will not be read again."""
        keep = min((output.first_waiting(self._at) for output in self.outputs), default=self._at)
        if self.process.guarantee is Guarantee.AT_LEAST_ONCE:
            keep = min(keep, self._checkpoint)
        gone = int(np.searchsorted(self._place, keep))
        if gone:
            self._keep(slice(gone, None))
            self._worked -= gone

    # Ends and beginnings.

    def begin(self, now_s: float) -> None:
        """It is healthy, and works from now on: what it reads again takes as long as it did."""
        self._take_in()
        self.running, self._awaited, self._until = True, True, None
        self._free_s, self._credit_s = now_s, 0.0
        begin = self._worked
        self._service_s[begin:] = self._times.of(self._input.number[begin:])
        if self.first:
            # What it had taken from the source comes to its buffer once more.
            at_s = self._input.at_s.copy()
            at_s[begin:] = np.maximum(at_s[begin:], now_s)
            self._input, self._admitted = self._input.at(at_s), 0

    def stop(self, now_s: float) -> None:
        """It stands still: what it has done of the record in service stays done."""
        self._take_in()
        if self.unworked:
            started_s = max(self._free_s, float(self._input.at_s[self._worked]))
            self._credit_s = max(0.0, now_s - started_s)
        self.running = False

    def go_on(self, now_s: float) -> None:
        """It goes on where it stood still."""
        self._take_in()
        if self.unworked and self._credit_s:
            self._service_s[self._worked] = max(0.0, self._service_s[self._worked] - self._credit_s)
        self._free_s, self._credit_s, self.running = now_s, 0.0, True

    def end(self) -> None:
        """It is to end: it works off what is there, writes every batch at once, and takes nothing more."""
        self._take_in()
        self._until = self._next

    @property
    def ended_s(self) -> float:
        """When it has worked off what is there, if nothing happens to it."""
        self._take_in()
        at_s, service_s = self._input.at_s[self._worked :], self._service_s[self._worked :]
        return float(departures(at_s, service_s, self._free_s)[-1]) if len(at_s) else self._free_s

    @property
    def ended(self) -> bool:
        """Whether it has worked off what was there and written everything."""
        return self._until is not None and self._at >= self._until and not any(map(len, self.outputs))

    def finish(self) -> None:
        """It has ended as it should: nothing of what it did is read again."""
        self.running = False
        self._checkpoint = self._at
        self._forget()

    def die(self, now_s: float, cause: int, *, resume: bool) -> Losses:
        """It is dead, and goes on later as it guarantees. resume: whether the source sends again what it had taken from it."""
        self._take_in()
        self.running, self._cause, self._credit_s = False, cause, 0.0
        discarded = tuple(output.discard() for output in self.outputs)
        if self.process.guarantee is Guarantee.AT_MOST_ONCE or (self.first and not resume):
            return self._lose(now_s, discarded, whole=self.first and (self._limit is not None or not resume))
        held = min((output.held for output in self.outputs), default=self._at)
        goes_on = held if self._exact else self._checkpoint
        # Records that it does not pass on may have been let go of already.
        self._worked = min(self._worked, int(np.searchsorted(self._place, goes_on)))
        return Losses(NONE)

    def _lose(self, now_s: float, discarded: tuple[Flow, ...], *, whole: bool) -> Losses:
        """One record is in service and the buffer holds as many as fit: the rest is still in its stream."""
        held = self.unworked if whole else min(self.unworked, self.process.buffer + 1)
        lost = self._input.take(slice(self._worked, self._worked + held))
        self._worked += held
        self._reached = max(self._reached, self._at)
        self._checkpoint = self._at
        for output in self.outputs:
            output.held = max(output.held, self._at)
        self._forget()
        return Losses(lost.take(lost.first), tuple(each.take(each.first) for each in discarded))
