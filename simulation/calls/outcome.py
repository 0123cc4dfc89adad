"""What passes between a client's policies and what they call."""

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from msgspec import Struct
from simpy import Event

Steps: TypeAlias = Generator[Event, Any, None]
"""A SimPy process: it yields what it waits for."""

Work: TypeAlias = Generator[Event, Any, str]
"""One that returns the error class it ends with; empty where all is well."""


class CallError(Exception):
    """An attempt that failed or was rejected: its error class, and its cause in the vocabulary.

    `retry_after_s`: Retry-After of the dependency.
    """

    def __init__(self, error: str, cause: int, retry_after_s: float = 0.0) -> None:
        super().__init__(error)
        self.error = error
        self.cause = cause
        self.retry_after_s = retry_after_s


class Request:
    """One task on its way through the policies."""

    __slots__ = ("attempt", "calls", "degraded", "memory_bytes", "number", "pending")

    def __init__(self, number: int, memory_bytes: int) -> None:
        self.number = number
        self.memory_bytes = memory_bytes
        self.attempt = 1
        self.pending = False
        """Whether the attempt is over and the next not yet begun."""
        self.calls: dict[str, int] = {}
        """Calls so far, by dependency."""
        self.degraded = ""


class Demand(Struct, frozen=True):
    """Memory that a call needs, a piece after the other; `piece_s`: how long each takes (None: the latency of the call)."""

    piece_bytes: int
    pieces: int = 1
    piece_s: float | None = None


Handler: TypeAlias = Callable[[Request, float], Steps]
"""A policy, or what it wraps: carries a request through by a deadline (in scenario time), or raises CallError."""
