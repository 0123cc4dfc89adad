"""What dependencies say of themselves, read as it grows, and what the client says, held against it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from soak.runner.targets.calls.dependencies import Program
from soak.runner.targets.calls.rows import ClientEvent, Rows
from soak.runner.targets.context import Course
from soak.schemas.errors import SoakError, reason
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.schemas.systems.calls.settings import Dependency
from soak.simulation.calls.fullest import Fullest

UNCONFIRMED = "unconfirmed"
"""The error class of a call of which the client says that it went well, and the dependency does not."""


class Told(msgspec.Struct, frozen=True):
    """A line of a dependency's account: when, in seconds since the epoch, and what; memory in bytes."""

    at: float
    what: str
    task: int = -1
    attempt: int = 0
    cause: int = NO_CAUSE
    used: int = 0
    held: int = 0


_DECODER = msgspec.json.Decoder(Told)


class Account:
    """Puts both into the journal. A dependency writes before it answers, so that its word is there when the client's is."""

    def __init__(self, course: Course, rows: Rows, programs: Mapping[str, Program]) -> None:
        self._course = course
        self._rows = rows
        names = course.plan.vocabulary.name
        self._tails = {names(name): _Tail(program.account, program.dependency) for name, program in programs.items()}
        self._fullest = Fullest()
        self._answered: set[tuple[int, int, int]] = set()
        """Calls that were answered well by the dependency's account: which, task and attempt."""
        self.told_s = 0.0
        """When the last thing happened that was told."""

    def read(self) -> None:
        """Note everything that is new. Raises SoakError when an account cannot be read."""
        # The client's first: what it knows of, the dependencies have written by now.
        rows = self._rows.take()
        for to, tail in self._tails.items():
            for told in tail.read():
                self._tell(to, tail.dependency, told)
        for row in rows:
            self._note(row)

    def _tell(self, to: int, dependency: Dependency, told: Told) -> None:
        course, t_s = self._course, self._course.clock.scenario(told.at)
        if told.what == "fault":
            course.note(t_s, Kind.FAULT_INJECTED, number=told.task, attempt=told.attempt, cause=told.cause)
        elif told.what == "lost":
            course.note(t_s, Kind.UPDATE_LOST, number=told.task, attempt=told.attempt)
        elif told.what == "answered":
            self._answered.add((to, told.task, told.attempt))
        elif told.what == "memory" and dependency.memory_bytes:
            for kind, size in ((Kind.SAMPLE_MEMORY, told.used), (Kind.SAMPLE_MEMORY_HELD, told.held)):
                share = self._fullest.note(kind, dependency.name, size / dependency.memory_bytes)
                course.note(t_s, kind, value=share)

    def _note(self, row: ClientEvent) -> None:
        kind, cause = row.kind, row.cause
        if kind is Kind.CALL_SUCCEEDED:
            call = (int(row.value), row.number, row.attempt)
            if call not in self._answered:
                kind, cause = Kind.CALL_FAILED, self._course.plan.vocabulary.cause("", UNCONFIRMED)
            self._answered.discard(call)
        elif kind is Kind.CALL_FAILED:
            # Its answer may have come just after the client had given up.
            self._answered.discard((int(row.value), row.number, row.attempt))
        self.told_s = max(self.told_s, row.t_s)
        self._course.note(
            row.t_s, kind, number=row.number, attempt=row.attempt, cause=cause or NO_CAUSE, value=row.value
        )


class _Tail:
    """A file of lines that grows."""

    def __init__(self, path: Path, dependency: Dependency) -> None:
        self.dependency = dependency
        self._path = path
        self._read_bytes = 0

    def read(self) -> list[Told]:
        """The lines that are new, all of them whole. Raises SoakError."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read_bytes)
                text = file.read()
        except OSError as error:
            raise SoakError(f"{self._path}: cannot be read: {reason(error)}") from None
        whole = text[: text.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        return [_DECODER.decode(line) for line in whole.splitlines()]
