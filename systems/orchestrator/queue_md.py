"""QUEUE.md: the queue as a Markdown table for people. Text around the table is theirs and stays as it is."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from soak.systems.orchestrator.model import Task, TaskState


class QueueFormatError(Exception):
    """The table cannot be read; the message names the line."""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A line of the table. A line that people have just added has no id (0) yet."""

    key: str
    id: int = 0
    title: str = ""
    state: TaskState = TaskState.PENDING
    attempt: int = 0
    owner: str = ""
    notes: str = ""


COLUMNS = ("id", "key", "title", "state", "attempt", "owner", "notes")
_CELL_ENDS = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"[\s|:-]+")


def row_of(task: Task) -> QueueRow:
    """The line of a task."""
    return QueueRow(task.key, task.id, task.title, task.state, task.attempt, task.owner or "", task.notes)


def parse(text: str) -> list[QueueRow]:
    """The lines of the first table of a document. Raises QueueFormatError."""
    lines = text.splitlines()
    first, end = _extent(lines)
    if first == end:
        return []
    names = [name.lower() for name in _cells(lines[first])]
    if unknown := [name for name in names if name not in COLUMNS]:
        raise QueueFormatError(f"line {first + 1}: no column {unknown[0]!r}; there are {', '.join(COLUMNS)}")
    if "key" not in names:
        raise QueueFormatError(f"line {first + 1}: the column 'key' is missing")
    body = [number for number in range(first + 1, end) if not _RULE.fullmatch(lines[number])]
    rows = [_row(number + 1, names, _cells(lines[number])) for number in body]
    _check_keys(rows)
    return rows


def render(rows: Iterable[QueueRow]) -> str:
    """The table, without a line end after the last line."""
    head = [_line(COLUMNS), _line("---" for _ in COLUMNS)]
    return "\n".join(head + [_line(_texts(row)) for row in rows])


def replace_table(text: str, rows: Iterable[QueueRow]) -> str:
    """The document with the table of these rows in the place of its first table, or at its end."""
    lines = text.splitlines()
    first, end = _extent(lines)
    gap = [""] if first == end and lines and lines[-1] else []
    return "\n".join([*lines[:first], *gap, render(rows), *lines[end:]]) + "\n"


def _extent(lines: Sequence[str]) -> tuple[int, int]:
    first = next((i for i, line in enumerate(lines) if line.lstrip().startswith("|")), len(lines))
    end = next((i for i in range(first, len(lines)) if not lines[i].lstrip().startswith("|")), len(lines))
    return first, end


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    parts = _CELL_ENDS.split(inner)
    cells = parts[:-1] if parts[-1] == "" else parts
    return [cell.strip().replace(r"\|", "|").replace("<br>", "\n") for cell in cells]


def _row(number: int, names: Sequence[str], cells: Sequence[str]) -> QueueRow:
    if len(cells) != len(names):
        raise QueueFormatError(f"line {number}: {len(cells)} cells, but the table has {len(names)} columns")
    given = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
    if "key" not in given:
        raise QueueFormatError(f"line {number}: the key is empty")
    state = given.get("state", TaskState.PENDING).upper()
    if state not in set(TaskState):
        raise QueueFormatError(f"line {number}: no state {state!r}; there are {', '.join(TaskState)}")
    return QueueRow(
        key=given["key"],
        id=_number(number, given.get("id", "0")),
        title=given.get("title", ""),
        state=TaskState(state),
        attempt=_number(number, given.get("attempt", "0")),
        owner=given.get("owner", ""),
        notes=given.get("notes", ""),
    )


def _number(line: int, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise QueueFormatError(f"line {line}: {text!r} is not a number")
    return int(text)


def _check_keys(rows: Sequence[QueueRow]) -> None:
    new = [row.key for row in rows if not row.id]
    if twice := sorted({key for key in new if new.count(key) > 1}):
        raise QueueFormatError(f"the key {twice[0]!r} is added twice")


def _texts(row: QueueRow) -> Iterable[str]:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    return (str(values[name]).replace("|", r"\|").replace("\n", "<br>") for name in COLUMNS)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
