"""Requests that arrive at a rate: each is sent when it is due, however many are open."""

from typing import TYPE_CHECKING

import gevent
import numpy as np
from gevent.event import Event
from gevent.lock import BoundedSemaphore

from soak.runner.load.client import Client
from soak.runner.load.frames import Message
from soak.runner.load.shares import Share, mine
from soak.schemas.stream.block import Floats, Ints
from soak.simulation.plan import Submissions

if TYPE_CHECKING:
    from soak.runner.load.sender import Sender


class ArrivalSource:
    """The arrivals of a process. At most `order.most_open` are open: then the next ones are late, which is told as lag."""

    def __init__(self, sender: "Sender") -> None:
        self._sender = sender
        self._shares = list(sender.part.shares)
        self._slots = BoundedSemaphore(sender.order.most_open)
        self._idle: list[Client] = []
        self._changed = Event()
        self._chunks = (chunk for chunk in sender.plan.submissions() if len(chunk))
        self._ahead = next(self._chunks, None)
        self.over = False

    def start(self) -> None:
        """Begin to send."""
        gevent.spawn(self._send_all)

    def take_over(self, message: Message) -> None:
        """Send more: shares that a lost process had, and single arrivals that it did not send, each with a new time."""
        self._shares += [Share(*each) for each in message["shares"]]
        self._changed.set()
        if message["late"]:
            gevent.spawn(self._send_late, message["late"])

    def _send_late(self, late: list[tuple[float, int]]) -> None:
        for due_s, number in late:
            self._sender.wait_until(due_s)
            self._send(number, due_s)

    def _send_all(self) -> None:
        while (chunk := self._ahead) is not None:
            # The next one is drawn before its time comes, and not begun before this one is over: the shares may change.
            self._ahead = next(self._chunks, None)
            self._send_chunk(chunk)
        self.over = True

    def _send_chunk(self, chunk: Submissions) -> None:
        from_place = 0
        while from_place < len(chunk):
            self._changed.clear()
            due_s, number = chunk.due_s[from_place:], chunk.number[from_place:]
            from_place += self._send_mine(due_s, number)

    def _send_mine(self, due_s: Floats, number: Ints) -> int:
        """Send those of these that are in the shares; returns how many were gone over before the shares changed."""
        gone_over = 0
        for place in np.flatnonzero(mine(self._shares, number, due_s)).tolist():
            at_s = float(due_s[place])
            if self._changes_before(at_s):
                return gone_over
            if at_s >= self._sender.plan.ends_s:
                break
            self._send(int(number[place]), at_s)
            gone_over = place + 1
        return gone_over if self._changes_before(float(due_s[-1])) else len(due_s)

    def _changes_before(self, t_s: float) -> bool:
        """Wait until `t_s`, or until the shares change: whether they did."""
        sender = self._sender
        while (left_s := t_s - sender.now()) > 0:
            if self._changed.wait(left_s / sender.order.speed):
                return True
        return False

    def _send(self, number: int, due_s: float) -> None:
        self._slots.acquire()
        gevent.spawn_raw(self._carry, number, due_s)

    def _carry(self, number: int, due_s: float) -> None:
        client = self._idle.pop() if self._idle else self._sender.client()
        try:
            self._sender.perform(number, due_s, client)
        finally:
            self._idle.append(client)
            self._slots.release()
