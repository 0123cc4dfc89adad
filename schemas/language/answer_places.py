"""Where a value is in the answer to an HTTP request: `$.items[0].id` of its JSON, `header:Location`, `regex:id=([0-9]+)`."""

import re
from enum import StrEnum
from functools import cache
from typing import Any

from msgspec import Struct

from soak.schemas.errors import WordingError

Steps = tuple[str | int, ...]
"""Keys of objects and places in lists, from 0; negative ones count from the end."""

_ROOT = "$"
_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]\s"']+)|\[(?P<place>-?[0-9]{1,9})\]|\[(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)')\]"""
)
MISSING = object()
"""What is found where there is nothing."""


class Part(StrEnum):
    """The part of an answer that a value is taken from."""

    JSON = "json"
    HEADER = "header"
    REGEX = "regex"


class Place(Struct, frozen=True):
    """Where a value is: of JSON by steps, of the headers by a name in lower case, of the text by a pattern with one group."""

    part: Part
    steps: Steps = ()
    header: str = ""
    pattern: re.Pattern[str] | None = None


@cache
def steps_of(path: str) -> Steps:
    """The steps of a path in JSON: `$.items[0].id`, `$["a.b"]`, or without `$.` `items[0].id`. Raises WordingError."""
    text = path[1:] if path.startswith(_ROOT) else f".{path}"
    steps: list[str | int] = []
    end = 0
    for found in _STEP.finditer(text):
        if found.start() != end:
            break
        end = found.end()
        place = found["place"]
        steps.append(int(place) if place is not None else found["name"] or found["double"] or found["single"] or "")
    if end != len(text):
        what = f'{path!r} is not a path: {text[end:]!r} is neither .name, [0] nor ["name"]'
        raise WordingError(what, "write a path such as $.items[0].id")
    return tuple(steps)


@cache
def place_of(text: str) -> Place:
    """The place that `save` names. Raises WordingError."""
    part, colon, rest = text.partition(":")
    if text.startswith(_ROOT):
        return Place(Part.JSON, steps=steps_of(text))
    if colon and part == Part.HEADER and rest.strip():
        return Place(Part.HEADER, header=rest.strip().lower())
    if colon and part == Part.REGEX:
        return Place(Part.REGEX, pattern=_pattern(rest))
    raise WordingError(f"{text!r} is not a place in an answer", "write $.path, header:Name or regex:pattern")


def _pattern(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except re.error:
        raise WordingError(f"{text!r} is not a regular expression of Python", "correct it") from None
    if pattern.groups != 1:
        raise WordingError(f"{text!r} has {pattern.groups} groups", "put what is to be kept in one pair of parentheses")
    return pattern


def found_at(steps: Steps, value: Any) -> Any:
    """What is at a path in a value of JSON; MISSING if there is nothing."""
    for step in steps:
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return MISSING
            value = value[step]
        else:
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return MISSING
            value = value[step]
    return value
