"""What the source sends, and what of it waits there, or is missed, while nobody reads."""

from collections.abc import Iterator

import numpy as np

from soak.simulation.pipeline.content import Content
from soak.simulation.pipeline.flow import FIRST, LOW, NONE, STRONG, Flow, join
from soak.simulation.plan import Plan, Submissions


class Source:
    """Sends the records of a plan when they are due. resume: whether what nobody reads waits; otherwise it is missed."""

    def __init__(self, plan: Plan, *, resume: bool) -> None:
        self._plan, self._resume = plan, resume
        self._chunks: Iterator[Submissions] = iter(plan.submissions())
        self._content = Content(plan)
        self._drawn, self._ended = NONE, False
        self._held: list[Flow] = []
        self._left: int | None = None
        """How many wait here, where nobody will ever read them."""
        self.connected = True
        """Whether there is a connection to the reader."""
        self.read = True
        """Whether the reader reads from the connection."""
        self.last_s = 0.0
        """When a record was sent last."""
        self.missed = 0
        """Records that were sent while there was no connection, since the last one was made."""

    @property
    def waiting(self) -> int:
        """Records that wait here."""
        return sum(map(len, self._held)) if self._left is None else self._left

    def send(self, until_s: float) -> tuple[Flow, Flow]:
        """What is sent before `until_s`, and what of it reaches the reader."""
        sent = self._draw(until_s)
        if len(sent):
            self.last_s = float(sent.sent_s[-1])
        if self.connected and self.read:
            return sent, sent
        if self._left is not None:
            self._left += len(sent) if self._resume else 0
            self.missed += 0 if self._resume else len(sent)
        elif self.connected or self._resume:
            self._held.append(sent)
        else:
            self.missed += len(sent)
        return sent, NONE

    def take(self, now_s: float) -> Flow:
        """What waits here, for a reader that reads from now on."""
        held, self._held = join(self._held), []
        return held.at(np.maximum(held.at_s, now_s))

    def disconnect(self) -> None:
        """The connection is closed. What was on its way is sent again, or missed."""
        self.connected = False
        if not self._resume:
            self.missed += self.waiting
            self._held = []

    def give_up(self) -> None:
        """Nobody will ever read: only how much waits here counts."""
        self._left, self._held = self.waiting, []

    def last_before(self, until_s: float) -> float:
        """When a record was sent last by then, also if it has not been asked for yet."""
        while not self._ended and not (len(self._drawn) and self._drawn.sent_s[-1] > until_s):
            self._more()
        cut = int(np.searchsorted(self._drawn.sent_s, until_s, side="right"))
        return float(self._drawn.sent_s[cut - 1]) if cut else self.last_s

    def _draw(self, until_s: float) -> Flow:
        self.last_before(until_s)
        # What happens at an instant happens to the records that are due then.
        cut = int(np.searchsorted(self._drawn.sent_s, until_s, side="left"))
        sent, self._drawn = self._drawn.take(slice(0, cut)), self._drawn.take(slice(cut, None))
        return sent

    def _more(self) -> None:
        chunk = next(self._chunks, None)
        if chunk is None:
            self._ended = True
            return
        records = self._content.of(chunk.number, chunk.due_s)
        marks = records.strong * STRONG + records.low_consistency * LOW
        label = self._plan.labels_of(chunk.number)
        again = np.full(len(chunk), FIRST)
        self._drawn = join([self._drawn, Flow(chunk.number, chunk.due_s, chunk.due_s, label, marks, again)])
