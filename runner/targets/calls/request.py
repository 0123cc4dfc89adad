"""A request as it passes through the client's policies."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from soak.runner.targets.calls.rows import Rows
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE, Vocabulary
from soak.simulation.calls.outcome import CallError


@dataclass(slots=True)
class Request:
    """One task on its way through the policies; `not_before_s`: from Retry-After of a dependency."""

    number: int
    memory_bytes: int
    hold: bool
    attempt: int = 1
    pending: bool = False
    """Whether the attempt is over and the next not yet begun."""
    calls: dict[str, int] = field(default_factory=dict)
    """Calls so far, by dependency."""
    degraded: str = ""
    not_before_s: float = 0.0


Handler: TypeAlias = Callable[[Request, float], Awaitable[None]]
"""A policy, or what it wraps: carries a request through by a deadline (in scenario time), or raises CallError."""


class Attempts:
    """Records attempts: start, end, or rejection."""

    def __init__(self, rows: Rows, vocabulary: Vocabulary) -> None:
        self._rows = rows
        self._vocabulary = vocabulary

    def begin(self, request: Request) -> None:
        """The next attempt of a request begins, if the one before is over."""
        if request.pending:
            request.pending = False
            request.attempt += 1
            self._rows.note(Kind.TASK_DISPATCHED, number=request.number, attempt=request.attempt)

    def again(self, request: Request, due_s: float, cause: int, *, elsewhere: bool = False) -> None:
        """An attempt ended and another follows: not before `due_s`, nor before the Retry-After of the dependency.

        `elsewhere`: the next one is at another dependency, whose Retry-After does not apply.
        """
        due_s = due_s if elsewhere else max(due_s, request.not_before_s)
        self._rows.note(Kind.TASK_RETRY, number=request.number, attempt=request.attempt, cause=cause, value=due_s)
        request.pending = True

    def reject(self, request: Request, error: str) -> CallError:
        """The error for a request rejected by a policy."""
        self.begin(request)
        cause = self._vocabulary.cause("", error)
        self._rows.note(Kind.CALL_REJECTED, number=request.number, attempt=request.attempt, cause=cause)
        return CallError(error, cause)

    def tell(self, kind: Kind, cause: int = NO_CAUSE) -> None:
        """Something that concerns no single request."""
        self._rows.note(kind, cause=cause)
