"""Users of a closed workload: each sends its next request some time after the end of the one before."""

import math
from typing import TYPE_CHECKING

import gevent
from gevent.event import AsyncResult

from soak.runner.load.client import Client, Jar
from soak.runner.load.frames import Message
from soak.schemas.stream.block import tick
from soak.simulation.users import Submission

if TYPE_CHECKING:
    from soak.runner.load.sender import Sender


class UserSource:
    """The users of a process, each with a connection and cookies of its own."""

    def __init__(self, sender: "Sender") -> None:
        assert sender.plan.users
        self._sender, self._users = sender, sender.plan.users
        self._active = 0

    @property
    def over(self) -> bool:
        """Whether no user will send anything more."""
        return not self._active

    def start(self) -> None:
        """Begin with the first turn of each user."""
        for user in self._sender.part.users:
            self._spawn(user, self._users.first(user))

    def take_over(self, message: Message) -> None:
        """Act for users that a lost process acted for; each goes on with the submission that is given."""
        for user, due_s, number in message["users"]:
            self._spawn(user, (due_s, number, 0))

    def _spawn(self, user: int, work: Submission | None) -> None:
        if work is not None:
            self._active += 1
            gevent.spawn_raw(self._act, user, work)

    def _act(self, user: int, work: Submission) -> None:
        sender = self._sender
        turn = self._turn if self._users.timeout_s == math.inf else self._impatient_turn
        own = _Clients(sender)
        next_one: Submission | None = work
        try:
            while next_one is not None and next_one[0] < sender.plan.ends_s:
                due_s, number, _ = next_one
                sender.wait_until(due_s)
                if due_s >= sender.plan.ends_s:
                    return
                next_one = self._users.after(number, turn(number, due_s, own, user))
        finally:
            self._active -= 1

    def _turn(self, number: int, due_s: float, own: "_Clients", user: int) -> float:
        """Returns when the task was over."""
        client = own.take()
        try:
            return tick(self._sender.perform(number, due_s, client, user))
        finally:
            own.idle.append(client)

    def _impatient_turn(self, number: int, due_s: float, own: "_Clients", user: int) -> float:
        """The user waits no longer than it does; the request goes on. Returns when that was, or the task was over."""
        ended = AsyncResult()
        gevent.spawn_raw(lambda: ended.set(self._turn(number, due_s, own, user)))
        gives_up_s = due_s + self._users.timeout_s
        while not ended.ready() and (left_s := gives_up_s - self._sender.now()) > 0:
            ended.wait(left_s / self._sender.order.speed)
        return min(float(ended.value), gives_up_s) if ended.ready() else gives_up_s


class _Clients:
    """The connections of a user: one, or more while requests that it no longer waits for go on. All share its cookies."""

    def __init__(self, sender: "Sender") -> None:
        self._sender, self._jar = sender, Jar()
        self.idle: list[Client] = []

    def take(self) -> Client:
        return self.idle.pop() if self.idle else self._sender.client(self._jar)
