"""A run directory, opened: its files as typed data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from soak.runner.evidence.checksums import Finding
from soak.runner.evidence.directory import METRICS, VERDICT, RunDirectory, stream_name
from soak.runner.evidence.manifest import read_manifest
from soak.schemas.errors import EvidenceError, reason
from soak.schemas.evidence.manifest import Manifest
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.evidence.versions import UNDECODABLE, decode_evidence
from soak.schemas.files import ordinary

if TYPE_CHECKING:
    from soak.reports.data import Metrics

Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Event:
    """One event: when it happened (`t_s`, in seconds of scenario time), its type, and all its line says, by name."""

    t_s: float
    type: str
    data: Mapping[str, Value]

    @property
    def task(self) -> str | None:
        """The number of the task, such as `17`; `17.2` is its second enqueue."""
        found = self.data.get("task")
        return found if isinstance(found, str) else None

    @property
    def fault(self) -> str | None:
        """The name of the fault of the scenario that caused it."""
        found = self.data.get("fault")
        return found if isinstance(found, str) else None


@dataclass(frozen=True)
class Run:
    """A run directory. What is asked for is read then, and raises EvidenceError where it is missing or damaged."""

    path: Path

    @property
    def _directory(self) -> RunDirectory:
        return RunDirectory(self.path)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict, with every objective and its margin."""
        found = self._directory.read(VERDICT)
        return decode_evidence(found, Verdict, self.path / VERDICT)

    @cached_property
    def manifest(self) -> Manifest:
        """Who ran what, where, when and with which versions."""
        return read_manifest(self._directory)

    @cached_property
    def metrics(self) -> "Metrics":
        """The per-minute series, as arrays of one length by name."""
        from soak.reports.data import read_metrics

        return read_metrics(self.path / METRICS)

    def events(self) -> Iterator[Event]:
        """The event stream in time order, a line at a time. A last line that is cut off ends it."""
        path = self.path / stream_name(self.manifest.scenario)
        try:
            with ordinary(path).open("rb") as file:
                for number, line in enumerate(file, 1):
                    if not line.endswith(b"\n"):
                        return
                    # The first line says what the stream is of.
                    if number > 1:
                        yield _event(line, path, number)
        except OSError as error:
            raise EvidenceError(f"{path}: {reason(error)} (the event stream is missing or cannot be read)") from None

    def verify(self) -> list[Finding]:
        """What `soak verify` checks: a finding for each, with a `problem` where something differs."""
        from soak.runner.evidence.verify import verify

        return verify(self._directory)[0]


_decoder = msgspec.json.Decoder(dict[str, Value])


def _event(line: bytes, path: Path, number: int) -> Event:
    """Raises EvidenceError."""
    try:
        data = _decoder.decode(line)
    except UNDECODABLE as error:
        raise EvidenceError(f"{path}:{number}: not an event: {error} (the stream is damaged here)") from None
    t_s, kind = data.get("t"), data.get("type")
    if not isinstance(t_s, int | float) or not isinstance(kind, str):
        raise EvidenceError(f"{path}:{number}: not an event: it has no time or no type (the stream is damaged here)")
    return Event(t_s, kind, MappingProxyType(data))
