"""The event stream on disk: one JSON object a line, the first of which says what follows."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec
import numpy as np

from runner.evidence.lines import LineFormatter
from runner.judge.samples import Facts
from schemas.block import Block, make_block
from schemas.errors import EvidenceError, OutputError
from schemas.events import COPY, KEY_SHIFT, KIND_OF, SPECS, Value, Vocabulary
from schemas.identity import STREAM_VERSION, Identity

LINES_PER_BLOCK = 16_384
HEADER = "stream.header"


class StreamWriter:
    """Appends blocks to the stream; every block is handed to the system before the next is taken."""

    def __init__(self, path: Path, identity: Identity, vocabulary: Vocabulary) -> None:
        self._path = path
        self._formatter = LineFormatter(vocabulary)
        self.events = 0
        self._file: BinaryIO = path.open("xb", buffering=0)
        header = {"type": HEADER, "schema_version": STREAM_VERSION, **_identity_fields(identity)}
        self._write(msgspec.json.encode(header) + b"\n")

    def append(self, block: Block, facts: Facts | None = None) -> None:
        """Append a block. Raises OutputError when it cannot be written; what was written before stays."""
        self._write(self._formatter.format(block))
        self.events += len(block)

    def _write(self, data: bytes) -> None:
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            reason = error.strerror or str(error)
            raise OutputError(
                f"{self._path}: {reason}; what was written before is kept (free some space, or choose another --out)"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "StreamWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _identity_fields(identity: Identity) -> dict[str, object]:
    return {name: getattr(identity, name) for name in identity.__slots__}


class _Header(msgspec.Struct):
    type: str
    schema_version: int
    scenario: str
    scenario_sha256: str
    seed: int
    target: str
    clock: str
    abort: bool


class _Line(msgspec.Struct):
    """One event as it stands in the stream."""

    t: float
    type: str
    task: str | None = None
    key: str | None = None
    attempt: int = 0
    worker: int = -1
    due: float | None = None
    ran: float | None = None
    planned: float | None = None
    value: float | None = None
    name: str | None = None
    tenant: str | None = None
    state: str = ""
    fault: str = ""
    error: str = ""


class StreamReader:
    """Reads a stream back: `identity` from its first line, then blocks.

    A last line that is cut off is passed over and `cut` is set; anything else that is no event raises EvidenceError
    with the number of its line.
    """

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        self._path = path
        self._vocabulary = vocabulary
        self._line = 1
        self.cut = False
        self._decoder = msgspec.json.Decoder(list[_Line])
        self.identity = self._read_header()

    def _read_header(self) -> Identity:
        try:
            with self._path.open("rb") as file:
                first = file.readline()
        except OSError as error:
            raise EvidenceError(
                f"{self._path}: {error.strerror or error} (the event stream is missing or cannot be read)"
            ) from None
        try:
            header = msgspec.json.decode(first, type=_Header)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise EvidenceError(f"{self._path}:1: not the header of an event stream: {error}") from None
        if header.type != HEADER or header.schema_version != STREAM_VERSION:
            raise EvidenceError(
                f"{self._path}:1: stream version {header.schema_version} (this release reads version {STREAM_VERSION})"
            )
        return Identity(header.scenario, header.scenario_sha256, header.seed, header.target, header.clock, header.abort)

    def blocks(self) -> Iterator[Block]:
        """The events in order, in blocks."""
        last_s = 0.0
        with self._path.open("rb") as file:
            file.readline()
            while lines := self._next_lines(file):
                block = self._block(self._decode(lines), last_s)
                if len(block):
                    if block.t[0] < last_s or (np.diff(block.t) < 0).any():
                        raise EvidenceError(
                            f"{self._path}: events are out of time order between lines {self._line - len(lines) + 1} and {self._line}"
                        )
                    last_s = float(block.t[-1])
                    yield block

    def _next_lines(self, file: BinaryIO) -> list[bytes]:
        lines: list[bytes] = []
        while len(lines) < LINES_PER_BLOCK and (line := file.readline()):
            if not line.endswith(b"\n"):
                self.cut = True
                break
            lines.append(line)
        self._line += len(lines)
        return lines

    def _decode(self, lines: list[bytes]) -> list[_Line]:
        try:
            return self._decoder.decode(b"[" + b",".join(lines) + b"]")
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._damage(lines) from None

    def _damage(self, lines: list[bytes]) -> EvidenceError:
        for offset, line in enumerate(lines):
            try:
                msgspec.json.decode(line, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                number = self._line - len(lines) + 1 + offset
                return EvidenceError(f"{self._path}:{number}: not an event: {error} (the stream is damaged here)")
        return EvidenceError(f"{self._path}: lines up to {self._line} are not events")

    def _block(self, lines: list[_Line], until_s: float) -> Block:
        kinds = []
        values = []
        for offset, line in enumerate(lines):
            kind = KIND_OF.get((line.type, line.state))
            if kind is None:
                raise EvidenceError(
                    f"{self._path}:{self._line - len(lines) + 1 + offset}: unknown event type {line.type!r}"
                )
            kinds.append(int(kind))
            values.append(self._value(line, kind))
        word = self._vocabulary
        return make_block(
            [line.t for line in lines],
            kinds,
            until_s=lines[-1].t if lines else until_s,
            task=[-1 if line.task is None else self._number(line.task) for line in lines],
            attempt=[line.attempt for line in lines],
            worker=[line.worker for line in lines],
            cause=[word.cause(line.fault, line.error) if line.fault or line.error else 0 for line in lines],
            tenant=[-1 if line.tenant is None else word.tenant(line.tenant) for line in lines],
            value=values,
        )

    def _value(self, line: _Line, kind: int) -> float:
        spec = SPECS[kind]  # type: ignore[index]
        if spec.value is Value.NAME:
            return float(self._vocabulary.name(line.name or ""))
        value = getattr(line, spec.value_name) if spec.value_name else None
        return np.nan if value is None else float(value)

    def _number(self, task: str) -> int:
        arrival, _, copy = task.partition(".")
        try:
            return int(arrival) << KEY_SHIFT | (COPY if copy else 0)
        except ValueError:
            raise EvidenceError(f"{self._path}: {task!r} is not the number of a task") from None
