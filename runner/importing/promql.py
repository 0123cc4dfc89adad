"""Expressions of Prometheus (PromQL), parsed: as much of the grammar as alerting rules use.

The grammar is that of https://prometheus.io/docs/prometheus/latest/querying/basics/ and …/operators/.
"""

import re
from collections.abc import Iterator
from typing import TypeAlias

from msgspec import Struct

from soak.runner.importing.values import seconds_of

MAX_TEXT, MAX_DEPTH = 20_000, 60


class PromqlError(ValueError):
    """Text that is not PromQL: what is wrong, at which character (from 1)."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(f"{what} at character {at}")


class Number(Struct, frozen=True):
    """A constant."""

    value: float


class Series(Struct, frozen=True):
    """A selector; `range_s` None: an instant."""

    name: str
    matchers: tuple[tuple[str, str, str], ...] = ()
    range_s: float | None = None
    shifted: bool = False


class Call(Struct, frozen=True):
    """A function or an aggregation; `by`: the labels that an aggregation keeps, or leaves out (`without`)."""

    name: str
    arguments: "tuple[Node, ...]"
    by: tuple[str, ...] = ()


class Text(Struct, frozen=True):
    """A string."""

    value: str


class Binary(Struct, frozen=True):
    """Two expressions and what joins them: an operator, or and, or, unless."""

    op: str
    left: "Node"
    right: "Node"


Node: TypeAlias = Number | Series | Call | Text | Binary

COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")
_LEVELS = (("or",), ("and", "unless"), COMPARISONS, ("+", "-"), ("*", "/", "%", "atan2"), ("^",))
_AGGREGATIONS = frozenset(
    [
        "sum",
        "min",
        "max",
        "avg",
        "group",
        "stddev",
        "stdvar",
        "count",
        "count_values",
        "bottomk",
        "topk",
        "quantile",
        "limitk",
        "limit_ratio",
    ]
)
_TOKEN = re.compile(
    r"""\s*+(?:\#[^\n]*+\n?\s*+)*+(?:
    (?P<duration>[0-9]+(?:ms|[smhdwy])(?:[0-9]+(?:ms|[smhdwy]))*)(?![A-Za-z0-9_])
    |(?P<number>0x[0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
    |(?P<word>[A-Za-z_][A-Za-z0-9_:]*)
    |(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
    |(?P<op>==|!=|<=|>=|=~|!~|[-+*/%^<>=(){}\[\],:@])
    )""",
    re.VERBOSE | re.DOTALL,
)


def parse_promql(text: str) -> Node:
    """Raises PromqlError."""
    if len(text) > MAX_TEXT:
        raise PromqlError(f"an expression of more than {MAX_TEXT:,} characters", MAX_TEXT)
    parser = _Parser(text)
    node = parser.binary(0)
    if parser.word:
        raise parser.error(f"{parser.word!r} is not expected")
    return node


class _Parser:
    """Reads token by token; each method returns a node and leaves the next token in `word`."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self.kind, self.word = "", ""
        self._next()

    def error(self, what: str) -> PromqlError:
        return PromqlError(what, self._at - len(self.word) + 1)

    def _next(self) -> str:
        """Go on to the next token; returns the one before."""
        before, rest = self.word, self._text[self._at :]
        found = _TOKEN.match(self._text, self._at)
        if found:
            self._at, self.kind = found.end(), str(found.lastgroup)
            self.word = found[self.kind]
        elif re.fullmatch(r"\s*(?:#[^\n]*\n?\s*)*", rest):
            self.kind = self.word = ""
        else:
            raise PromqlError(f"{rest.strip()[:1]!r} is not expected", len(self._text) - len(rest.lstrip()) + 1)
        return before

    def _take(self, word: str) -> bool:
        """Whether the next token is this one, which is then passed."""
        if self.kind != "text" and self.word == word:
            self._next()
            return True
        return False

    def _demand(self, word: str) -> None:
        if not self._take(word):
            raise self.error(f"{word!r} is expected here" if self.word else f"the expression ends before a {word!r}")

    def binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        left = self.binary(level + 1)
        while self.kind in {"op", "word"} and (op := self.word.lower()) in _LEVELS[level]:
            self._next()
            self._modifiers()
            left = Binary(op, left, self.binary(level if op == "^" else level + 1))
        return left

    def _modifiers(self) -> None:
        """`bool`, `on (…)`, `ignoring (…)`, `group_left (…)`: which series are matched."""
        while self.kind == "word" and self.word.lower() in {"bool", "on", "ignoring", "group_left", "group_right"}:
            word = self._next().lower()
            if word != "bool" and self.word == "(":
                self._labels()

    def _labels(self) -> tuple[str, ...]:
        self._demand("(")
        found = []
        while not self._take(")"):
            if self.kind not in {"word", "text"}:
                raise self.error("a label is expected here" if self.word else "the expression ends within labels")
            found.append(self._next())
            if self.word != ")":
                self._demand(",")
        return tuple(found)

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self.error(f"an expression of more than {MAX_DEPTH} levels")
        try:
            if self._take("-"):
                inner = self._unary()
                return Number(-inner.value) if isinstance(inner, Number) else Binary("*", Number(-1.0), inner)
            return self._unary() if self._take("+") else self._followed(self._primary())
        finally:
            self._depth -= 1

    def _primary(self) -> Node:
        if self._take("("):
            node = self.binary(0)
            self._demand(")")
            return node
        if self.kind == "number":
            text = self._next()
            return Number(float(int(text, 16)) if text.startswith("0x") else float(text))
        if self.kind == "duration":
            return Number(seconds_of(self._next()) or 0.0)
        if self.kind == "text":
            return Text(self._next()[1:-1])
        if self.kind == "op" and self.word == "{":
            return Series("", self._matchers())
        if self.kind == "word":
            return self._named(self._next())
        raise self.error(f"{self.word!r} is not expected" if self.word else "the expression ends too early")

    def _named(self, name: str) -> Node:
        if name.lower() in {"inf", "nan"}:
            return Number(float(name))
        if name.lower() in _AGGREGATIONS and (self.word == "(" or self.word.lower() in {"by", "without"}):
            return self._aggregation(name.lower())
        if self.word == "(":
            return Call(name, self._arguments())
        return Series(name, self._matchers() if self.kind == "op" and self.word == "{" else ())

    def _aggregation(self, name: str) -> Node:
        by = self._grouping()
        arguments = self._arguments()
        return Call(name, arguments, by or self._grouping())

    def _grouping(self) -> tuple[str, ...]:
        if self.kind == "word" and self.word.lower() in {"by", "without"}:
            self._next()
            return self._labels()
        return ()

    def _arguments(self) -> tuple[Node, ...]:
        self._demand("(")
        found: list[Node] = []
        while not self._take(")"):
            found.append(self.binary(0))
            if self.word != ")":
                self._demand(",")
        return tuple(found)

    def _matchers(self) -> tuple[tuple[str, str, str], ...]:
        self._demand("{")
        found = []
        while not self._take("}"):
            if self.kind not in {"word", "text"}:
                raise self.error("a label is expected here" if self.word else "the expression ends within braces")
            label = self._next()
            op = self.word
            if op not in {"=", "!=", "=~", "!~"}:
                raise self.error("=, !=, =~ or !~ is expected here")
            self._next()
            if self.kind != "text":
                raise self.error("a text in quotes is expected here")
            found.append((label, op, self._next()[1:-1]))
            if self.word != "}":
                self._demand(",")
        return tuple(found)

    def _followed(self, node: Node) -> Node:
        """A range, a subquery, `offset` or `@` after an expression."""
        while True:
            if self._take("["):
                range_s = self._duration()
                if self._take(":") and self.word != "]":
                    self._duration()
                self._demand("]")
                if isinstance(node, Series):
                    node = Series(node.name, node.matchers, range_s, node.shifted)
                else:
                    node = Call("subquery", (node, Number(range_s)))
            elif self.kind == "word" and self.word.lower() == "offset":
                self._next()
                self._take("-")
                self._duration()
                node = _shifted(node)
            elif self._take("@"):
                self._primary()
                node = _shifted(node)
            else:
                return node

    def _duration(self) -> float:
        if self.kind not in {"duration", "number"}:
            raise self.error("a duration such as 5m is expected here")
        return seconds_of(self._next()) or 0.0


def is_shifted(node: Node) -> bool:
    """Whether an expression looks at another time than now, by `offset` or `@`."""
    if isinstance(node, Series):
        return node.shifted
    return (isinstance(node, Call) and node.name == "shifted") or any(is_shifted(each) for each in _parts(node))


def series_in(node: Node) -> Iterator[Series]:
    """Every series in an expression."""
    if isinstance(node, Series):
        yield node
    for each in _parts(node):
        yield from series_in(each)


def _parts(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Binary):
        return node.left, node.right
    return node.arguments if isinstance(node, Call) else ()


def _shifted(node: Node) -> Node:
    if isinstance(node, Series):
        return Series(node.name, node.matchers, node.range_s, True)
    return Call("shifted", (node,))
