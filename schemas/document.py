"""YAML text to plain data, every value with the place it stands at, and YAML's traps refused.

Plain scalars are read by the rules of YAML 1.2's core schema; whatever YAML 1.1 readers take
for something else (`no`, `12:30:00`, `1e3`, `010`, dates) is an error and never a guess.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml

from schemas.errors import Problem, ScenarioError, UsageError

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
MAX_DEPTH = 40

Data: TypeAlias = "None | bool | int | float | str | list[Data] | dict[str, Data]"
Where: TypeAlias = tuple[str | int, ...]

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)")
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_TRAPS = (
    (
        re.compile(r"y|n|yes|no|on|off", re.I),
        "is a truth value to some YAML readers and text to others",
        "write true or false, or put it in quotes",
    ),
    (
        re.compile(r"[-+]?[0-9]+(:[0-9]{1,2})+(\.[0-9]*)?"),
        "is a number in base 60 to some YAML readers",
        "write a duration such as 12h30m, or put it in quotes",
    ),
    (
        re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+"),
        "is a number to some YAML readers and text to others",
        "write the number in full, such as 1000",
    ),
    (
        re.compile(r"[-+]?0[0-9_]+|[-+]?0[xob][0-9a-fA-F_]+"),
        "is an octal, hexadecimal or binary number to some YAML readers",
        "write it as a decimal number, or put it in quotes",
    ),
    (
        re.compile(r"[-+]?[0-9]+(_[0-9]+)+"),
        "is a number to some YAML readers and text to others",
        "write the number without underscores",
    ),
    (re.compile(r"[-+]?\.(inf|nan)", re.I), "is not a finite number", "write a finite number"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), "is a date to some YAML readers", "put it in quotes"),
)
_MERGE = "<<"
_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a source: a file or a `--set`; line and column count from 1 (0: the source has no lines)."""

    source: str
    line: int = 0
    column: int = 0


@dataclass(slots=True)
class Document:
    """Plain data and, for every path into it, where the value and its key stand; `problems` is what YAML allows but we do not."""

    source: str
    data: Data = None
    marks: dict[Where, Mark] = field(default_factory=dict)
    keys: dict[Where, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def mark(self, where: Where) -> Mark:
        """The mark of the value at `where`, or of the nearest thing around it."""
        while where and where not in self.marks:
            where = where[:-1]
        return self.marks.get(where, Mark(self.source))

    def problem(self, where: Where, what: str, remedy: str, *, at_key: bool = False) -> Problem:
        """A problem at `where`; `at_key` points at the key and not at its value."""
        mark = self.keys.get(where) if at_key else None
        mark = mark or self.mark(where)
        return Problem(mark.source, mark.line, mark.column, show_path(where), what, remedy)


def show_path(where: Where) -> str:
    """`('slos', 2, 'objective')` as a person writes it: `slos[2].objective`."""
    text = ""
    for step in where:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read_document(path: Path) -> Document:
    """The document in a file. Raises UsageError when it cannot be read, ScenarioError when it is not YAML."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise UsageError(f"{path}: is a directory (name a scenario file in it)") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error} (name a scenario file that can be read)") from None
    if len(text) > MAX_BYTES:
        raise UsageError(f"{path}: is larger than {MAX_BYTES:,} bytes (a scenario is a page or two)")
    return parse_document(text, str(path))


def parse_document(text: bytes | str, source: str) -> Document:
    """The document in `text`. Raises ScenarioError when it is not YAML, or is not to be expanded."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except UnicodeDecodeError as error:
        raise ScenarioError(
            [Problem(source, 0, 0, "", f"byte {error.start} is not UTF-8", "save the file as UTF-8")]
        ) from None
    except yaml.MarkedYAMLError as error:
        raise ScenarioError([_syntax_problem(source, error)]) from None
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise ScenarioError([Problem(source, 0, 0, "", what, "remove what YAML does not allow")]) from None
    document = Document(source)
    if node is None:
        raise ScenarioError(
            [Problem(source, 1, 1, "", "the file is empty", "`soak init` writes a scenario to start from")]
        )
    document.data = _Reader(document).value(node, ())
    return document


def _syntax_problem(source: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    what = ": ".join(part for part in (error.context, error.problem) if part)
    return Problem(
        source, line, column, "", f"not YAML: {what}", "mind indentation, quotes and brackets here and just above"
    )


class _Reader:
    """Turns composed nodes into data; aliases are expanded, so their sum is bounded."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0

    def value(self, node: yaml.Node, where: Where) -> Data:
        self._nodes += 1
        mark = self._mark(node)
        if self._nodes > MAX_NODES or len(where) > MAX_DEPTH:
            limit = f"{MAX_DEPTH} levels" if len(where) > MAX_DEPTH else f"{MAX_NODES:,} values"
            what = f"the file expands to more than {limit}"
            raise ScenarioError(
                [Problem(mark.source, mark.line, mark.column, "", what, "use fewer aliases and less nesting")]
            )
        self._document.marks.setdefault(where, mark)
        if not node.tag.startswith(_PREFIX) or node.tag.removeprefix(_PREFIX) in {"binary", "set", "omap", "pairs"}:
            self._problem(where, f"tag {node.tag.replace(_PREFIX, '!!')} is not allowed", "remove it")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*where, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, where)

    def _mark(self, node: yaml.Node) -> Mark:
        return Mark(self._document.source, node.start_mark.line + 1, node.start_mark.column + 1)

    def _problem(self, where: Where, what: str, remedy: str) -> None:
        self._document.problems.append(self._document.problem(where, what, remedy))

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Data]:
        data: dict[str, Data] = {}
        merged: list[tuple[yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and not key.style and key.value == _MERGE:
                merged += self._merge_pairs(value, where)
            else:
                self._pair(data, key, value, where)
        for key, value in merged:
            if isinstance(key, yaml.ScalarNode) and key.value not in data:
                self._pair(data, key, value, where)
        return data

    def _merge_pairs(self, node: yaml.Node, where: Where) -> list[tuple[yaml.Node, yaml.Node]]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if all(isinstance(each, yaml.MappingNode) for each in nodes):
            return [pair for each in nodes for pair in each.value]
        self._document.marks[(*where, _MERGE)] = self._mark(node)
        self._problem((*where, _MERGE), "merges something that is not a mapping", "name the anchor of a mapping")
        return []

    def _pair(self, data: dict[str, Data], key: yaml.Node, value: yaml.Node, where: Where) -> None:
        mark = self._mark(key)
        if not isinstance(key, yaml.ScalarNode):
            self._document.problems.append(
                Problem(
                    mark.source,
                    mark.line,
                    mark.column,
                    show_path(where),
                    "a key is not text",
                    "write a plain word as the key",
                )
            )
            return
        inner = (*where, key.value)
        if key.value in data:
            first = self._document.keys[inner].line
            problem = Problem(
                mark.source,
                mark.line,
                mark.column,
                show_path(inner),
                f"key {key.value!r} is already on line {first}",
                "keep one",
            )
            self._document.problems.append(problem)
            return
        self._document.keys[inner] = mark
        data[key.value] = self.value(value, inner)

    def _scalar(self, node: yaml.ScalarNode, where: Where) -> Data:
        text: str = node.value
        if node.style:
            return text
        if _NULL.fullmatch(text):
            self._problem(where, "has no value", "write one, or remove the key")
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _INT.fullmatch(text):
            return int(text) if len(text) < 20 else float(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        for pattern, what, remedy in _TRAPS:
            if pattern.fullmatch(text):
                self._problem(where, f"{text} {what}", remedy)
                return None
        return text
