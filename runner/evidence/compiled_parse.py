"""What a line of the event stream means, and the compiled part that reads lines in the form that this project writes."""

import ctypes
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np

from soak.schemas.evidence.versions import UNDECODABLE
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import KIND_OF, SPECS, Kind, Value
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.compiled.calls import NUMBER, POINTER, REAL, Handle, Library, array_of, column_type

_Number: TypeAlias = Annotated[float, msgspec.Meta(ge=0, lt=9e12)]


class Line(msgspec.Struct):
    """One event as it stands in the stream."""

    t: _Number
    type: str
    task: str | None = None
    key: str | None = None
    attempt: Annotated[int, msgspec.Meta(ge=0, lt=10_000)] = 0
    worker: Annotated[int, msgspec.Meta(ge=0, lt=100_000_000)] = -1
    records: Annotated[int, msgspec.Meta(ge=1, lt=100_000_000)] = 0
    due: _Number | None = None
    ran: _Number | None = None
    gap: _Number | None = None
    pause: _Number | None = None
    planned: _Number | None = None
    value: _Number | None = None
    status: _Number | None = None
    name: str | None = None
    to: str | None = None
    differing: _Number | None = None
    tenant: str = ""
    kind: str = ""
    state: str = ""
    fault: str = ""
    error: str = ""
    by: str = ""


_NUMBERS = frozenset({"", "due", "ran", "gap", "pause", "planned", "value", "status", "differing"})
_WORDS = frozenset({"name", "to", "tenant", "kind", "state", "fault", "error", "by"})


def value_of(line: Line, kind: Kind, vocabulary: Vocabulary) -> float:
    """The value of a line of this kind; NaN for none."""
    spec = SPECS[kind]
    value = getattr(line, spec.value_name) if spec.value_name else None
    if value is None:
        return np.nan
    return float(vocabulary.name(value) if spec.value is Value.NAME else value)


def cause_of(line: Line, vocabulary: Vocabulary) -> int:
    """The cause of a line, as a number of the vocabulary."""
    return vocabulary.cause(line.fault, line.error or line.by) if line.fault or line.error or line.by else 0


def label_of(line: Line, vocabulary: Vocabulary) -> int:
    """The label of a line, as a number of the vocabulary; -1 for none."""
    return vocabulary.label(line.tenant, line.kind) if line.tenant or line.kind else -1


_COLUMNS = ("t", "kind", "task", "attempt", "worker", "cause", "label", "value")
_OF_NUMBER = 1
_DONE, _NEW_FORM = 0, 1
_MOST_FORMS = 4096
"""Streams have some dozens. What has another one in each line is not read faster by learning them."""


class _Columns(ctypes.Structure):
    _fields_ = tuple((name, POINTER) for name in _COLUMNS)


class _Parts(ctypes.Structure):
    _fields_ = (("start", POINTER * 3), ("lengths", NUMBER * 3))


class _Progress(ctypes.Structure):
    _fields_ = (("lines", NUMBER), ("bytes", NUMBER), ("unknown", _Parts))


LIBRARY = Library(
    Path(__file__).with_name("parse.c"),
    {
        "soak_forms": (POINTER,),
        "soak_forget_forms": (None, POINTER),
        "soak_learn": (NUMBER, POINTER, ctypes.POINTER(_Parts), *[NUMBER] * 4, REAL),
        "soak_parse": (
            *(NUMBER, POINTER, array_of(np.uint8), NUMBER, NUMBER),
            *(ctypes.POINTER(_Columns), ctypes.POINTER(_Progress)),
        ),
    },
    {
        "Columns": ctypes.sizeof(_Columns),
        "Parts": ctypes.sizeof(_Parts),
        "Progress": ctypes.sizeof(_Progress),
        "OF_NUMBER": _OF_NUMBER,
        "DONE": _DONE,
        "NEW_FORM": _NEW_FORM,
    },
)


class Forms:
    """The forms of lines of one stream: type, name of the number and words, which together say all but the numbers."""

    def __init__(self, part: ctypes.CDLL, vocabulary: Vocabulary) -> None:
        """Raises MemoryError."""
        self._part = part
        self._forms = Handle(part.soak_forms(), part.soak_forget_forms)
        self._vocabulary = vocabulary
        self._known = 0

    def parse(self, text: bytes, most: int) -> tuple[Block, int] | None:
        """The block of the first whole lines, `most` at most, and their size in bytes; None: they are left to Python."""
        data = np.frombuffer(text, dtype=np.uint8)
        columns: dict[str, Any] = {name: np.empty(most, dtype=column_type(name)) for name in _COLUMNS}
        given, progress = _Columns(*(column.ctypes.data for column in columns.values())), _Progress()
        arguments = data, len(text), most, given, progress
        while (outcome := self._part.soak_parse(self._forms, *arguments)) == _NEW_FORM:
            if not self._learn(text, data.ctypes.data, progress.unknown):
                return None
        if outcome != _DONE:
            return None
        size = progress.lines
        found = {name: column[:size] if 2 * size > most else column[:size].copy() for name, column in columns.items()}
        return Block(**found, until_s=float(found["t"][-1])), progress.bytes

    def _learn(self, text: bytes, data: int, parts: _Parts) -> bool:
        """Whether the form is one that this project writes."""
        places = [start - data for start in parts.start]
        type_, number, words = (
            text[place : place + length] for place, length in zip(places, parts.lengths, strict=True)
        )
        line = _read(type_, words) if self._known < _MOST_FORMS and number.decode() in _NUMBERS else None
        kind = KIND_OF.get((line.type, line.state)) if line else None
        if line is None or kind is None:
            return False
        self._known += 1
        spec, words_of = SPECS[kind], self._vocabulary
        flags = _OF_NUMBER if number and spec.value_name == number.decode() else 0
        told = cause_of(line, words_of), label_of(line, words_of), flags, value_of(line, kind, words_of)
        return bool(self._part.soak_learn(self._forms, parts, int(kind), *told))


def _read(type_: bytes, words: bytes) -> Line | None:
    """A line of these words; None where they are not written as this project writes them."""
    try:
        said = msgspec.json.decode(b"{" + words[1:] + b"}", type=dict[str, str])
        if not said.keys() <= _WORDS or (words and b"," + msgspec.json.encode(said)[1:-1] != words):
            return None
        return msgspec.json.decode(b'{"t":0,"type":"' + type_ + b'"' + words + b"}", type=Line)
    except UNDECODABLE:
        return None


def forms_of(vocabulary: Vocabulary) -> Forms | None:
    """The forms of a stream with these words, to which others are added; None: there is no compiled part."""
    part = LIBRARY.load_or_none()
    return Forms(part, vocabulary) if part else None
