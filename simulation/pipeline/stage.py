"""The records of one process: what waits for it, what it works on, and what becomes of it when the process dies."""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct, field

from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.pipeline.settings import SOURCE, Guarantee, Overflow, Process
from soak.simulation.pipeline.flow import NONE, Flow
from soak.simulation.pipeline.inbox import Inbox, ServiceTimes
from soak.simulation.pipeline.lindley import Limit, departures, serve
from soak.simulation.pipeline.outputs import Output, Written


class Step(Struct, frozen=True):
    """What a process did in a stretch. taken: records it worked on for the first time. written: by output.

    dropped: at its full buffer. output_s: when it first passed on something new after its start; infinite if it did not.
    """

    taken: Flow = NONE
    written: tuple[Written, ...] = ()
    dropped: Flow = NONE
    output_s: float = math.inf


class Losses(Struct, frozen=True):
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
        self._inbox = Inbox(ServiceTimes(process, seed))
        self._exact = process.guarantee is Guarantee.EXACTLY_ONCE
        limit = process.buffer if self.first and process.overflow is not Overflow.BLOCK else 0
        self._limit = Limit(limit, process.overflow is Overflow.DROP_OLDEST) if limit else None
        self._admitted = 0
        """How many records that it has not worked on are in its buffer already."""
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
        return self._inbox.unworked

    @property
    def reached(self) -> int:
        """The place up to which it has worked on records."""
        return self._reached

    def push(self, flow: Flow) -> None:
        """Records come to its input."""
        self._inbox.push(flow)

    # Work.

    def step(self, from_s: float, until_s: float) -> Step:
        """Work from one instant to another, between which nothing happens to it. Its input is there up to `until_s`."""
        if not self.running:
            return Step()
        inbox = self._inbox
        dropped, finish_s = self._finish(until_s)
        done = int(np.searchsorted(finish_s, until_s, side="right"))
        worked = slice(inbox.worked, inbox.worked + done)
        flow, place, finish_s = inbox.flow.take(worked).at(finish_s[:done]), inbox.place[worked], finish_s[:done]
        if done:
            self._free_s, self._credit_s = float(finish_s[-1]), 0.0
        inbox.worked += done
        self._admitted = inbox.unworked
        taken = flow.take(place >= self._reached)
        self._reached = max(self._reached, inbox.at)
        written = self._write(flow, place, from_s, until_s)
        if self.process.guarantee is Guarantee.AT_LEAST_ONCE:
            self._look_for_checkpoint(finish_s, place, written, (from_s, until_s))
        self._forget()
        return Step(taken, written, dropped, self._first_output(taken, written))

    def _finish(self, until_s: float) -> tuple[Flow, Floats]:
        """What is dropped, and when the rest of the input is done: as much of it as is known to be done by `until_s`."""
        if self._limit is not None:
            return self._drop(self._limit, until_s)
        more = 1
        while True:
            begin, end = self._to_do()
            finish_s = departures(self._inbox.flow.at_s[begin:end], self._inbox.service_s[begin:end], self._free_s)
            last = end - begin - 1
            if end < len(self._inbox.place) or (last >= 0 and finish_s[last] > until_s) or not self._inbox.take(more):
                return NONE, finish_s
            more *= 2

    def _to_do(self) -> tuple[int, int]:
        """Which of the records at hand it is to work on."""
        place = self._inbox.place
        return self._inbox.worked, len(place) if self._until is None else int(np.searchsorted(place, self._until))

    def _drop(self, limit: Limit, until_s: float) -> tuple[Flow, Floats]:
        inbox = self._inbox
        inbox.take()
        begin, end = self._to_do()
        served = serve(
            inbox.flow.at_s[begin:end], inbox.service_s[begin:end], self._free_s, limit, self._admitted, until_s
        )
        if not len(served.dropped):
            return NONE, served.finish_s
        gone = served.dropped + begin
        # What is read again and was written before is missing nowhere.
        held = min((output.held for output in self.outputs), default=0)
        dropped = inbox.flow.take(gone[inbox.place[gone] >= held])
        inbox.keep(np.delete(np.arange(len(inbox.place)), gone))
        return dropped, np.delete(served.finish_s, served.dropped)

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
        reached = int(later[0]) if len(later) else self._inbox.at
        for output, each in zip(self.outputs, written, strict=True):
            unwritten = each.place[np.searchsorted(each.flow.at_s, at_s, side="right") :][:1]
            reached = min(reached, output.first_waiting(reached), *unwritten.tolist())
        self._checkpoint = max(self._checkpoint, reached)

    def _forget(self) -> None:
        """Let go of the input that will not be read again."""
        at = self._inbox.at
        keep = min((output.first_waiting(at) for output in self.outputs), default=at)
        self._inbox.forget(min(keep, self._checkpoint) if self.process.guarantee is Guarantee.AT_LEAST_ONCE else keep)

    # Ends and beginnings.

    def begin(self, now_s: float) -> None:
        """It is healthy, and works from now on: what it reads again takes as long as it did."""
        self.running, self._awaited, self._until = True, True, None
        self._free_s, self._credit_s = now_s, 0.0
        inbox = self._inbox
        inbox.draw_again()
        if self.first:
            # What it had taken from the source comes to its buffer once more.
            inbox.take()
            at_s = inbox.flow.at_s.copy()
            at_s[inbox.worked :] = np.maximum(at_s[inbox.worked :], now_s)
            inbox.flow, self._admitted = inbox.flow.at(at_s), 0

    def stop(self, now_s: float) -> None:
        """It stands still: what it has done of the record in service stays done."""
        if self._inbox.head():
            started_s = max(self._free_s, float(self._inbox.flow.at_s[self._inbox.worked]))
            self._credit_s = max(0.0, now_s - started_s)
        self.running = False

    def go_on(self, now_s: float) -> None:
        """It goes on where it stood still."""
        if self._credit_s and self._inbox.head():
            left_s = self._inbox.service_s[self._inbox.worked] - self._credit_s
            self._inbox.service_s[self._inbox.worked] = max(0.0, left_s)
        self._free_s, self._credit_s, self.running = now_s, 0.0, True

    def end(self) -> None:
        """It is to end: it works off what is there, writes every batch at once, and takes nothing more."""
        self._until = self._inbox.next

    @property
    def ended_s(self) -> float:
        """When it has worked off what is there, if nothing happens to it."""
        self._inbox.take()
        begin, end = self._to_do()
        finish_s = departures(self._inbox.flow.at_s[begin:end], self._inbox.service_s[begin:end], self._free_s)
        return float(finish_s[-1]) if len(finish_s) else self._free_s

    @property
    def ended(self) -> bool:
        """Whether it has worked off what was there and written everything."""
        return self._until is not None and self._inbox.at >= self._until and not any(map(len, self.outputs))

    def finish(self) -> None:
        """It has ended as it should: nothing of what it did is read again."""
        self.running = False
        self._checkpoint = self._inbox.at
        self._forget()

    def die(self, cause: int, *, resume: bool) -> Losses:
        """It is dead, and goes on later as it guarantees. resume: whether the source sends again what it had taken from it."""
        self.running, self._cause, self._credit_s = False, cause, 0.0
        discarded = tuple(output.discard() for output in self.outputs)
        if self.process.guarantee is Guarantee.AT_MOST_ONCE or (self.first and not resume):
            return self._lose(discarded, whole=self.first and (self._limit is not None or not resume))
        held = min((output.held for output in self.outputs), default=self._inbox.at)
        # Records that it does not pass on may have been let go of already.
        self._inbox.again(held if self._exact else self._checkpoint)
        return Losses(NONE)

    def give_up(self) -> None:
        """It is never started again: of what waits for it, only how much it is counts."""
        self._inbox.give_up()

    def _lose(self, discarded: tuple[Flow, ...], *, whole: bool) -> Losses:
        """One record is in service and the buffer holds as many as fit: the rest is still in its stream."""
        inbox = self._inbox
        inbox.take()
        held = inbox.unworked if whole else min(inbox.unworked, self.process.buffer + 1)
        lost = inbox.flow.take(slice(inbox.worked, inbox.worked + held))
        inbox.worked += held
        self._reached = max(self._reached, inbox.at)
        self._checkpoint = inbox.at
        self._forget()
        return Losses(lost.take(lost.first), tuple(each.take(each.first) for each in discarded))
