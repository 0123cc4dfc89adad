"""Files of other tools: one or several YAML documents, or JSON, with the position of every value."""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from soak.schemas.errors import Mark, ScenarioError, Where
from soak.schemas.files import STDIN
from soak.schemas.language.document import STANDARD_INPUT, Data, Document, parse_document, read_text

_SEPARATOR = re.compile(r"(?m)^---(?=[ \t\r\n]|$)[^\n]*\n?")
_SCRIPT = re.compile(
    r"""(?m)^(?:import\b[^\n]*['"]|export[ \t]+(?:default|const|let|var|function|async)\b"""
    r"""|(?:const|let|var)[ \t]+[\w{$][^\n]*=|(?:async[ \t]+)?function\b[^\n]*\(|module\.exports\b)"""
)
"""How a line of JavaScript begins that is neither YAML nor JSON."""
_EMPTY = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n?)*(?:\.\.\.[ \t]*\n?)?")


class Place(Struct, frozen=True):
    """A value in a foreign file, and where it is; wrong shapes give empty results."""

    document: Document
    where: Where
    data: Data

    @property
    def mark(self) -> Mark:
        """Its position."""
        return self.document.mark(self.where)

    def get(self, *steps: str) -> "Place":
        """The value below; of nothing, nothing."""
        place = self
        for step in steps:
            inner = place.data.get(step) if isinstance(place.data, dict) else None
            place = Place(place.document, (*place.where, step), inner)
        return place

    def items(self) -> Iterator["Place"]:
        """The entries of a list."""
        for index, item in enumerate(self.data if isinstance(self.data, list) else ()):
            yield Place(self.document, (*self.where, index), item)

    def entries(self) -> Iterator[tuple[str, "Place"]]:
        """The keys and values of a mapping."""
        for key, value in (self.data if isinstance(self.data, dict) else {}).items():
            yield key, Place(self.document, (*self.where, key), value)

    @property
    def text(self) -> str:
        """A scalar as text; empty for anything else."""
        if isinstance(self.data, bool):
            return str(self.data).lower()
        return str(self.data) if isinstance(self.data, str | int | float) else ""


def read_foreign(path: Path) -> list[Place]:
    """Every document of a file. Raises FileError, or ScenarioError for what is not YAML."""
    source, text = STANDARD_INPUT if path == STDIN else str(path), read_text(path)
    try:
        decoded = text.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        decoded = ""
    parts: list[str | bytes] = [*_parts(decoded)]
    try:
        documents = [parse_document(part, source, lenient=True) for part in parts or [text]]
    except ScenarioError:
        _refuse_script(decoded, source)
        raise
    if all(isinstance(document.data, str) for document in documents):
        _refuse_script(decoded, source)
    if problems := [problem for document in documents for problem in document.problems]:
        raise ScenarioError(problems)
    return [Place(document, (), document.data) for document in documents]


def _refuse_script(text: str, source: str) -> None:
    """Raises ScenarioError for JavaScript, in which k6 has its options."""
    found = _SCRIPT.search(text)
    if not found:
        return
    line = text.count("\n", 0, found.start()) + 1
    remedy = "import options of k6 as JSON: `k6 inspect script.js > options.json` writes them"
    raise ScenarioError([Mark(source, line, 1).problem((), "this is JavaScript, not YAML or JSON", remedy)])


def _parts(text: str) -> Iterator[str]:
    """The text of each document that holds something, after as many empty lines as there are above it."""
    starts = [0, *(found.end() for found in _SEPARATOR.finditer(text))]
    ends = [*(found.start() for found in _SEPARATOR.finditer(text)), len(text)]
    for start, end in zip(starts, ends, strict=True):
        if not _EMPTY.fullmatch(text[start:end]):
            yield "\n" * text.count("\n", 0, start) + text[start:end]
