"""The grammar of objectives, conditions and event filters.

objective  <sli>[{label=value, …}] <op> <target>      latency_p95{tenant=A} <= 120s, latency_share_below(2s) >= 95%
           … ~ <target>: the target lies in the confidence interval of the observed value
relative   <sli>[{…}] <op> <factor>x <label=value, …>  latency_p99{phase=burst} <= 1.2x phase=baseline
filter     <event type>[{field=value, …}]              task.retry{fault=transient}
"""

import operator
import re
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from soak.schemas import beside, units
from soak.schemas.errors import quoted

MAX_TEXT = 300


class UnclearError(ValueError):
    """Text that does not follow the grammar: what is wrong, and what to write."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} ({remedy})")
        self.what = what
        self.remedy = remedy


class Op(StrEnum):
    """A comparison of an observed value with a target."""

    LE = "<="
    GE = ">="
    LT = "<"
    GT = ">"
    EQ = "=="
    NE = "!="
    ABOUT = "~"

    def holds(self, value: float, target: float) -> bool:
        """Whether `value op target`; ABOUT needs an interval, so for a single value it is equality."""
        return _COMPARE[self](value, target)


_COMPARE: dict[Op, Callable[[float, float], bool]] = {
    Op.LE: operator.le,
    Op.GE: operator.ge,
    Op.LT: operator.lt,
    Op.GT: operator.gt,
    Op.EQ: operator.eq,
    Op.NE: operator.ne,
    Op.ABOUT: operator.eq,
}

AT_MOST, AT_LEAST = frozenset({Op.LE, Op.LT}), frozenset({Op.GE, Op.GT})
"""Comparisons with a limit above the value, and below it."""

OPPOSITE = {Op.LE: Op.GT, Op.GE: Op.LT, Op.LT: Op.GE, Op.GT: Op.LE, Op.EQ: Op.NE, Op.NE: Op.EQ}
"""The comparison that holds where another does not."""


class Unit(StrEnum):
    """The unit of an SLI and of its targets."""

    DURATION = "duration"
    RATIO = "ratio"
    COUNT = "count"
    RATE = "rate"
    SIZE = "size"
    DURATION_PER_HOUR = "duration/h"
    COUNT_PER_HOUR = "count/h"
    SIZE_PER_HOUR = "size/h"
    ANSWER = "answer"
    """Of a check that asks for text, or for true or false: 1 where it is what was expected, 0 where it is not."""

    def parse(self, text: str) -> float:
        """Base units of a target such as `120s`, `97%` or `1MB/h`; raises UnclearError."""
        try:
            return _PARSE[self](text)
        except ValueError:
            raise UnclearError(
                f"{quoted(text)} is not a {self.value.replace('/h', ' per hour')}", f"write {_EXAMPLE[self]}"
            ) from None

    def show(self, value: float) -> str:
        """A value in base units, for people."""
        return _SHOW[self](value)

    def show_beside(self, value: float, target: float | None) -> str:
        """A value for people, with enough digits to show on which side of the target it lies."""
        per_hour = self.value.endswith("/h")
        if target is None or not beside.is_near(value, target, ratio=self is Unit.RATIO):
            return self.show(value)
        return f"{_BESIDE[self](value, target)}{'/h' if per_hour else ''}"

    def show_margin(self, margin: float, target: float | None) -> str:
        """A margin in base units, for people: a rate in the unit in which its target is shown."""
        return units.show_rate_like(margin, target or margin) if self is Unit.RATE else self.show(margin)

    def show_difference(self, value: float) -> str:
        """A difference of two values in base units, for people: with its sign, that of ratios in percentage points."""
        size = f"{abs(value) * 100:.3g} points" if self is Unit.RATIO else self.show(abs(value))
        return f"{'+' if value > 0 else '-' if value < 0 else ''}{size}"

    @property
    def symbol(self) -> str:
        """The base unit a value is stored in."""
        return _SYMBOL[self]


def _count(text: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", text):
        raise ValueError(text)
    return float(text)


def _per_hour(parse: Callable[[str], float]) -> Callable[[str], float]:
    def parse_growth(text: str) -> float:
        if not text.endswith("/h"):
            raise ValueError(text)
        return parse(text[:-2])

    return parse_growth


_ANSWERS = {"something else": 0.0, "as expected": 1.0}
_PARSE: dict[Unit, Callable[[str], float]] = {
    Unit.DURATION: units.duration,
    Unit.RATIO: units.ratio,
    Unit.COUNT: _count,
    Unit.RATE: units.rate,
    Unit.SIZE: units.size,
    Unit.DURATION_PER_HOUR: _per_hour(units.duration),
    Unit.COUNT_PER_HOUR: _per_hour(_count),
    Unit.SIZE_PER_HOUR: _per_hour(units.size),
    Unit.ANSWER: lambda text: _ANSWERS[text] if text in _ANSWERS else _count(text),
}
_EXAMPLE = {
    Unit.DURATION: "120s or 1m30s",
    Unit.RATIO: "97% or 0.97",
    Unit.COUNT: "a plain number such as 0",
    Unit.RATE: "5/min or 100/s",
    Unit.SIZE: "600MB or 64MiB",
    Unit.DURATION_PER_HOUR: "10ms/h",
    Unit.COUNT_PER_HOUR: "2/h",
    Unit.SIZE_PER_HOUR: "1MB/h",
    Unit.ANSWER: "0 or 1",
}
_SHOW: dict[Unit, Callable[[float], str]] = {
    Unit.DURATION: units.show_duration,
    Unit.RATIO: units.show_ratio,
    Unit.COUNT: units.show_count,
    Unit.RATE: units.show_rate,
    Unit.SIZE: units.show_size,
    Unit.DURATION_PER_HOUR: lambda value: f"{units.show_duration(value)}/h",
    Unit.COUNT_PER_HOUR: lambda value: f"{value:.4g}/h",
    Unit.SIZE_PER_HOUR: lambda value: f"{units.show_size(value)}/h",
    Unit.ANSWER: lambda value: "as expected" if value else "something else",
}
_BESIDE: dict[Unit, Callable[[float, float], str]] = {
    Unit.DURATION: beside.duration,
    Unit.RATIO: beside.ratio,
    Unit.COUNT: beside.count,
    Unit.RATE: beside.rate,
    Unit.SIZE: beside.size,
    Unit.DURATION_PER_HOUR: beside.duration,
    Unit.COUNT_PER_HOUR: beside.count,
    Unit.SIZE_PER_HOUR: beside.size,
    Unit.ANSWER: lambda value, _: _SHOW[Unit.ANSWER](value),
}
_SYMBOL = {
    Unit.DURATION: "s",
    Unit.RATIO: "0..1",
    Unit.COUNT: "count",
    Unit.RATE: "1/s",
    Unit.SIZE: "B",
    Unit.DURATION_PER_HOUR: "s/h",
    Unit.COUNT_PER_HOUR: "1/h",
    Unit.SIZE_PER_HOUR: "B/h",
    Unit.ANSWER: "0 or 1",
}

Selector = tuple[tuple[str, str], ...]
"""Labels and the values they must have; a value `*` stands for each value by itself."""


class Relative(Struct, frozen=True):
    """A target that is a multiple of the same SLI with other labels."""

    factor: float
    selector: Selector


class Expression(Struct, frozen=True):
    """A parsed objective or condition, its target still as written: the SLI's unit gives it meaning."""

    text: str
    sli: str
    selector: Selector
    op: Op
    target: str
    relative: Relative | None


