"""Events of the client's thread, on their way to the journal."""

from collections import deque
from typing import NamedTuple

from soak.runner.targets.clock import Clock
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE


class ClientEvent(NamedTuple):
    """An event; see `schemas.events.SPECS` for what each kind carries."""

    t_s: float
    kind: Kind
    number: int
    attempt: int
    cause: int
    value: float


class Rows:
    """Written in one thread and read in another."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._rows: deque[ClientEvent] = deque()

    def note(
        self, kind: Kind, *, number: int = -1, attempt: int = 0, cause: int = NO_CAUSE, value: float = 0.0
    ) -> None:
        """Note an event, just now."""
        self._rows.append(ClientEvent(self.clock.now(), kind, number, attempt, cause, value))

    def take(self) -> list[ClientEvent]:
        """Everything so far."""
        return [self._rows.popleft() for _ in range(len(self._rows))]
