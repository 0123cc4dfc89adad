"""What a process has still to work on, or may have to read again: with the place and the service time of each record."""

import numpy as np

from soak.schemas.stream.block import Floats, Ints
from soak.schemas.stream.events import KEY_SHIFT
from soak.schemas.systems.pipeline.settings import Process
from soak.simulation.distributions import draw
from soak.simulation.pipeline.flow import NONE, Flow, join
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


class Inbox:
    """Records in order. Those at hand are in arrays; what comes is added to them when it is needed: a process that is behind may
    have much of it.
    """

    def __init__(self, times: ServiceTimes) -> None:
        self._times = times
        self.flow, self.place, self.service_s = NONE, np.empty(0, dtype=np.int64), np.empty(0)
        self._coming: list[Flow] = []
        self.next = 0
        """The place of what comes next."""
        self.worked = 0
        """How many of those at hand, from the first, the process has worked on."""
        self._left: int | None = None
        """How many there are, where nobody will ever work on them."""

    @property
    def unworked(self) -> int:
        """Records that it has not worked on."""
        if self._left is not None:
            return self._left
        return len(self.place) - self.worked + sum(map(len, self._coming))

    @property
    def at(self) -> int:
        """The place of the record that it works on next."""
        if self.worked < len(self.place):
            return int(self.place[self.worked])
        return self.next - sum(map(len, self._coming))

    def push(self, flow: Flow) -> None:
        """Records come."""
        if self._left is not None:
            self._left += len(flow)
        elif len(flow):
            self._coming.append(flow)
            self.next += len(flow)

    def take(self, flows: int | None = None) -> bool:
        """Have more at hand: all that has come, or the first of it; whether there was any."""
        chunks = self._coming[:flows]
        if not chunks:
            return False
        begin = self.next - sum(map(len, self._coming))
        self._coming = self._coming[len(chunks) :]
        flow = join(chunks)
        self.flow = join([self.flow, flow])
        self.place = np.concatenate([self.place, np.arange(begin, begin + len(flow))])
        self.service_s = np.concatenate([self.service_s, self._times.of(flow.number)])
        return True

    def head(self) -> bool:
        """Have the next record at hand; whether there is one."""
        return self.worked < len(self.place) or self.take(1)

    def keep(self, index: Ints | slice) -> None:
        """Keep some of those at hand."""
        self.flow, self.place, self.service_s = self.flow.take(index), self.place[index], self.service_s[index]

    def forget(self, before: int) -> None:
        """Let go of what is before a place."""
        gone = int(np.searchsorted(self.place, before))
        if gone:
            self.keep(slice(gone, None))
            self.worked -= gone

    def again(self, place: int) -> None:
        """Go back to a place, or to the first that is at hand."""
        self.worked = min(self.worked, int(np.searchsorted(self.place, place)))

    def draw_again(self) -> None:
        """Each record takes its whole time once more."""
        self.service_s[self.worked :] = self._times.of(self.flow.number[self.worked :])

    def give_up(self) -> None:
        """Nobody will ever work on it: only how much it is counts."""
        self._left = self.unworked
        self.keep(slice(0, 0))
        self.worked, self._coming = 0, []
