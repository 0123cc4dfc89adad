"""Templates, compiled once: functions of the context of a request. What is the same for all requests is put in beforehand."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from soak.runner.http.draws import integers, uuids
from soak.schemas.errors import UsageError, quoted
from soak.schemas.language.csv_files import Table
from soak.schemas.language.http import Pick
from soak.schemas.language.request_templates import RANDOM, UUID, Part, Reference, number_of, parse


class Context:
    """What one request is rendered from. saved: values kept of earlier answers; given: those of the login."""

    __slots__ = ("given", "kind", "number", "saved", "tenant", "user")

    def __init__(self, kind: str, number: int, tenant: str, user: int, saved: dict[str, Any]) -> None:
        self.kind, self.number, self.tenant, self.user, self.saved = kind, number, tenant, user, saved
        self.given: Mapping[str, Any] = {}


class NotYetError(Exception):
    """A value that no answer has given yet: its name."""


Value: TypeAlias = Callable[[Context], Any]
Text: TypeAlias = Callable[[Context], str]


@dataclass(frozen=True, slots=True)
class Names:
    """What names in templates stand for.

    constants: the variables, secrets among them; of a name that answers give, its value until one has. saved: names that answers
    to kinds give; given: those that the login gives.
    """

    seed: int
    constants: Mapping[str, str] = field(default_factory=dict, repr=False)
    saved: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    tables: Mapping[str, tuple[Table, Pick]] = field(default_factory=dict, repr=False)

    def parts(self, text: str) -> tuple[Part, ...]:
        """The parts of a template, with constants put in."""
        parts: list[Part] = []
        for part in parse(text):
            each = self._constant(part) if isinstance(part, Reference) else part
            if isinstance(each, str) and parts and isinstance(parts[-1], str):
                parts[-1] += each
            elif each != "":
                parts.append(each)
        return tuple(parts)

    def needs_login(self, text: str) -> bool:
        """Whether a template has a value that the login gives and that has none before."""
        named = {part.name for part in parse(text) if isinstance(part, Reference)}
        return not named.isdisjoint(self.given - self.constants.keys())

    def _constant(self, reference: Reference) -> Part:
        if reference.numeric or reference.column or reference.name in self.saved or reference.name in self.given:
            return reference
        return self.constants.get(reference.name, reference)

    def value(self, reference: Reference, place: str) -> Value:
        """What a reference stands for; `place`: where it is in the scenario. Raises UsageError for an unknown name."""
        name = reference.name
        if reference.numeric:
            return self._number(reference, place)
        if reference.column:
            return self._of_data(reference, place)
        if name in self.saved or name in self.given:
            return self._of_answers(name)
        if name == UUID:
            uuid = uuids(self.seed, place)
            return lambda context: uuid(context.number)
        if name == RANDOM:
            integer = integers(self.seed, place, reference.low, reference.high)
            return lambda context: integer(context.number)
        if name in _OF_REQUEST:
            return _OF_REQUEST[name]
        raise UsageError(f"{place}: nothing is called {quoted(name)} (define it in http.variables)")

    def _number(self, reference: Reference, place: str) -> Value:
        """The number that a variable is, or a column of data."""
        if reference.column:
            return self._of_data(reference, place)
        number = number_of(self.constants.get(reference.name, ""))
        if number is None:
            raise UsageError(f"{place}: {reference.shown} is not a variable that is a number")
        return lambda context: number

    def _of_answers(self, name: str) -> Value:
        is_known, first = name in self.constants, self.constants.get(name)

        def value(context: Context) -> Any:
            if name in context.saved:
                return context.saved[name]
            if name in context.given:
                return context.given[name]
            if is_known:
                return first
            raise NotYetError(name)

        return value

    def _of_data(self, reference: Reference, place: str) -> Value:
        if reference.name not in self.tables:
            raise UsageError(f"{place}: there is no data {quoted(reference.name)} (add it to http.data)")
        table, pick = self.tables[reference.name]
        if reference.column not in table.columns:
            what = f"the data {quoted(reference.name)} have no column {quoted(reference.column)}"
            raise UsageError(f"{place}: {what} (its columns: {', '.join(table.columns)})")
        at = table.columns.index(reference.column)
        column: tuple[Any, ...] = tuple(row[at] for row in table.rows)
        if reference.numeric:
            column = tuple(number_of(each) for each in column)
            if None in column:
                raise UsageError(f"{place}: {reference.shown} is not a number in row {column.index(None) + 1}")
        length = len(column)
        if pick is Pick.RANDOM:
            # One draw for each request: all columns are of the same row.
            row = integers(self.seed, f"http.data.{reference.name}", 0, length - 1)
            return lambda context: column[row(context.number)]
        if pick is Pick.BY_USER:
            return lambda context: column[(context.user if context.user >= 0 else context.number) % length]
        return lambda context: column[context.number % length]


_OF_REQUEST: Mapping[str, Value] = {
    "tenant": lambda context: context.tenant,
    "kind": lambda context: context.kind,
    "user": lambda context: context.user,
    "number": lambda context: context.number,
}


def as_text(value: Any) -> str:
    """A value as it stands in a text: text is itself, everything else is JSON."""
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else json.dumps(value, ensure_ascii=False)


def plain(text: str) -> str:
    """A text as it is."""
    return text


def in_json(text: str) -> str:
    """A text as it stands inside of a text of JSON."""
    return text if text.isalnum() and text.isascii() else json.dumps(text, ensure_ascii=False)[1:-1]


Pieces: TypeAlias = list[str | Text]
"""What a rendered text is put together from: texts, and functions that give one."""


def pieces_of(
    text: str, names: Names, place: str, written: Callable[[str], str] = plain, *, fixed: bool = False
) -> Pieces:
    """The pieces of a template; `written`: how values are written in it, and with `fixed` what is between them, too."""
    pieces: Pieces = []
    for number, part in enumerate(names.parts(text)):
        if isinstance(part, str):
            pieces.append(written(part) if fixed else part)
        else:
            pieces.append(_written(names.value(part, f"{place}#{number}"), written))
    return pieces


def _written(value: Value, written: Callable[[str], str]) -> Text:
    if written is plain:
        return lambda context: as_text(value(context))
    return lambda context: written(as_text(value(context)))


def text_of(pieces: Pieces) -> str | Text:
    """The text that pieces make: a constant, or a function of the context."""
    merged: Pieces = []
    for each in pieces:
        if isinstance(each, str) and merged and isinstance(merged[-1], str):
            merged[-1] += each
        else:
            merged.append(each)
    if all(isinstance(each, str) for each in merged):
        return "".join(each for each in merged if isinstance(each, str))
    return _function(merged)


def _function(pieces: Pieces) -> Text:
    functions = [each for each in pieces if not isinstance(each, str)]
    if len(pieces) == 1:
        return functions[0]
    # One format for all of it: faster than to join pieces one by one.
    form = "".join(each.replace("%", "%%") if isinstance(each, str) else "%s" for each in pieces)
    if len(functions) == 1:
        only = functions[0]
        return lambda context: form % only(context)
    if len(functions) == 2:
        first, second = functions
        return lambda context: form % (first(context), second(context))
    return lambda context: form % tuple([each(context) for each in functions])


def json_pieces(value: Any, names: Names, place: str) -> Pieces:
    """The pieces of a value of JSON in whose texts, keys included, there are templates.

    A text that is nothing but one reference becomes what that stands for: `"{number}"` is a number.
    """
    if isinstance(value, Mapping):
        pieces: Pieces = ["{"]
        for count, (key, each) in enumerate(value.items()):
            inner = f"{place}.{key}"
            pieces += [", " if count else "", *_json_text(str(key), names, f"{inner}~"), ": "]
            pieces += json_pieces(each, names, inner)
        return [*pieces, "}"]
    if isinstance(value, list | tuple):
        pieces = ["["]
        for count, each in enumerate(value):
            pieces += [", " if count else "", *json_pieces(each, names, f"{place}[{count}]")]
        return [*pieces, "]"]
    if not isinstance(value, str):
        return [json.dumps(value)]
    parts = names.parts(value)
    if len(parts) == 1 and isinstance(parts[0], Reference):
        whole = names.value(parts[0], f"{place}#0")
        return [lambda context: _dumped(whole(context))]
    return _json_text(value, names, place)


def _json_text(text: str, names: Names, place: str) -> Pieces:
    return ['"', *pieces_of(text, names, place, in_json, fixed=True), '"']


def _dumped(value: Any) -> str:
    return str(value) if type(value) is int else json.dumps(value, ensure_ascii=False)


def value_of(value: Any, names: Names, place: str) -> Value:
    """A value of JSON with templates in its texts, as a function of the context: itself, where there are none."""
    pieces = text_of(json_pieces(value, names, place))
    if isinstance(pieces, str):
        constant = json.loads(pieces)
        return lambda context: constant
    return lambda context: json.loads(pieces(context))
