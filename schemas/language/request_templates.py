"""Names in braces in the texts of an HTTP request: `{tenant}`, `{customers.id}`, `{random(1,100)}`,
`{number(customers.amount)}`.

`{{` is a brace, and `{{name}}` the text `{name}`. A brace that no letter follows is itself, so that JSON can be written as text.
"""

import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeAlias

from msgspec import Struct

from soak.schemas.errors import WordingError, quoted

_FOUND = re.compile(r"\{\{(?:(?P<plain>[A-Za-z_][A-Za-z0-9_.]*)\}\})?|\{(?P<inner>[A-Za-z_][^{}\n]{0,99})\}")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\.([^.()\s][^.()]*))?")
_NUMBER = re.compile(r"number\((.*)\)")
_OF_JSON = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_RANDOM = re.compile(r"random\(\s*(-?[0-9]{1,15})\s*,\s*(-?[0-9]{1,15})\s*\)")

UUID, RANDOM = "uuid", "random"
OF_REQUEST = ("tenant", "kind", "user", "number")
"""What every request has."""

DRAWN = (UUID, RANDOM)
"""What is drawn for every request, by seed and number."""


class Reference(Struct, frozen=True):
    """What stands in braces: a name, with a column if it is of data; for `random` the smallest and the largest number.

    numeric: whether its text is sent as the number that it is.
    """

    name: str
    column: str = ""
    low: int = 0
    high: int = 0
    numeric: bool = False

    @property
    def shown(self) -> str:
        """It as written, without the braces."""
        return f"{self.name}.{self.column}" if self.column else self.name


Part: TypeAlias = str | Reference


@cache
def parse(text: str) -> tuple[Part, ...]:
    """The texts and references of a template, in order; no two texts follow one another. Raises WordingError."""
    parts: list[Part] = []
    plain, end = "", 0
    for found in _FOUND.finditer(text):
        plain += text[end : found.start()]
        end = found.end()
        if found["inner"] is None:
            plain += "{" + (f"{found['plain']}}}" if found["plain"] else "")
            continue
        parts += [plain] if plain else []
        parts.append(_reference(found["inner"]))
        plain = ""
    plain += text[end:]
    return (*parts, plain) if plain else tuple(parts)


def _reference(inner: str) -> Reference:
    if found := _RANDOM.fullmatch(inner):
        low, high = int(found[1]), int(found[2])
        if low > high:
            raise WordingError(f"{{{inner}}} is from {low} to {high}", f"write {{random({high},{low})}}")
        return Reference(RANDOM, low=low, high=high)
    numeric = _NUMBER.fullmatch(inner)
    found = _NAME.fullmatch(numeric[1].strip() if numeric else inner)
    if not found or found[1] == RANDOM:
        remedy = "write {random(1,100)}" if inner.startswith(RANDOM) else f"write {{{{{inner}}} for the text itself"
        raise WordingError(f"{quoted(f'{{{inner}}}')} is not a name", remedy)
    return Reference(found[1], found[2] or "", numeric=bool(numeric))


def number_of(text: str) -> int | float | None:
    """The number that a text is in JSON; None for another text, and for a number that is too large."""
    found = _OF_JSON.fullmatch(text.strip())
    if found is None:
        return None
    number = float(found[0])
    if not math.isfinite(number):
        return None
    return number if found[2] or found[3] else int(found[0])


def references(value: Any) -> Iterator[Reference]:
    """The references in all texts of a value of JSON, keys included. Raises WordingError."""
    for text in texts(value):
        yield from (part for part in parse(text) if isinstance(part, Reference))


def texts(value: Any) -> Iterator[str]:
    """All texts of a value of JSON, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)
