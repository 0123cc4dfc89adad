"""The history of single tasks, read from the event stream."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.errors import EvidenceError


class Event(msgspec.Struct):
    """What a report shows of an event; see event.schema.json."""

    t: float = 0.0
    type: str = ""
    task: str = ""
    key: str = ""
    tenant: str = ""
    attempt: int = 0
    fault: str = ""
    error: str = ""
    name: str = ""

    @property
    def words(self) -> str:
        """The event on a line, without its time."""
        attempt = f"attempt {self.attempt}" if self.attempt else ""
        fault = f"fault {self.fault}" if self.fault else ""
        return " ".join(
            filter(None, [self.type, self.name, f"task {self.task}" if self.task else "", attempt, fault, self.error])
        )


@dataclass(frozen=True, slots=True)
class Happened:
    """A line of a timeline."""

    t_s: float
    what: str


def read_events(path: Path) -> Iterable[Event]:
    """All events of a stream. Raises EvidenceError."""
    return _decoded(path, _content(path).splitlines())


def read_histories(path: Path, tasks: Iterable[str]) -> dict[str, list[Happened]]:
    """What happened to each of some tasks, in order. Raises EvidenceError."""
    histories: dict[str, list[Happened]] = {task: [] for task in tasks}
    if not histories:
        return {}
    content = _content(path)
    lines = [line for task in histories for line in _lines_of(content, task)]
    for event in _decoded(path, lines):
        histories[event.task].append(Happened(event.t, event.words.replace(f" task {event.task}", "")))
    return histories


def _lines_of(content: bytes, task: str) -> Iterator[bytes]:
    """The lines that name a task: searched for as bytes, since most of a stream is about other tasks."""
    wanted = b'"task":"%b"' % task.encode()
    place = content.find(wanted)
    while place >= 0:
        start, end = content.rfind(b"\n", 0, place) + 1, content.find(b"\n", place)
        end = end if end >= 0 else len(content)
        yield content[start:end]
        place = content.find(wanted, end)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror or error} (this evidence is missing)") from None


def _decoded(path: Path, lines: Iterable[bytes]) -> Iterable[Event]:
    decoder = msgspec.json.Decoder(Event)
    for line in lines:
        try:
            yield decoder.decode(line)
        except msgspec.DecodeError as error:
            raise EvidenceError(f"{path}: {error} (this evidence is damaged)") from None
