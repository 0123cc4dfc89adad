"""The dependencies' logs, read as they grow, and the client's events checked against them."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from soak.runner.targets.calls.dependencies import Program
from soak.runner.targets.calls.rows import ClientEvent, Rows
from soak.runner.targets.context import RunContext
from soak.schemas.errors import SoakError, reason
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.calls.settings import Dependency
from soak.simulation.calls.fullest import Fullest

UNCONFIRMED = "unconfirmed"
"""The error class of a call that succeeded according to the client but not the dependency."""


class LogLine(msgspec.Struct, frozen=True):
    """A line of a dependency's log: time in seconds since the epoch, and event; memory in bytes."""

    at: float
    what: str
    task: int = -1
    attempt: int = 0
    cause: int = NO_CAUSE
    used: int = 0
    held: int = 0


_DECODER = msgspec.json.Decoder(LogLine)


class Account:
    """Merges both into the journal. A dependency logs before it answers, so its line exists when the client's event does."""

    def __init__(self, context: RunContext, rows: Rows, programs: Mapping[str, Program]) -> None:
        self._context = context
        self._rows = rows
        names = context.plan.vocabulary.name
        self._tails = {names(name): _Tail(program.account, program.dependency) for name, program in programs.items()}
        self._fullest = Fullest()
        self._answered: set[tuple[int, int, int]] = set()
        """Successful calls according to the dependencies' logs: dependency, task and attempt."""
        self.latest_s = 0.0
        """Time of the latest event."""

    def read(self) -> None:
        """Record new lines and events. Raises SoakError if a log cannot be read."""
        # The client's first: what it knows, the dependencies have logged by now.
        rows = self._rows.take()
        for to, tail in self._tails.items():
            for line in tail.read():
                self._tell(to, tail.dependency, line)
        for row in rows:
            self._note(row)

    def _tell(self, to: int, dependency: Dependency, line: LogLine) -> None:
        context, t_s = self._context, self._context.clock.scenario(line.at)
        if line.what == "fault":
            context.note(t_s, Kind.FAULT_INJECTED, number=line.task, attempt=line.attempt, cause=line.cause)
        elif line.what == "lost":
            context.note(t_s, Kind.UPDATE_LOST, number=line.task, attempt=line.attempt)
        elif line.what == "answered":
            self._answered.add((to, line.task, line.attempt))
        elif line.what == "memory" and dependency.memory_bytes:
            for kind, size in ((Kind.SAMPLE_MEMORY, line.used), (Kind.SAMPLE_MEMORY_HELD, line.held)):
                share = self._fullest.note(kind, dependency.name, size / dependency.memory_bytes)
                context.note(t_s, kind, value=share)

    def _note(self, row: ClientEvent) -> None:
        kind, cause = row.kind, row.cause
        if kind is Kind.CALL_SUCCEEDED:
            call = (int(row.value), row.number, row.attempt)
            if call not in self._answered:
                kind, cause = Kind.CALL_FAILED, self._context.plan.vocabulary.cause("", UNCONFIRMED)
            self._answered.discard(call)
        elif kind is Kind.CALL_FAILED:
            # Its answer may have come just after the client timed out.
            self._answered.discard((int(row.value), row.number, row.attempt))
        self.latest_s = max(self.latest_s, row.t_s)
        self._context.note(
            row.t_s, kind, number=row.number, attempt=row.attempt, cause=cause or NO_CAUSE, value=row.value
        )


class _Tail:
    """A file of lines that grows."""

    def __init__(self, path: Path, dependency: Dependency) -> None:
        self.dependency = dependency
        self._path = path
        self._read_bytes = 0

    def read(self) -> list[LogLine]:
        """New complete lines. Raises SoakError."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                text = file.read()
        except OSError as error:
            raise SoakError(f"{self._path}: cannot be read: {reason(error)}") from None
        whole = text[: text.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        return [_DECODER.decode(line) for line in whole.splitlines()]
