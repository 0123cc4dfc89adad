"""The event stream on disk: one JSON object per line, the first of which is the header."""

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Annotated, BinaryIO, Literal

import msgspec
import numpy as np

from soak.runner.evidence.compiled_parse import Line, cause_of, forms_of, label_of, value_of
from soak.runner.evidence.lines import LineFormatter
from soak.runner.evidence.task_numbers import task_name
from soak.runner.judge.samples import Facts
from soak.schemas.errors import EvidenceError, VersionError, reason, writing
from soak.schemas.evidence.upgrades import STREAM, EarlierEvents
from soak.schemas.evidence.versions import UNDECODABLE, brought_up, version_of
from soak.schemas.stream.block import Block, Bools, make_block
from soak.schemas.stream.by_kind import flags_by_kind
from soak.schemas.stream.events import COPY, KEY_SHIFT, KIND_OF, Kind, Value
from soak.schemas.stream.identity import RECORDED, STREAM_VERSION, Identity
from soak.schemas.stream.storage import COMPRESSED, append_compressed, create_compressed, open_stream
from soak.schemas.stream.vocabulary import Vocabulary

LINES_PER_BLOCK = 16_384
_PIECE_BYTES = 1 << 20
HEADER = "stream.header"


class StreamWriter:
    """Appends blocks to the stream; every block is flushed before the next is accepted."""

    def __init__(self, path: Path, identity: Identity, vocabulary: Vocabulary, *, goes_on: bool = False) -> None:
        self.path = path
        self._formatter = LineFormatter(vocabulary)
        self.events = 0
        with writing(path):
            self._file = _goes_on(path) if goes_on else _begins(path)
        if goes_on:
            return
        header = {"type": HEADER, "schema_version": STREAM_VERSION, **_identity_fields(identity)}
        self._write(msgspec.json.encode(header) + b"\n")
        self._flush()

    def append(self, block: Block, facts: Facts | None = None) -> None:
        """Append a block. Raises OutputError when it cannot be written; what was written before is kept."""
        for piece in self._formatter.pieces(block):
            self._write(piece)
        self._flush()
        self.events += len(block)

    def _write(self, data: bytes | memoryview) -> None:
        with writing(self.path):
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]

    def _flush(self) -> None:
        with writing(self.path):
            self._file.flush()

    def close(self) -> None:
        """Close the file. Raises OutputError if that fails."""
        with writing(self.path):
            self._file.close()

    def __enter__(self) -> "StreamWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _begins(path: Path) -> io.RawIOBase:
    return create_compressed(path) if path.name.endswith(COMPRESSED) else path.open("xb", buffering=0)


def _goes_on(path: Path) -> io.RawIOBase:
    """A stream to append to; an incomplete last line is removed."""
    if path.name.endswith(COMPRESSED):
        return append_compressed(path)
    file = path.open("r+b", buffering=0)
    whole = path.read_bytes().rfind(b"\n") + 1
    file.truncate(whole)
    file.seek(whole)
    return file


def _identity_fields(identity: Identity) -> dict[str, object]:
    fields = {name: getattr(identity, name) for name in identity.__struct_fields__}
    return {name: value for name, value in fields.items() if value is not None}


class _Typed(msgspec.Struct):
    type: str


class _Header(_Typed):
    scenario: str
    scenario_sha256: str
    seed: int
    target: str
    clock: str
    abort: bool
    speed: Annotated[float, msgspec.Meta(gt=0)]
    patience_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    redelivery_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    stop: Literal["all", "decidable"] | None = None
    target_sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] | None = None
    level: Annotated[int, msgspec.Meta(ge=0, le=4)] | None = None
    promises: tuple[str, ...] | None = None
    left_out: dict[str, str] | None = None
    roles: dict[str, str] | None = None
    options: dict[str, str] | None = None


_TASK = re.compile(r"([0-9]{1,9})(\.2)?")
_DAY_S = 86_400.0
NEEDS_TASK = flags_by_kind(lambda kind, spec: spec.uses("task") and kind is not Kind.FAULT_INJECTED)
"""By kind: whether an event without a task is refused."""
_NEEDS_VALUE = flags_by_kind(lambda kind, spec: spec.value is not Value.NONE)


