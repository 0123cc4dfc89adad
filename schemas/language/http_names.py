"""The names that templates of HTTP requests may use, by where they stand, and what is wrong with a use of any other."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from soak.schemas.errors import Problem, Where, WordingError, quoted
from soak.schemas.language.csv_files import Table, read_data_file
from soak.schemas.language.request_templates import DRAWN, OF_REQUEST, Reference, number_of, parse
from soak.schemas.language.shape import did_you_mean
from soak.schemas.language.view import View, exchange_places

_DECLARE = {
    "tenant": ("there are no tenants", "declare workload.tenants"),
    "kind": ("there are no kinds of work", "declare workload.kinds"),
    "user": ("there are no users", "write workload.users, or use {number}"),
}
"""Of names that every request has: what is wrong where it has none, and what to do."""


class Scope(Struct, frozen=True):
    """What is known at a place. tables: data by name, None where they cannot be read. first: names that have a value from the
    start; later: those that have one only once an answer gave it. lacking: of names that requests have elsewhere, why not here.
    variables: their texts, of secrets none.
    """

    first: frozenset[str]
    later: frozenset[str] = frozenset()
    tables: Mapping[str, Table | None] = field(default_factory=dict)
    lacking: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [*self.first, *self.later]

    def without(self, names: Collection[str], what: str, remedy: str) -> "Scope":
        """The scope without some names of requests, for a reason."""
        return replace(
            self, first=self.first - {*names}, lacking={**self.lacking, **dict.fromkeys(names, (what, remedy))}
        )

    def and_first(self, names: Collection[str]) -> "Scope":
        """The scope with more names that have a value."""
        return replace(self, first=self.first | {*names})

    def problem_of(self, reference: Reference) -> tuple[str, str] | None:
        """What is wrong with a reference and what to do, or None."""
        name = reference.name
        if reference.column:
            return self._of_data(reference)
        if reference.numeric:
            return self._number(name)
        if name in self.first:
            return None
        if name in self.lacking:
            what, remedy = self.lacking[name]
            return f"{{{name}}}: {what}", remedy
        if name in self.later:
            return (
                f"{{{name}}} has no value until an answer gives one",
                f"write its first value: http.variables: {{{name}: ...}}",
            )
        if name in self.tables:
            table = self.tables[name]
            column = table.columns[0] if table else "id"
            return f"{{{name}}} is data, not a value", f"name a column: {{{name}.{column}}}"
        return f"nothing is called {quoted(name)}", did_you_mean(name, [*self.names, *self.lacking])

    def _of_data(self, reference: Reference) -> tuple[str, str] | None:
        name = reference.name
        if name not in self.tables:
            there = list(self.tables)
            return f"there is no data {quoted(name)}", did_you_mean(name, there) if there else "add it to http.data"
        table = self.tables[name]
        if table is None:
            return None
        if reference.column not in table.columns:
            what = f"the data {quoted(name)} have no column {quoted(reference.column)}"
            return what, did_you_mean(reference.column, list(table.columns))
        at = table.columns.index(reference.column)
        wrong = (each[at] for each in table.rows if number_of(each[at]) is None) if reference.numeric else iter(())
        if (text := next(wrong, None)) is not None:
            return f"{quoted(text)} in {reference.shown} is not a number", f"write {{{reference.shown}}}, which is text"
        return None

    def _number(self, name: str) -> tuple[str, str] | None:
        """What is wrong with a name that is to be a number."""
        if name not in self.variables:
            return f"number({name}) is not of a variable or a column", f"write {{{name}}}, or {{number(data.column)}}"
        if number_of(self.variables[name]) is None:
            return f"the variable {quoted(name)} is not a number", f"write {{{name}}}, which is text"
        return None


def scope_of(view: View) -> Scope:
    """What is known in the requests of the kinds of a scenario."""
    variables = view.get("http", "variables")
    tables = {}
    for where, item in view.entries("http", "data"):
        if isinstance(name := item.get("name"), str):
            tables[name] = view.parse(lambda file: read_data_file(file, view.folders), *where, "file")
    given = _saved_names(view, ("http", "login"))
    later = {name for place in exchange_places(view) for name in _saved_names(view, place)}
    first = {*DRAWN, *OF_REQUEST, *given, *(variables if isinstance(variables, dict) else ())}
    texts = {
        name: str(value)
        for name, value in (variables.items() if isinstance(variables, dict) else ())
        if not isinstance(value, dict) and name not in {*later, *given}
    }
    scope = Scope(frozenset(first), frozenset(later - first), tables, variables=texts)
    absent = {
        "tenant": not view.get("workload", "tenants"),
        "kind": not view.get("workload", "kinds"),
        "user": not view.get("workload", "users"),
    }
    for name, is_absent in absent.items():
        if is_absent and (not isinstance(variables, dict) or name not in variables):
            scope = scope.without([name], *_DECLARE[name])
    return scope


def _saved_names(view: View, where: Where) -> list[str]:
    saved = view.get(*where, "save")
    return [name for name in saved if isinstance(name, str)] if isinstance(saved, dict) else []


def template_problems(view: View, where: Where, value: Any, scope: Scope) -> Iterator[Problem]:
    """What is wrong with the templates in a value of JSON at `where`, keys included."""
    if isinstance(value, str):
        yield from _of_text(view, where, value, scope, at_key=False)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _of_text(view, (*where, key), str(key), scope, at_key=True)
            yield from template_problems(view, (*where, key), each, scope)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            yield from template_problems(view, (*where, place), each, scope)


def _of_text(view: View, where: Where, text: str, scope: Scope, *, at_key: bool) -> Iterator[Problem]:
    try:
        parts = parse(text)
    except WordingError as error:
        yield view.problem(where, error.what, error.remedy, at_key=at_key)
        return
    for part in parts:
        if isinstance(part, Reference) and (found := scope.problem_of(part)):
            yield view.problem(where, *found, at_key=at_key)
    for name in scope.names:
        if f"{{{{{name}}}}}" in text:
            what = f"{{{{{name}}}}} is the text {{{name}}}, not the value of {name}"
            yield view.problem(where, what, f"write {{{name}}}", at_key=at_key)