class EventFilter(Struct, frozen=True):
    """Events of one type whose fields have the given values."""

    type: str
    fields: Selector


SLI_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[0-9]+)?(?:\([^(){}]*\))?"
"""A name, and what may follow it: `latency_p99.9`, `latency_share_below(2s)`."""

_SELECTOR = r"(?:\{(?P<selector>[^{}]*)\})?"
_EXPRESSION = re.compile(rf"\s*(?P<sli>{SLI_NAME})\s*{_SELECTOR}\s*(?P<op><=|>=|==|!=|<|>|~)\s*(?P<target>.*\S)\s*")
_RELATIVE = re.compile(r"(?P<factor>[0-9]{1,12}(?:\.[0-9]{1,12})?)x(?:\s+(?P<selector>\S.*))?")
_FILTER = re.compile(rf"\s*(?P<type>[a-z_]+\.[a-z_]+)\s*{_SELECTOR}\s*")
_QUOTES = re.compile(r"[\"']")
_LABEL = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*([A-Za-z0-9_.*-]+)\s*")


def parse_expression(text: str) -> Expression:
    """An objective or condition; raises UnclearError."""
    match = _match(_EXPRESSION, text)
    if not match:
        raise UnclearError(
            f"{quoted(text)} is not an objective", "write <sli> <op> <target>, such as latency_p95 <= 120s"
        )
    relative = _RELATIVE.fullmatch(match["target"])
    if relative and not relative["selector"]:
        what = f"{quoted(match['target'])} does not say what it is relative to"
        raise UnclearError(what, f"write {match['target']} phase=baseline, or a fixed target")
    return Expression(
        text=" ".join(text.split()),
        sli="".join(match["sli"].split()),
        selector=_selector(match["selector"]),
        op=Op(match["op"]),
        target=match["target"],
        relative=Relative(float(relative["factor"]), _selector(relative["selector"])) if relative else None,
    )


def parse_filter(text: str) -> EventFilter:
    """An event filter; raises UnclearError."""
    match = _match(_FILTER, text)
    if not match:
        raise UnclearError(
            f"{quoted(text)} is not an event filter", "write a type such as task.done, or task.retry{fault=transient}"
        )
    return EventFilter(match["type"], _selector(match["selector"]))


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    # Matching is quadratic in runs of blanks: fine in a line, not in a megabyte.
    if len(text) > MAX_TEXT:
        raise UnclearError(f"{quoted(text)} has {len(text):,} characters", f"write {MAX_TEXT} at most")
    return pattern.fullmatch(text)


def _selector(text: str | None) -> Selector:
    if text is None:
        return ()
    labels = []
    for part in text.split(","):
        match = _LABEL.fullmatch(part)
        if not match:
            bare = _LABEL.fullmatch(_QUOTES.sub("", part))
            remedy = f"write it without quotes: {bare[1]}={bare[2]}" if bare else "write label=value, such as tenant=A"
            raise UnclearError(f"{quoted(part.strip())} is not a label", remedy)
        labels.append((match[1], match[2]))
    if len({label for label, _ in labels}) < len(labels):
        raise UnclearError(f"{quoted(text)} names a label twice", "keep one")
    return tuple(labels)
