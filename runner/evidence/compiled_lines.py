"""The compiled part that formats blocks: the words of a stream as it takes them, and the lines it gives."""

import ctypes
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from soak.schemas.stream.block import Block
from soak.schemas.stream.events import SPECS, Kind, Spec, Value, on_register
from soak.schemas.stream.vocabulary import Cause, Label, Vocabulary
from soak.simulation.compiled import library

SOURCE = Path(__file__).with_name("lines.c")
BUFFER = 1 << 18
"""Bytes of lines at a time: few enough to stay in the processor's cache."""

_STEP = 16
_FIXED = 256
_FLAGS: tuple[tuple[int, Callable[[Spec], bool]], ...] = (
    (1, lambda spec: spec.uses("task")),
    (2, lambda spec: spec.uses("key")),
    (4, lambda spec: spec.uses("attempt")),
    (8, lambda spec: spec.uses("worker")),
    (16, lambda spec: spec.uses("records")),
    (32, lambda spec: spec.value in {Value.SECONDS, Value.NUMBER}),
    (64, lambda spec: spec.value is Value.NAME),
    (128, lambda spec: spec.uses("label")),
    (256, lambda spec: spec.uses("cause")),
    (512, lambda spec: spec.uses("by")),
    (1024, lambda spec: True),
)
_COLUMNS = ("t", "kind", "task", "attempt", "worker", "cause", "label", "value")
_POINTER, _NUMBER = ctypes.c_void_p, ctypes.c_int64


class _Block(ctypes.Structure):
    _fields_ = [("n", _NUMBER), *((name, _POINTER) for name in _COLUMNS)]


class _Words(ctypes.Structure):
    _fields_ = [
        *((name, _NUMBER) for name in ("n_kinds", "n_causes", "n_labels", "n_names")),
        *((name, _POINTER) for name in ("kinds", "causes", "labels", "names", "kind_text", "word_text")),
    ]


class _Texts:
    """Pieces of text one after the other, and where each is."""

    def __init__(self) -> None:
        self._text = bytearray()
        self.longest = 0

    def places(self, pieces: Iterable[bytes]) -> list[int]:
        """Start and length of each piece."""
        places: list[int] = []
        for piece in pieces:
            places += [len(self._text), len(piece)]
            self._text += piece
            self.longest = max(self.longest, len(piece))
        return places

    def array(self) -> npt.NDArray[np.uint8]:
        """All of them, and room to read a little too far."""
        return np.frombuffer(bytes(self._text) + bytes(_STEP), dtype=np.uint8)


def _json(key: str, word: str) -> bytes:
    return b"," + msgspec.json.encode({key: word})[1:-1] if word else b""


@cache
def _kinds() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8], int]:
    """Flags, type, value and state of each kind of event; the text of these pieces, and the longest of them."""
    texts = _Texts()
    table: list[list[int]] = []
    for kind in Kind:
        spec = SPECS.get(kind, Spec("", ""))
        flags = sum(bit for bit, has in _FLAGS if has(spec)) if kind in SPECS else 0
        pieces = (
            b',"type":"%s"' % spec.type.encode(),
            b',"%s":' % spec.value_name.encode(),
            _json("state", spec.state),
        )
        table.append([flags, *texts.places(pieces)])
    return np.array(table, dtype=np.int64), texts.array(), texts.longest


on_register(_kinds.cache_clear)


def _of_label(label: Label) -> bytes:
    return _json("tenant", label.tenant) + _json("kind", label.kind)


def _of_cause(cause: Cause) -> tuple[bytes, bytes, bytes]:
    return _json("fault", cause.fault), _json("error", cause.error), _json("by", cause.error)


@cache
def _library() -> ctypes.CDLL | None:
    try:
        loaded = library.load(SOURCE)
    except library.Unavailable:
        return None
    loaded.soak_check_lines.argtypes = [_POINTER, _POINTER]
    loaded.soak_check_lines.restype = _NUMBER
    loaded.soak_lines.argtypes = [_POINTER, _POINTER, _NUMBER, _NUMBER, _POINTER, _NUMBER, _POINTER]
    loaded.soak_lines.restype = _NUMBER
    return loaded


class CompiledFormatter:
    """Formats blocks of one stream; knows the words that the vocabulary had when it was made."""

    def __init__(self, part: ctypes.CDLL, vocabulary: Vocabulary) -> None:
        """Raises UnicodeEncodeError for words that are no text."""
        self._part = part
        self.known = _known(vocabulary)
        texts = _Texts()
        kinds, kind_text, longest = _kinds()
        tables: list[npt.NDArray[np.int64] | npt.NDArray[np.uint8]] = [
            kinds,
            _table(texts.places(piece for cause in vocabulary.causes for piece in _of_cause(cause))),
            _table(texts.places(map(_of_label, vocabulary.labels))),
            _table(texts.places(msgspec.json.encode(name) if name else b"" for name in vocabulary.names)),
            kind_text,
            texts.array(),
        ]
        # The structure holds addresses only.
        self._kept = tables
        self._words = _Words(len(kinds), *self.known[:3], *(table.ctypes.data for table in tables))
        self._longest = 3 * longest + 5 * texts.longest
        self._buffer = bytearray(max(BUFFER, 2 * (self._longest + _FIXED)))

    def pieces(self, block: Block) -> Iterator[memoryview] | None:
        """The lines of a block, some at a time; each piece is overwritten by the next. None: left to NumPy."""
        columns = [
            np.ascontiguousarray(getattr(block, name), dtype=np.float64 if name in {"t", "value"} else np.int64)
            for name in _COLUMNS
        ]
        given = _Block(len(block), *(column.ctypes.data for column in columns))
        if self._part.soak_check_lines(ctypes.byref(given), ctypes.byref(self._words)):
            return None
        return self._pieces(given, columns)

    def _pieces(self, given: _Block, kept: object) -> Iterator[memoryview]:
        following = _NUMBER(0)
        arguments = ctypes.byref(given), ctypes.byref(self._words)
        out = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))
        room = self._longest, out, len(self._buffer), ctypes.byref(following)
        while following.value < given.n:
            size = self._part.soak_lines(*arguments, following.value, *room)
            yield memoryview(self._buffer)[:size]


def _table(places: list[int]) -> npt.NDArray[np.int64]:
    return np.array(places, dtype=np.int64)


def _known(vocabulary: Vocabulary) -> tuple[int, int, int, int]:
    return len(vocabulary.causes), len(vocabulary.labels), len(vocabulary.names), id(_kinds()[0])


def formatter_for(vocabulary: Vocabulary, former: CompiledFormatter | None) -> CompiledFormatter | None:
    """The compiled formatter of a stream, anew where there are more words than `former` knows; None: it cannot be had."""
    part = _library()
    if part is None or (former is not None and former.known == _known(vocabulary)):
        return former
    try:
        return CompiledFormatter(part, vocabulary)
    except UnicodeEncodeError:
        return None
