"""Checks of what a system holds, and the teardown: commands, HTTP requests and SQL queries beside the load."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from msgspec import Struct

from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.outlets import Secret
from soak.schemas.language.slis import Aggregate, Better, Sli

MOST_VALUE = 9e12
"""A value is smaller, whatever its sign: an event stream holds no larger one."""


class When(StrEnum):
    """When a check is made: once the system is ready, at an interval, when all work is over, or then until it holds."""

    BEFORE = "before"
    EVERY = "every"
    AFTER = "after"
    SETTLED = "settled"

    @property
    def at_the_end(self) -> bool:
        """Whether it is made when all work is over."""
        return self in {When.AFTER, When.SETTLED}


class Figure(StrEnum):
    """What the runner knows of the work that it offered so far, of a tenant where a check is of one."""

    OFFERED = "offered"
    DONE = "done"
    FAILED = "failed"


class LoadFigure(Struct, frozen=True):
    """A figure of the load, of all kinds of work or of one."""

    figure: Figure
    kind: str = ""

    @property
    def name(self) -> str:
        """As it is named in braces: `done`, `done.reads`."""
        return f"{self.figure.value}.{self.kind}" if self.kind else self.figure.value


class Exec(Struct, frozen=True):
    """A command, as its words: there is no shell."""

    words: tuple[str, ...]


class Http(Struct, frozen=True):
    """A request to `url`, or to `path` below the URL of the target; `json` is the body, None for none."""

    method: str
    url: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str | Secret], ...]
    json: Any
    body: str | None


class Sql(Struct, frozen=True):
    """A query of a database, which is given by its URL."""

    database: str | Secret
    query: str


Action = Exec | Http | Sql


class Field(Struct, frozen=True):
    """Another field of the same answer."""

    name: str


class Exactly(Struct, frozen=True):
    """Text, or true or false, which an answer is expected to equal."""

    value: str | bool

    @property
    def shown(self) -> str:
        """As it is written in an objective."""
        return str(self.value).lower() if isinstance(self.value, bool) else f'"{self.value}"'


Target = float | Field | LoadFigure | Exactly


class Expected(Struct, frozen=True):
    """An entry of `expect`: `field op target`."""

    field: str
    op: Op
    target: Target

    @property
    def shown(self) -> str:
        """The comparison without its field."""
        match self.target:
            case Field(name):
                text = name
            case LoadFigure():
                text = braced(self.target)
            case Exactly():
                text = self.target.shown
            case _:
                text = f"{self.target:.12g}"
        return f"{self.op.value} {text}"

    @property
    def beside(self) -> str | None:
        """The name of the value that it is compared with; None where that is written in the scenario."""
        match self.target:
            case Field(name):
                return name
            case LoadFigure():
                return braced(self.target)
            case _:
                return None

    @property
    def covers(self) -> bool:
        """Whether it says that all that there is was looked at: a smaller value than the other field's says nothing."""
        return isinstance(self.target, Field) and self.op in {Op.EQ, Op.GE, Op.GT}


class Step(Struct, frozen=True):
    """A step of the teardown; `tenants`: the one empty name where it is not done for each tenant."""

    name: str
    action: Action
    tenants: tuple[str, ...]
    timeout_s: float
    """In real seconds."""


class Check(Step, frozen=True):
    """A check. every_s: of `every`, the interval; within_s: of `settled`, for how long it is tried; in scenario time."""

    when: When
    every_s: float
    within_s: float
    expected: tuple[Expected, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """The names of its values, in the order of their numbers: fields that are expected, what they are compared with."""
        beside = (each.beside for each in self.expected)
        return tuple(dict.fromkeys([*(each.field for each in self.expected), *(name for name in beside if name)]))

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that its answer must have."""
        return tuple(name for name in self.values if not name.startswith("{"))

    @property
    def figures(self) -> tuple[LoadFigure, ...]:
        """What of the load it is compared with."""
        return tuple(dict.fromkeys(each.target for each in self.expected if isinstance(each.target, LoadFigure)))

    def text_of(self, field: str) -> str | bool | None:
        """What a field must equal that is not a number."""
        found = (
            each.target.value for each in self.expected if each.field == field and isinstance(each.target, Exactly)
        )
        return next(found, None)

    def sli_name(self, field: str) -> str:
        """The indicator of a field."""
        return sli_name(self.name, field)


def braced(count: LoadFigure) -> str:
    """A figure as it is named in a scenario."""
    return f"{{{count.name}}}"


def sli_name(check: str, field: str) -> str:
    """The indicator of a field of a check, by their names."""
    return f"{check}_{field}".replace("-", "_").replace(".", "_")


def numbered(checks: Iterable[Check]) -> Iterator[tuple[Check, str]]:
    """Every value of all checks, in the order of their numbers in an event stream."""
    for check in checks:
        for name in check.values:
            yield check, name


def check_slis(checks: Iterable[Check]) -> Iterator[Sli]:
    """The indicators of checks: for each field its last value, or the worst of those that are made at an interval."""
    for check in checks:
        ops = {each.field: each.op for each in check.expected}
        for field in check.fields:
            every = check.when is When.EVERY
            higher = ops.get(field) in {Op.GE, Op.GT}
            worst = "smallest" if higher else "largest"
            yield Sli(
                check.sli_name(field),
                f"{field} of the check {check.name}{f', the {worst}' if every else ''}",
                Unit.COUNT,
                Aggregate.GAUGE,
                check.sli_name(field),
                Better.HIGHER if higher else Better.LOWER,
                irregular=True,
                compared=False,
                by=("tenant",) if check.tenants != ("",) else (),
                at_the_end=check.when.at_the_end,
                latest=not every,
                only_real=True,
            )
