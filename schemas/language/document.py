"""YAML text to plain data, with the position of every value, and YAML's pitfalls refused.

Plain scalars are read by the rules of YAML 1.2's core schema; whatever YAML 1.1 readers take
for something else (`no`, `12:30:00`, `1e3`, `010`, dates) is an error, never a guess.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from soak.schemas.errors import FileError, Mark, Problem, ScenarioError, Where, quoted, reason, shortened
from soak.schemas.files import STDIN
from soak.schemas.language.json_text import is_json, read_json
from soak.schemas.language.scalars import JSON, TrapError, read_scalar, remedy_at
from soak.schemas.language.syntax import MAX_DEPTH, MAX_NODES, check_extent, start, syntax_problem, too_large

MAX_BYTES = 1_000_000
STANDARD_INPUT = "<stdin>"
"""What stands for the name of the file in messages about standard input."""

Data: TypeAlias = "None | bool | int | float | str | list[Data] | dict[str, Data]"

_MERGE = "<<"
_PREFIX = "tag:yaml.org,2002:"
_OWN = "x-"
_IMPLICIT: Any = yaml.resolver.Resolver()
_FORBIDDEN: re.Pattern[str] = yaml.reader.Reader.NON_PRINTABLE


@dataclass(slots=True)
class Document:
    """Plain data and, for every path into it, the positions of value and key.

    `problems`: what is valid YAML but not allowed here.
    """

    source: str
    data: Data = None
    content: bytes = b""
    """The text as read: the file may be a pipe, or change later."""
    marks: dict[Where, Mark] = field(default_factory=dict)
    keys: dict[Where, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    composed: bool = False
    """Whether its data are not just what the file says: fragments were included, or values replaced."""
    environment: dict[str, str] = field(default_factory=dict)
    """The values used of names that the file lists under `environment`."""
    included: tuple[str, ...] = ()
    """The fragments that were merged in, by their paths from the folder of the file."""

    def mark(self, where: Where) -> Mark:
        """The mark of the value at `where`, or of its nearest parent."""
        while where and where not in self.marks:
            where = where[:-1]
        return self.marks.get(where, Mark(self.source))

    def problem(self, where: Where, what: str, remedy: str, *, at_key: bool = False) -> Problem:
        """A problem at `where`; `at_key` points at the key and not at its value."""
        mark = self.keys.get(where) if at_key else None
        return (mark or self.mark(where)).problem(where, what, remedy)

    def repeated(self, where: Where, mark: Mark) -> None:
        """Record that the key at `where` is there again at `mark`."""
        what = f"key {quoted(str(where[-1]))} is already on line {self.keys[where].line}"
        self.problems.append(mark.problem(where, what, "keep one"))


def read_document(path: Path, kind: str = "scenario") -> Document:
    """The document in a file of a kind, in words, or on standard input where `path` is `-`.

    Raises FileError when it cannot be read, ScenarioError when it is not YAML.
    """
    text = read_text(path, kind)
    document = parse_document(text, STANDARD_INPUT if path == STDIN else str(path))
    document.content = text
    return document


def read_text(path: Path, kind: str = "scenario") -> bytes:
    """The content of a file of a kind, in words, or of standard input. Raises FileError."""
    named = STANDARD_INPUT if path == STDIN else path
    try:
        text = _content(path)
    except IsADirectoryError:
        raise FileError(named, "is a directory", f"give a {kind} file in it") from None
    except OSError as error:
        raise FileError(named, reason(error), f"give a readable {kind} file") from None
    if len(text) > MAX_BYTES:
        what = f"is larger than {MAX_BYTES:,} bytes"
        raise FileError(named, what, f"{kind} files are much smaller; is this the right file?")
    return text


def _content(path: Path) -> bytes:
    if path == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def parse_document(text: bytes | str, source: str, *, lenient: bool = False) -> Document:
    """The document in `text`. Raises ScenarioError if it is not YAML, or too large when expanded.

    lenient: in a file of another tool, whatever YAML readers read differently is text, and no value is None.
    """
    text = _checked_text(text, source)
    if is_json(text):
        document = Document(source)
        read_json(text, document)
        return document
    try:
        check_extent(text, source)
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ScenarioError([syntax_problem(text, source, error)]) from None
    if node is None:
        problem = Mark(source, 1, 1).problem((), "the file is empty", "`soak init` writes a scenario to start from")
        raise ScenarioError([problem])
    document = Document(source)
    document.data = _Reader(document, lenient=lenient).value(node, ())
    return document


def _checked_text(text: bytes | str, source: str) -> str:
    """`text` decoded. Raises ScenarioError at the first character not allowed in YAML."""
    try:
        decoded = (text.encode() if isinstance(text, str) else text).decode("utf-8-sig")
    except UnicodeEncodeError as error:
        what = f"character {error.start + 1} is not UTF-8"
        raise ScenarioError([Mark(source).problem((), what, "write it as UTF-8")]) from None
    except UnicodeDecodeError as error:
        mark = _mark_after(error.object[: error.start].decode(), source)
        raise ScenarioError([mark.problem((), f"byte {error.start} is not UTF-8", "save the file as UTF-8")]) from None
    forbidden = _FORBIDDEN.search(decoded)
    if forbidden:
        what = f"the control character U+{ord(forbidden[0]):04X} is not allowed"
        raise ScenarioError([_mark_after(decoded[: forbidden.start()], source).problem((), what, "remove it")])
    return decoded


def _mark_after(text: str, source: str) -> Mark:
    return Mark(source, text.count("\n") + 1, len(text) - text.rfind("\n"))


class _Reader:
    """Turns composed nodes into data; aliases are expanded, so their sum is bounded."""

    def __init__(self, document: Document, *, lenient: bool = False) -> None:
        self._document = document
        self._lenient = lenient
        self._nodes = 0

    def value(self, node: yaml.Node, where: Where) -> Data:
        self._spend(node, len(where))
        self._document.marks.setdefault(where, self._mark(node))
        if _has_tag(node):
            self._problem(where, f"the tag {shortened(node.tag.replace(_PREFIX, '!!'))} is not allowed", "remove it")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*where, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, where)

    def _mark(self, node: yaml.Node) -> Mark:
        return start(node, self._document.source)

    def _spend(self, node: yaml.Node, depth: int) -> None:
        """Count one more value; raise ScenarioError for too many values or too deep nesting."""
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ScenarioError([too_large(self._mark(node), depth)])

    def _problem(self, where: Where, what: str, remedy: str) -> None:
        self._document.problems.append(self._document.problem(where, what, remedy))

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Data]:
        data: dict[str, Data] = {}
        for key, value in node.value:
            if not _is_merge(key):
                self._pair(data, key, value, where)
        for key, value in self._merged_pairs(node, where, len(where)):
            if isinstance(key, yaml.ScalarNode) and key.value not in data:
                self._pair(data, key, value, where)
        return data

    def _merged_pairs(self, node: yaml.MappingNode, where: Where, depth: int) -> list[tuple[yaml.Node, yaml.Node]]:
        """The pairs that `<<` merges into a mapping; nested merges come after the mapping's own pairs."""
        pairs = []
        for each in self._merged_mappings(node, where):
            self._spend(each, depth)
            pairs += [pair for pair in each.value if not _is_merge(pair[0])]
            pairs += self._merged_pairs(each, where, depth + 1)
        return pairs

    def _merged_mappings(self, node: yaml.MappingNode, where: Where) -> list[yaml.MappingNode]:
        merged = []
        for key, value in node.value:
            if not _is_merge(key):
                continue
            nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
            mappings = [each for each in nodes if isinstance(each, yaml.MappingNode)]
            if len(mappings) < len(nodes):
                what, remedy = "merges something that is not a mapping", "name the anchor of a mapping"
                self._document.problems.append(self._mark(key).problem((*where, _MERGE), what, remedy))
            merged += mappings
        return merged

    def _pair(self, data: dict[str, Data], key: yaml.Node, value: yaml.Node, where: Where) -> None:
        mark = self._mark(key)
        if not isinstance(key, yaml.ScalarNode):
            self._document.problems.append(mark.problem(where, "a key is not text", "write a plain word as the key"))
            return
        inner = (*where, key.value)
        if key.value in data:
            self._document.repeated(inner, mark)
            return
        self._document.keys[inner] = mark
        data[key.value] = self.value(value, inner)

    def _scalar(self, node: yaml.ScalarNode, where: Where) -> Data:
        text: str = node.value
        if node.style:
            return text
        try:
            return read_scalar(text)
        except TrapError as trap:
            if trap.empty and text and JSON in where:
                return None
            remedy = remedy_at(where, text) or trap.remedy
            return self._refuse(where, trap.what, remedy, None if trap.empty else text)

    def _refuse(self, where: Where, what: str, remedy: str, text: str | None = None) -> str | None:
        """Record a pitfall; under an x- key it is harmless and stays text."""
        if self._lenient or (where and str(where[0]).startswith(_OWN)):
            return text
        self._problem(where, what, remedy)
        return None


def _is_merge(key: yaml.Node) -> bool:
    return isinstance(key, yaml.ScalarNode) and not key.style and key.value == _MERGE


def _has_tag(node: yaml.Node) -> bool:
    """Whether the file gives the node a tag that changes what it is."""
    plain = isinstance(node, yaml.ScalarNode) and not node.style
    return bool(node.tag != _IMPLICIT.resolve(type(node), node.value, (plain, not plain)))
