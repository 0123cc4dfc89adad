"""Errors that a person can act on. They are printed in the command line and nowhere else."""

from collections.abc import Sequence
from dataclasses import dataclass


class SoakError(Exception):
    """Base of every expected error: one message, and the exit code the command ends with."""

    exit_code = 1


class UsageError(SoakError):
    """The command was asked for something that cannot be: nothing ran."""

    exit_code = 2


class EvidenceError(SoakError):
    """Evidence is missing, damaged or cannot be written."""

    exit_code = 5


class OutputError(SoakError):
    """A file could not be written; what was written before is kept."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a scenario: where it stands, what is wrong and what to write instead."""

    source: str
    line: int
    column: int
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        where = f" {self.where}:" if self.where else ""
        return f"{place}:{where} {self.what} ({self.remedy})"


class ScenarioError(SoakError):
    """A scenario that cannot be run; `problems` holds all that is wrong with it, in file order."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(set(problems), key=lambda p: (p.source, p.line, p.column, p.where, p.what)))
        super().__init__("\n".join(map(str, self.problems)))
