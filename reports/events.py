"""The history of single tasks, read from the event stream."""

import mmap
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from soak.reports.texts import brief
from soak.schemas.errors import EvidenceError, reason
from soak.schemas.evidence.verdict import SlowTask
from soak.schemas.evidence.versions import UNDECODABLE
from soak.schemas.files import ordinary
from soak.schemas.stream.storage import MAGIC, open_stream

EARLIER_S = 1.0
"""Tolerance for rounding errors of differences of times."""

LATER_S = 3600.0
"""How long the history continues after the end of a task: a hung worker may still wake up."""

LONGEST_EVENT = 500
"""Characters of an event that are shown."""

MOST_EVENTS = 200
"""Events of a task that are shown."""

_TIME = re.compile(rb'\{"t":([0-9]+\.[0-9]+)')


class Event(msgspec.Struct):
    """The fields of an event shown in reports; see event.schema.json."""

    t: float = 0.0
    type: str = ""
    task: str = ""
    key: str = ""
    tenant: str = ""
    kind: str = ""
    attempt: int = 0
    fault: str = ""
    error: str = ""
    name: str = ""
    worker: int | str = -1
    value: float | None = None

    @property
    def words(self) -> str:
        """The event as one line, without its time."""
        attempt = f"attempt {self.attempt}" if self.attempt else ""
        fault = f"fault {self.fault}" if self.fault else ""
        return " ".join(
            filter(None, [self.type, self.name, f"task {self.task}" if self.task else "", attempt, fault, self.error])
        )


class Happened(Struct, frozen=True):
    """A line of a timeline."""

    t_s: float
    what: str


def read_events(path: Path) -> Iterator[Event]:
    """All events of a stream. Raises EvidenceError."""
    try:
        with open_stream(path) as lines:
            yield from _decoded(path, lines)
    except OSError as error:
        raise _missing(path, error) from None


def read_histories(path: Path, tasks: Sequence[SlowTask]) -> dict[str, list[Happened]]:
    """The events of the given tasks, in order, up to a while after their end. Raises EvidenceError."""
    histories: dict[str, list[Happened]] = {task.task: [] for task in tasks}
    content = _content(path, tasks) if histories else b""
    for task in tasks:
        first_s, last_s = _span(task)
        began, ended = _place_of(path, content, first_s), _place_of(path, content, last_s)
        for event in _decoded(path, _lines_of(content, task.task, began, ended)):
            words = brief(event.words.replace(f" task {event.task}", ""), LONGEST_EVENT)
            histories[task.task].append(Happened(event.t, words))
    return {task: _ends(events) for task, events in histories.items()}


def _ends(events: list[Happened]) -> list[Happened]:
    """The first and last events of a task that has very many."""
    if len(events) <= MOST_EVENTS:
        return events
    half, left_out = MOST_EVENTS // 2, len(events) - MOST_EVENTS
    return [*events[:half], Happened(events[half].t_s, f"… {left_out:,} more events"), *events[-half:]]


def _place_of(path: Path, content: bytes | mmap.mmap, t_s: float) -> int:
    """Offset of the first line at or after a time; lines are in time order. Raises EvidenceError."""
    low, high = content.find(b"\n") + 1, len(content)
    while low < high:
        middle = content.rfind(b"\n", low, (low + high) // 2) + 1 or low
        found = _TIME.match(content, middle)
        if not found:
            line = content[:middle].count(b"\n") + 1
            raise EvidenceError(f"{path}:{line}: is not an event (this evidence is damaged)")
        if float(found[1]) < t_s:
            low = content.find(b"\n", middle) + 1 or len(content)
        else:
            high = middle
    return low


def _lines_of(content: bytes | mmap.mmap, task: str, began: int, ended: int) -> Iterator[bytes]:
    """The lines of a task, found by searching bytes, since most lines are about other tasks."""
    wanted = b'"task":"%b"' % task.encode()
    place = content.find(wanted, began, ended)
    while place >= 0:
        start, end = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place)
        end = end if end >= 0 else len(content)
        yield content[start:end]
        place = content.find(wanted, end, ended)


def _span(task: SlowTask) -> tuple[float, float]:
    return task.ended_s - task.latency_s - EARLIER_S, task.ended_s + task.latency_s + LATER_S


def _content(path: Path, tasks: Sequence[SlowTask]) -> bytes | mmap.mmap:
    """A stream, of which only what is looked at is read; of a compressed one its header and the lines about these tasks."""
    try:
        with ordinary(path).open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""
        wanted = re.compile(b"|".join(rb'"task":"%b"' % re.escape(task.task.encode()) for task in tasks))
        with open_stream(path) as lines:
            return b"".join([lines.readline(), *(line for line in lines if wanted.search(line))])
    except OSError as error:
        raise _missing(path, error) from None


def _missing(path: Path, error: OSError) -> EvidenceError:
    return EvidenceError(f"{path}: {reason(error)} (this evidence is missing)")


def _decoded(path: Path, lines: Iterable[bytes]) -> Iterable[Event]:
    decoder = msgspec.json.Decoder(Event)
    for line in lines:
        try:
            yield decoder.decode(line)
        except UNDECODABLE as error:
            raise EvidenceError(f"{path}: {error} (this evidence is damaged)") from None