class StreamReader:
    """Reads a stream back: `identity` from its first line, then blocks.

    An incomplete last line is skipped and `cut` is set; anything else that is not an event raises EvidenceError with
    its line number.
    """

    def __init__(
        self, path: Path, vocabulary: Vocabulary, horizon_s: float = math.inf, task_limit: float = math.inf
    ) -> None:
        """`horizon_s`: maximum length of the run; later events are refused. task_limit: task numbers from here on are, too."""
        self._path = path
        self._latest_s = 10 * horizon_s + _DAY_S
        self._task_limit = task_limit
        self._vocabulary = vocabulary
        self._line = 1
        self.cut = False
        self._text = b""
        self._forms = forms_of(vocabulary)
        self._decoder = msgspec.json.Decoder(list[Line])
        self.version = STREAM_VERSION
        """The version it was written in."""
        self._has_header = True
        self.identity = self._read_header()
        self._bring_up = EarlierEvents() if self.version < STREAM_VERSION else None

    def _read_header(self) -> Identity:
        try:
            with open_stream(self._path) as file:
                first = file.readline()
        except OSError as error:
            raise EvidenceError(
                f"{self._path}: {reason(error)} (the event stream is missing or cannot be read)"
            ) from None
        try:
            kind = msgspec.json.decode(first, type=_Typed).type
            if kind != HEADER:
                raise EvidenceError(f"{self._path}:1: not the header of an event stream, but {kind!r}")
            self.version = version_of(first)
            header = msgspec.convert(brought_up(msgspec.json.decode(first), STREAM, f"{self._path}:1"), _Header)
        except UNDECODABLE as error:
            raise EvidenceError(f"{self._path}:1: not the header of an event stream: {error}") from None
        return Identity(**{name: getattr(header, name) for name in Identity.__struct_fields__})

    def blocks(self) -> Iterator[Block]:
        """The events in order, in blocks."""
        last_s, self._text = 0.0, b""
        with open_stream(self._path) as file:
            if self._has_header:
                file.readline()
            while (block := self._next(file)) is not None:
                self._refuse(np.diff(block.t, prepend=last_s) < 0, "is earlier than the previous event")
                last_s = block.until_s
                yield block

    def follow(self) -> Iterator[Block | None]:
        """The events in order, in blocks, as the file grows: None if there is nothing new yet. It never ends by itself."""
        last_s = 0.0
        with open_stream(self._path) as file:
            file.readline()
            while True:
                block = self._next(file)
                if block is None:
                    # The rest of a line may not have been written yet.
                    self.cut = False
                    yield None
                    continue
                self._refuse(np.diff(block.t, prepend=last_s) < 0, "is earlier than the previous event")
                last_s = block.until_s
                yield block

    def _next(self, file: BinaryIO) -> Block | None:
        """The next block; None where there is no whole line left."""
        pieces, lines = [self._text], self._text.count(b"\n")
        while lines < LINES_PER_BLOCK and (piece := file.read(_PIECE_BYTES)):
            pieces.append(piece)
            lines += piece.count(b"\n")
        text = self._text = b"".join(pieces)
        self.cut = bool(text) and not lines
        if not lines:
            return None
        self._line += min(lines, LINES_PER_BLOCK)
        parsed = self._forms.parse(text, LINES_PER_BLOCK) if self._forms and not self._bring_up else None
        if parsed is None:
            whole = text.split(b"\n", LINES_PER_BLOCK)
            self._text = whole.pop()
            return self._block(self._decode([line + b"\n" for line in whole]))
        block, size = parsed
        self._text = text[size:]
        self._check(block)
        return block

    def _decode(self, lines: list[bytes]) -> list[Line]:
        try:
            decoded = self._decoder.decode(b"[" + b",".join(lines) + b"]")
        except UNDECODABLE:
            raise self._damage(lines) from None
        if len(decoded) != len(lines):
            raise self._damage(lines)
        if self._bring_up and (place := self._bring_up(decoded)) is not None:
            number = self._line - len(lines) + 1 + place
            what = (
                f"{decoded[place].type} of a stream of version {self.version} does not say what this release must know"
            )
            raise VersionError(f"{self._path}:{number}: {what} (use the release that made it)")
        return decoded

    def _damage(self, lines: list[bytes]) -> EvidenceError:
        for offset, line in enumerate(lines):
            try:
                msgspec.json.decode(line, type=Line)
            except UNDECODABLE as error:
                return self._damaged(len(lines) - offset, f"not an event: {error}")
        return self._damaged(1, "not an event, or one before it")

    def _damaged(self, from_end: int, what: str) -> EvidenceError:
        """The error for a line of the block just read, counted from its last line."""
        return EvidenceError(f"{self._path}:{self._line - from_end + 1}: {what} (the stream is damaged here)")

    def _refuse(self, wrong: Bools, what: str) -> None:
        if wrong.any():
            raise self._damaged(len(wrong) - int(np.argmax(wrong)), what)

    def _block(self, lines: list[Line]) -> Block:
        kinds, tasks, values = [], [], []
        for offset, line in enumerate(lines):
            kind = KIND_OF.get((line.type, line.state))
            if kind is None:
                raise self._damaged(len(lines) - offset, f"unknown event type {line.type!r}")
            number = -1 if line.task is None else _number(line.task)
            if number is None:
                raise self._damaged(len(lines) - offset, f"{line.task!r} is not the number of a task")
            kinds.append(int(kind))
            tasks.append(number)
            values.append(value_of(line, kind, self._vocabulary))
        word = self._vocabulary
        block = make_block(
            [line.t for line in lines],
            kinds,
            until_s=lines[-1].t,
            task=tasks,
            attempt=[line.attempt or line.records for line in lines],
            worker=[line.worker for line in lines],
            cause=[cause_of(line, word) for line in lines],
            label=[label_of(line, word) for line in lines],
            value=values,
        )
        self._check(block)
        return block

    def _check(self, block: Block) -> None:
        self._refuse(block.t > self._latest_s, "is long after the end of the run")
        if (beyond := block.task >= self._task_limit).any():
            name = task_name(int(block.task[np.argmax(beyond)]))
            self._refuse(beyond, f"task {name} is not one that the scenario can have")
        self._refuse(NEEDS_TASK[block.kind] & (block.task < 0), "names no task")
        self._refuse(_NEEDS_VALUE[block.kind] & np.isnan(block.value), "does not say how much, when or which")


def _number(task: str) -> int | None:
    match = _TASK.fullmatch(task)
    return int(match[1]) << KEY_SHIFT | (COPY if match[2] else 0) if match else None


class EventsReader(StreamReader):
    """Reads events that were recorded elsewhere: an event stream, or its lines without the header."""

    def _read_header(self) -> Identity:
        try:
            with open_stream(self._path) as file:
                self._has_header = msgspec.json.decode(file.readline(), type=_Typed).type == HEADER
        except UNDECODABLE as error:
            raise EvidenceError(f"{self._path}:1: not an event: {error}") from None
        if self._has_header:
            return super()._read_header()
        self._line = 0
        return Identity("", "", 0, RECORDED, RECORDED)
