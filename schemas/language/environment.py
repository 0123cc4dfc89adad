"""`environment:`: which names `${NAME}` stands for in the values of a scenario, and their defaults.

Nothing but the names that the file lists is ever replaced, once, and never a key. A variable that is not set, or empty, is
replaced by the default. `$${NAME}` is the text `${NAME}`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from msgspec import Struct

from soak.schemas.errors import Problem, Where, quoted, shortened
from soak.schemas.language.document import Data, Document
from soak.schemas.language.scalars import TrapError, read_scalar

KEY = "environment"
MAX_LENGTH = 1_000

_PLACE = re.compile(r"\$(?P<literal>\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
_SECRET_WORDS = frozenset(
    {"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "APIKEY", "CREDENTIAL", "CREDENTIALS"}
)
_SECRET_KEYS = frozenset({"to", "password", "token", "from_env", "from_file"})
_WITH_SECRETS = frozenset({"notify", "export"})
_READ_ELSEWHERE = "name the variable in from_env: it is read there, and never stored"


def with_values(document: Document, variables: Mapping[str, str]) -> Document:
    """`document` without `environment`, every `${NAME}` in its values replaced; problems are recorded in it.

    Its marks say with which value, so that a message about a replaced value names it.
    """
    assert isinstance(document.data, dict)
    marks, keys = (
        {where: each[where] for where in each if where[:1] != (KEY,)} for each in (document.marks, document.keys)
    )
    result = Document(document.source, None, document.content, marks, keys, list(document.problems))
    listed = document.data[KEY]
    assert isinstance(listed, dict)
    names = _Names(document, listed, variables)
    replacement = _Replacement(result, names.values)
    result.problems += names.problems
    result.data = {key: replacement.of(value, (key,)) for key, value in document.data.items() if key != KEY}
    result.composed, result.included = True, document.included
    result.environment = {name: text_of(value) for name, value in names.values.items()}
    return result


def check_list(document: Document) -> list[Problem]:
    """What is wrong with the list of names itself."""
    from soak.schemas.language.shape import shape_problems

    return shape_problems(document, only=(KEY,))


def unlisted(data: Data, where: Where = ()) -> Iterator[tuple[Where, str]]:
    """Where a value of a scenario that lists no names has a `${NAME}`, and the name."""
    if isinstance(data, str):
        for found in _PLACE.finditer(data):
            if found["name"]:
                yield where, found["name"]
    elif isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from unlisted(value, (*where, key))


def text_of(value: Data) -> str:
    """A scalar as text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Names:
    """The value of every name that a scenario lists, and what is wrong with it."""

    def __init__(self, document: Document, listed: Mapping[str, Data], variables: Mapping[str, str]) -> None:
        self.problems: list[Problem] = []
        self.values: dict[str, Data] = {}
        secrets = set(_secrets(document.data))
        for name, default in listed.items():
            where: Where = (KEY, name)
            if name in secrets or not _SECRET_WORDS.isdisjoint(name.upper().split("_")):
                self.problems.append(document.problem(where, f"{name} is a secret", _READ_ELSEWHERE, at_key=True))
            elif isinstance(default, str) and _PLACE.search(default):
                what = "a default is not replaced itself"
                self.problems.append(document.problem(where, what, "write the value in full"))
            elif wrong := _unusable(variables.get(name, "")):
                what = f"the variable {name} {wrong}"
                self.problems.append(document.problem(where, what, "set it to a short line of text, or unset it"))
            else:
                self.values[name] = _scalar(variables[name]) if variables.get(name) else default
                continue
            self.values[name] = default


def _unusable(text: str) -> str:
    if len(text) > MAX_LENGTH:
        return f"is longer than {MAX_LENGTH:,} characters"
    return "" if text.isprintable() else "has a character that is not printable"


def _secrets(data: Data) -> Iterator[str]:
    """The environment variables that hold secrets."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            if key == "from_env" and isinstance(value, str):
                yield value
            yield from _secrets(value)


def _scalar(text: str) -> Data:
    """What a text means as a YAML scalar: a number, a boolean, or else text; no YAML reader will see it unquoted."""
    try:
        return read_scalar(text)
    except TrapError:
        return text


class _Replacement(Struct, frozen=True):
    """Replaces names by their values; problems and marks go into `document`."""

    document: Document
    values: Mapping[str, Data]

    def of(self, data: Data, where: Where) -> Data:
        """`data`, which is at `where`, with its names replaced; what is under an x- key is left as it is."""
        if str(where[0]).startswith("x-"):
            return data
        if isinstance(data, dict):
            return {key: self.of(value, (*where, key)) for key, value in data.items()}
        if isinstance(data, list):
            return [self.of(value, (*where, index)) for index, value in enumerate(data)]
        return self._text(data, where) if isinstance(data, str) and "${" in data else data

    def _text(self, text: str, where: Where) -> Data:
        found = list(_PLACE.finditer(text))
        names = [each["name"] for each in found if each["name"]]
        if problem := self._wrong(found, names, where):
            self.document.problems.append(problem)
            return text
        if not names:
            return _PLACE.sub("${", text)
        note = ", ".join(f"{name}={text_of(self.values[name])}" for name in dict.fromkeys(names))
        self.document.marks[where] = replace(self.document.mark(where), note=f"with {shortened(note)}: ")
        if found[0].span() == (0, len(text)):
            return self.values[names[0]]
        return _scalar(_PLACE.sub(lambda each: text_of(self.values[each["name"]]) if each["name"] else "${", text))

    def _wrong(self, found: "list[re.Match[str]]", names: list[str], where: Where) -> Problem | None:
        for each in found:
            if not each["name"] and not each["literal"]:
                remedy = f"write ${{NAME}} and the default under {KEY}, or $${{ for the text ${{"
                return self.document.problem(where, "has a ${ that is not followed by a name and }", remedy)
        for name in names:
            if name not in self.values:
                return self.document.problem(where, f"{quoted(name)} is not listed under {KEY}", self._instead(name))
        if names and _holds_a_secret(where):
            return self.document.problem(where, "is the place of a secret", _READ_ELSEWHERE)
        return None

    def _instead(self, name: str) -> str:
        from soak.schemas.language.shape import nearest

        near = nearest(name, self.values)
        guess = f"did you mean {quoted(near)}? Else " if near else ""
        return f"{guess}add it with a default, {KEY}: {{{name}: …}}, or write $${{{name}}} for the text"


def _holds_a_secret(where: Where) -> bool:
    return not _WITH_SECRETS.isdisjoint(map(str, where)) and not _SECRET_KEYS.isdisjoint(map(str, where))
