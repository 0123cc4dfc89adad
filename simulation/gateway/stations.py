"""What requests wait for after a worker: a connection to the store, and the lock of their tenant's chain."""

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Struct

from soak.simulation.gateway.agenda import Action, Agenda, Request

Refuse: TypeAlias = Callable[[float, Request, int], None]
"""Called with the time, a request that ends with an error of the server, and the cause of a fault (0: none)."""


class Ends(Struct, frozen=True):
    """What is called when a request has had what it waited for, when it is refused, and when a fault shows, with its cause."""

    then: Action
    refuse: Refuse
    seen: Callable[[float, int], None]


class Store:
    """Connections; each request holds one for a while, the others wait for one in order.

    down: the cause for which it is gone (0: none). slow: causes for which it is slow, and how many times as long it takes.
    """

    def __init__(self, agenda: Agenda, connections: int, latency: Callable[[int], float], ends: Ends) -> None:
        self._agenda, self._latency, self._ends = agenda, latency, ends
        self._free = connections
        self._waiting: deque[Request] = deque()
        self._holding: dict[Request, None] = {}
        self.down = 0
        self.slow: dict[int, float] = {}

    @property
    def inside(self) -> int:
        """Requests that hold a connection or wait for one."""
        return len(self._holding) + len(self._waiting)

    def enter(self, now: float, request: Request) -> None:
        """A request needs a connection. One that finds no store is refused at once."""
        if self.down:
            self._ends.seen(now, self.down)
            self._ends.refuse(now, request, self.down)
        elif self._free:
            self._free -= 1
            self._start(now, request)
        else:
            self._waiting.append(request)

    def _start(self, now: float, request: Request) -> None:
        self._holding[request] = None
        latency_s = self._latency(request.number)
        for cause, times in self.slow.items():
            latency_s *= times
            self._ends.seen(now, cause)
        self._agenda.at(now + latency_s, self._end, request)

    def _end(self, now: float, request: Request) -> None:
        if request not in self._holding:
            return
        self._give_back(now, request)
        self._ends.then(now, request)

    def _give_back(self, now: float, request: Request) -> None:
        del self._holding[request]
        if self._waiting:
            self._start(now, self._waiting.popleft())
        else:
            self._free += 1

    def break_off(self, now: float, cause: int) -> None:
        """The store goes away: queries in progress, and those that wait for a connection, are refused."""
        self.down = cause
        broken = [*self._holding, *self._waiting]
        self._free += len(self._holding)
        self._holding.clear()
        self._waiting.clear()
        for request in broken:
            self._ends.seen(now, cause)
            self._ends.refuse(now, request, cause)

    def leave(self, now: float, gone: list[Request]) -> None:
        """The process of these requests is gone: connections are free again at once."""
        self._waiting = deque(each for each in self._waiting if not each.gone)
        for request in gone:
            if request in self._holding:
                self._give_back(now, request)


class Lock:
    """The lock of one tenant's chain, which its requests get in order.

    gives_up_after_s: how long a request waits for it; locked_for_s: after how long it is free again if its holder is gone.
    down: the cause for which nobody gets it (0: none).
    """

    def __init__(
        self,
        agenda: Agenda,
        hold: Callable[[int], float],
        ends: Ends,
        *,
        gives_up_after_s: float,
        locked_for_s: float,
    ) -> None:
        self._agenda, self._hold, self._ends = agenda, hold, ends
        self._gives_up_after_s, self._locked_for_s = gives_up_after_s, locked_for_s
        self._holder: Request | None = None
        self._since_s = 0.0
        self._waiting: deque[Request] = deque()
        self.down = 0

    @property
    def inside(self) -> int:
        """Requests that hold it or wait for it."""
        return len(self._waiting) + (self._holder is not None and not self._holder.gone)

    def enter(self, now: float, request: Request) -> None:
        """A request needs the lock."""
        if self.down:
            self._ends.seen(now, self.down)
        if self._holder is None and not self.down:
            self._take(now, request)
            return
        request.waits_s = now + self._gives_up_after_s
        self._waiting.append(request)
        self._agenda.at(request.waits_s, self._give_up, request)

    def _take(self, now: float, request: Request) -> None:
        self._holder, self._since_s = request, now
        self._agenda.at(now + self._hold(request.number), self._end, request)

    def _end(self, now: float, request: Request) -> None:
        if request.gone:
            return
        self._next(now)
        self._ends.then(now, request)

    def _next(self, now: float) -> None:
        self._holder = None
        if self._waiting and not self.down:
            request = self._waiting.popleft()
            request.waits_s = 0.0
            self._take(now, request)

    def _give_up(self, now: float, request: Request) -> None:
        """Those who wait do so equally long: the first of them is the first to give up."""
        if request.waits_s != now or request.gone:
            return
        self._waiting.remove(request)
        self._ends.refuse(now, request, self.down)

    def back(self, now: float) -> None:
        """The lock can be had again."""
        self.down = 0
        if self._holder is None:
            self._next(now)

    def leave(self, now: float) -> None:
        """A process is gone: those of its requests that waited are no more; if one held the lock, it stays locked for a while."""
        self._waiting = deque(each for each in self._waiting if not each.gone)
        holder = self._holder
        if holder is not None and holder.gone:
            self._agenda.at(max(now, self._since_s + self._locked_for_s), self._expire, holder)

    def _expire(self, now: float, request: Request) -> None:
        if request is self._holder:
            self._next(now)
