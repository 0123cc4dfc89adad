"""What a task system that a target file describes was seen to do: read from the event stream of the run."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from soak.reports.events import Event
from soak.schemas.evidence.versions import UNDECODABLE
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Floats
from soak.schemas.stream.storage import open_stream, stream_file

_TIME = re.compile(rb'\{"t":([0-9.]+)')
_STARTED = b'"type":"execution.started"'
_SHOWN = (b'"type":"process.', b'"type":"sample.broker_rss"', b'"type":"task.retry"')
_DIED = frozenset({"redelivered", "process_gone", "worker_crash"})
"""Errors of tasks that are started again although no attempt of them has failed."""


class _Header(msgspec.Struct):
    level: int | None = None


@dataclass(slots=True)
class Activity:
    """Times in scenario seconds. workers: after each change, how many are up. down: by service, from when to when it was down.

    started, redelivered: when executions started, and when tasks were given out again after their worker had died, or while
    they ran. memory: of brokers, as pairs of time and bytes.
    """

    workers: list[tuple[float, int]] = field(default_factory=list)
    down: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    started: list[float] = field(default_factory=list)
    redelivered: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)

    def counted(self, times_s: list[float], edges_s: Floats) -> Floats:
        """How many of these times there are between two edges each."""
        counts, _ = np.histogram(np.array(times_s), bins=edges_s)
        return counts.astype(np.float64)


def read_activity(directory: Path, scenario: Scenario, ended_s: float) -> Activity | None:
    """What was seen of the run in a directory; None where its target is not one whose account is inferred."""
    try:
        with open_stream(stream_file(directory, scenario.name)) as lines:
            if not _is_inferred(lines.readline()):
                return None
            return _Reading(scenario, ended_s).read(lines)
    except OSError:
        return None


def _is_inferred(line: bytes) -> bool:
    try:
        return msgspec.json.decode(line, type=_Header).level is not None
    except UNDECODABLE:
        return False


class _Reading:
    """Reads the lines of a stream after its header."""

    def __init__(self, scenario: Scenario, ended_s: float) -> None:
        self._struck = {fault.name for fault in scenario.faults if fault.by_time or fault.spec.dies}
        self._ended_s = ended_s
        self._up: set[int] = set()
        self._gone: dict[str, float] = {}
        self._found = Activity()

    def read(self, lines: BinaryIO) -> Activity:
        """All that is in them; a line that cannot be read is left out."""
        decode = msgspec.json.Decoder(Event).decode
        for line in lines:
            if _STARTED in line:
                if match := _TIME.match(line):
                    self._found.started.append(float(match[1]))
            elif any(each in line for each in _SHOWN):
                with suppress(*UNDECODABLE):
                    self._take(decode(line))
        for name, since_s in self._gone.items():
            self._found.down.setdefault(name, []).append((since_s, self._ended_s))
        return self._found

    def _take(self, event: Event) -> None:
        if event.type == "task.retry":
            if event.fault in self._struck or event.error in _DIED:
                self._found.redelivered.append(event.t)
        elif event.type == "sample.broker_rss":
            self._found.memory.append((event.t, event.value or 0.0))
        elif isinstance(event.worker, int) and event.worker >= 0:
            (self._up.add if event.type == "process.started" else self._up.discard)(event.worker)
            self._found.workers.append((event.t, len(self._up)))
        elif event.type == "process.exited":
            self._gone.setdefault(event.name, event.t)
        elif event.type == "process.started" and event.name in self._gone:
            self._found.down.setdefault(event.name, []).append((self._gone.pop(event.name), event.t))
