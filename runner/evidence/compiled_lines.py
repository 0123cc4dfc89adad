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
from soak.simulation.compiled.calls import INTS, NUMBER, POINTER, Library, address, array_of, columns

BUFFER = 1 << 18
"""Bytes of lines at a time: few enough to stay in the processor's cache."""

_STEP = 16
_FIXED = 256
_FLAGS: dict[str, Callable[[Spec], bool]] = {
    "TASK": lambda spec: spec.uses("task"),
    "KEY": lambda spec: spec.uses("key"),
    "ATTEMPT": lambda spec: spec.uses("attempt"),
    "WORKER": lambda spec: spec.uses("worker"),
    "RECORDS": lambda spec: spec.uses("records"),
    "NUMERIC": lambda spec: spec.value in {Value.SECONDS, Value.NUMBER},
    "NAMED": lambda spec: spec.value is Value.NAME,
    "LABEL": lambda spec: spec.uses("label"),
    "CAUSE": lambda spec: spec.uses("cause"),
    "BY": lambda spec: spec.uses("by"),
    "KNOWN": lambda spec: True,
}
"""What a kind of event has, from the lowest bit on."""
LIMIT = {"task": 10**9, "attempt": 10**4, "worker": 10**8, "records": 10**8}
"""What numbers in the stream are below."""
_COLUMNS = ("t", "kind", "task", "attempt", "worker", "cause", "label", "value")


class _Block(ctypes.Structure):
    _fields_ = (("n", NUMBER), *((name, POINTER) for name in _COLUMNS))


class _Words(ctypes.Structure):
    _fields_ = (
        *((name, NUMBER) for name in ("n_kinds", "n_causes", "n_labels", "n_names")),
        *((name, POINTER) for name in ("kinds", "causes", "labels", "names", "kind_text", "word_text")),
    )


_PIECE = 2
_OF_KIND, _OF_CAUSE = 1 + 3 * _PIECE, 3 * _PIECE
"""How many whole numbers of 64 bits there are to a piece of text, a kind and a cause."""
LIBRARY = Library(
    Path(__file__).with_name("lines.c"),
    {
        "soak_check_lines": (NUMBER, *(ctypes.POINTER(each) for each in (_Block, _Words))),
        "soak_lines": (
            *(NUMBER, ctypes.POINTER(_Block), ctypes.POINTER(_Words), NUMBER, NUMBER),
            *(array_of(np.uint8, written=True), NUMBER, ctypes.POINTER(NUMBER)),
        ),
    },
    {
        "Block": ctypes.sizeof(_Block),
        "Words": ctypes.sizeof(_Words),
        "STEP": _STEP,
        "FIXED": _FIXED,
        "Piece": 8 * _PIECE,
        "KindOf": 8 * _OF_KIND,
        "CauseOf": 8 * _OF_CAUSE,
        **{name: 1 << place for place, name in enumerate(_FLAGS)},
        **{f"MOST_{name.upper()}": limit for name, limit in LIMIT.items()},
    },
)


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
        flags = sum(has(spec) << place for place, has in enumerate(_FLAGS.values())) if kind in SPECS else 0
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


class CompiledFormatter:
    """Formats blocks of one stream; knows the words that the vocabulary had when it was made."""

    def __init__(self, part: ctypes.CDLL, vocabulary: Vocabulary) -> None:
        """Raises UnicodeEncodeError for words that are no text."""
        self._part = part
        self.known = _known(vocabulary)
        texts = _Texts()
        kinds, kind_text, longest = _kinds()
        causes = _table(texts.places(piece for cause in vocabulary.causes for piece in _of_cause(cause)))
        labels = _table(texts.places(map(_of_label, vocabulary.labels)))
        names = _table(texts.places(msgspec.json.encode(name) if name else b"" for name in vocabulary.names))
        self._kept = tables, text = (kinds, causes, labels, names), (kind_text, texts.array())
        """What the structure has the addresses of."""
        addresses = [address(each, INTS) for each in tables], [address(each, array_of(np.uint8)) for each in text]
        self._words = _Words(len(kinds), *self.known[:3], *addresses[0], *addresses[1])
        self._longest = 3 * longest + 5 * texts.longest
        self._buffer = np.empty(max(BUFFER, 2 * (self._longest + _FIXED)), dtype=np.uint8)

    def pieces(self, block: Block) -> Iterator[memoryview] | None:
        """The lines of a block, some at a time; each piece is overwritten by the next. None: left to NumPy."""
        of_block = columns(block, _COLUMNS)
        given = _Block(len(block), *(each.ctypes.data for each in of_block))
        if self._part.soak_check_lines(given, self._words):
            return None
        return self._pieces(given, of_block)

    def _pieces(self, given: _Block, kept: object) -> Iterator[memoryview]:
        following, buffer = NUMBER(0), self._buffer
        while following.value < given.n:
            of_first = given, self._words, following.value, self._longest
            size = self._part.soak_lines(*of_first, buffer, len(buffer), following)
            yield buffer.data[:size]


def _table(places: list[int]) -> npt.NDArray[np.int64]:
    return np.array(places, dtype=np.int64)


def _known(vocabulary: Vocabulary) -> tuple[int, int, int, int]:
    return len(vocabulary.causes), len(vocabulary.labels), len(vocabulary.names), id(_kinds()[0])


def formatter_for(vocabulary: Vocabulary, former: CompiledFormatter | None) -> CompiledFormatter | None:
    """The compiled formatter of a stream, anew where there are more words than `former` knows; None: it cannot be had."""
    part = LIBRARY.load_or_none()
    if part is None or (former is not None and former.known == _known(vocabulary)):
        return former
    try:
        return CompiledFormatter(part, vocabulary)
    except UnicodeEncodeError:
        return None
