"""Requests inside the service, and what happens to them next, in order of time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(eq=False, slots=True)
class Request:
    """A request that the service has accepted.

    sent_s: when it was sent. tenant, kind: by their places in the scenario, 0 where it declares none. process: that which works
    on it; -1: none yet. worker: its worker, of a pool that has them. gone: it ended with its process. waits_s: until when it
    waits for a lock.
    """

    number: int
    sent_s: float
    tenant: int
    kind: int
    process: int = -1
    worker: int = -1
    gone: bool = False
    waits_s: float = 0.0


Action: TypeAlias = Callable[[float, Request], None]
"""What happens at a time to a request."""


class Agenda:
    """What is to happen, in a heap; of what happens at the same time, what was planned first comes first."""

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Action, Request]] = []
        self._order = 0

    def at(self, t_s: float, action: Action, request: Request) -> None:
        """Call `action(t_s, request)` at `t_s`."""
        self._order += 1
        heapq.heappush(self.heap, (t_s, self._order, action, request))
