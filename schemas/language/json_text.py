"""JSON text to plain data, with the position of every value.

JSON is nearly YAML: numbers with exponents and characters written as two escapes (`\\ud83d\\ude00`) are read differently, so that
a scenario in JSON is read by the rules of JSON (RFC 8259). Text that is not a JSON object is left to the YAML reader.
"""

import json
import math
import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from soak.schemas.errors import Mark, ScenarioError, Where
from soak.schemas.language.scalars import JSON, MAX_DIGITS, TrapError, read_scalar
from soak.schemas.language.syntax import MAX_DEPTH, MAX_NODES, too_large

if TYPE_CHECKING:
    from soak.schemas.language.document import Data, Document

_OBJECT = re.compile(r'[ \t\r\n]*\{[ \t\r\n]*["}]')
_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[^][{}:,\" \t\r\n]+")
_EXPONENT = re.compile(r"-?[0-9.]+[eE]")
_HALF = re.compile("[\ud800-\udfff]")
_EXACT = 2.0**53
_DECODER = json.JSONDecoder()


def is_json(text: str) -> bool:
    """Whether `text` is a JSON object."""
    if not _OBJECT.match(text):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def read_json(text: str, document: "Document") -> None:
    """Put the data of a JSON object, and where each value is, into `document`.

    Raises ScenarioError for too many values or too deep nesting.
    """
    reader = _Reader(text, document)
    document.data = reader.value(_SPACE.match(text).end(), ())[0]  # type: ignore[union-attr]


class _Reader:
    """Reads text that is known to be JSON; each method returns a value and the place after it."""

    def __init__(self, text: str, document: "Document") -> None:
        self._text, self._document = text, document
        self._lines = [0, *(each.end() for each in re.finditer(r"\n", text))]
        self._nodes = 0

    def value(self, at: int, where: Where) -> "tuple[Data, int]":
        mark = self._mark(at)
        self._nodes += 1
        if self._nodes > MAX_NODES or len(where) > MAX_DEPTH:
            raise ScenarioError([too_large(mark, len(where))])
        self._document.marks.setdefault(where, mark)
        match self._text[at]:
            case "{":
                return self._object(at, where)
            case "[":
                return self._array(at, where)
            case '"':
                return self._string(at, where)
        word = _WORD.match(self._text, at)
        assert word
        return self._scalar(word[0], where), word.end()

    def _mark(self, at: int) -> Mark:
        line = bisect_right(self._lines, at)
        return Mark(self._document.source, line, at - self._lines[line - 1] + 1)

    def _after_space(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _object(self, at: int, where: Where) -> "tuple[Data, int]":
        data: dict[str, Data] = {}
        at = self._after_space(at + 1)
        while self._text[at] != "}":
            mark = self._mark(at)
            key, at = _DECODER.raw_decode(self._text, at)
            inner = (*where, key)
            at = self._after_space(self._after_space(at) + 1)
            if key in data:
                self._document.repeated(inner, mark)
                _, at = self._aside().value(at, inner)
            else:
                self._document.keys[inner] = mark
                data[key], at = self.value(at, inner)
            at = self._after_space(at)
            at = self._after_space(at + 1) if self._text[at] == "," else at
        return data, at + 1

    def _aside(self) -> "_Reader":
        """A reader of the same text whose values go nowhere."""
        return _Reader(self._text, type(self._document)(self._document.source))

    def _array(self, at: int, where: Where) -> "tuple[Data, int]":
        items: list[Data] = []
        at = self._after_space(at + 1)
        while self._text[at] != "]":
            item, at = self.value(at, (*where, len(items)))
            items.append(item)
            at = self._after_space(at)
            at = self._after_space(at + 1) if self._text[at] == "," else at
        return items, at + 1

    def _string(self, at: int, where: Where) -> "tuple[Data, int]":
        text, end = _DECODER.raw_decode(self._text, at)
        if _HALF.search(text):
            self._refuse(where, "has half of a character", "write both halves of the escape \\uD83D\\uDE00")
            return None, end
        return text, end

    def _scalar(self, word: str, where: Where) -> "Data":
        try:
            return _number(word) if _EXPONENT.match(word) else read_scalar(word)
        except TrapError as trap:
            if not (trap.empty and JSON in where):
                self._refuse(where, trap.what, trap.remedy)
            return None

    def _refuse(self, where: Where, what: str, remedy: str) -> None:
        """Record what cannot be used; under an x- key it is harmless."""
        if not str(where[0]).startswith("x-"):
            self._document.problems.append(self._document.problem(where, what, remedy))


def _number(word: str) -> int | float:
    """A number with an exponent. Raises TrapError."""
    number = float(word) if len(word) <= MAX_DIGITS else math.inf
    if not math.isfinite(number):
        raise TrapError("is not a finite number", "write a finite number")
    return int(number) if number.is_integer() and abs(number) < _EXACT else number
