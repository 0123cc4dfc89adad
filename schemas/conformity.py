"""Does a value conform to a JSON Schema? Yes, or: ask the validator, which says in what it does not.

Nearly every file that is read conforms, and jsonschema takes longer to import than a scenario to check. What is answered here
is what `schemas.validator` finds, for the keywords that our schemas use; with any other the answer is no. A test compares both.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from soak.schemas import units

Schema: TypeAlias = dict[str, Any]

DURATIONS = {"duration", "duration above zero"}
"""Titles of the schemas of durations."""

SHORTEST_S, LONGEST_S = units.duration("0.01ms"), units.duration("3650d")
"""Limits of a duration, if it is not zero: well above the resolution of the clocks, well below their range."""


def within_reach(value: str, schema: Schema) -> bool:
    """Whether a text that matches the pattern of `schema` is, if it is a duration, one that can be."""
    seconds = units.duration(value) if schema.get("title") in DURATIONS else 0.0
    return not seconds or SHORTEST_S <= seconds <= LONGEST_S


def conforms(value: object, schema: Schema) -> bool:
    """Whether `value` conforms for certain. `schema` holds the definitions that it refers to."""
    try:
        return _Reading(schema).holds(value, schema)
    except _UnsureError:
        return False


class _UnsureError(Exception):
    """The validator has to be asked."""


Check: TypeAlias = "Callable[[_Reading, Any, Any, Schema], bool]"


class _Reading:
    """A schema with its definitions. Every check is of a value, what the keyword says and the schema around it."""

    def __init__(self, root: Schema) -> None:
        self._root = root

    def holds(self, value: Any, schema: Schema | bool) -> bool:
        """Whether a value is as a schema says. Raises _UnsureError."""
        if isinstance(schema, bool):
            return schema
        return all(_check(keyword)(self, value, said, schema) for keyword, said in schema.items())

    def refers(self, value: Any, said: str, schema: Schema) -> bool:
        """`$ref`, to a definition of this schema."""
        found: Any = self._root
        if not said.startswith("#/"):
            raise _UnsureError
        for step in said[2:].split("/"):
            if not isinstance(found, dict) or step not in found:
                raise _UnsureError
            found = found[step]
        return self.holds(value, found)

    def chooses(self, value: Any, said: Schema, schema: Schema) -> bool:
        """`if`, with its `then` and `else`."""
        return self.holds(value, schema.get("then" if self.holds(value, said) else "else", True))

    def others(self, value: Any, said: Schema | bool, schema: Schema) -> bool:
        """`additionalProperties`: of keys that nothing else speaks of."""
        if not isinstance(value, dict) or said is True:
            return True
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        rest = (key for key in value if key not in known and not any(re.search(each, key) for each in patterns))
        return all(self.holds(value[key], said) for key in rest)

    def named(self, value: Any, said: Mapping[str, Schema], schema: Schema) -> bool:
        """`properties`."""
        return not isinstance(value, dict) or all(self.holds(value[key], said[key]) for key in said if key in value)

    def matched(self, value: Any, said: Mapping[str, Schema], schema: Schema) -> bool:
        """`patternProperties`."""
        if not isinstance(value, dict):
            return True
        return all(self.holds(value[key], said[each]) for each in said for key in value if re.search(each, key))


def _check(keyword: str) -> Check:
    try:
        return _CHECKS[keyword]
    except KeyError:
        raise _UnsureError from None


def _is_of_type(value: Any, name: str) -> bool:
    match name:
        case "integer":
            return type(value) is int
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "null":
            return value is None
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool}
    return isinstance(value, kinds[name])


def _same(value: Any, said: Any) -> bool:
    """Whether two scalars are equal; JSON's true is not 1. Of anything else the validator knows."""
    if isinstance(said, dict | list):
        raise _UnsureError
    return bool(value == said) and isinstance(value, bool) == isinstance(said, bool)


def _unique(value: Any, said: bool) -> bool:
    if not said or not isinstance(value, list):
        return True
    if not all(isinstance(each, str) for each in value):
        raise _UnsureError
    return len(set(value)) == len(value)


def _number(value: Any) -> bool:
    return _is_of_type(value, "number")


_CHECKS: Mapping[str, Check] = {
    **dict.fromkeys(
        ("$schema", "$id", "$defs", "title", "description", "examples", "default", "then", "else"),
        lambda _, value, said, schema: True,
    ),
    "$ref": _Reading.refers,
    "if": _Reading.chooses,
    "properties": _Reading.named,
    "patternProperties": _Reading.matched,
    "additionalProperties": _Reading.others,
    "type": lambda _, value, said, schema: any(
        _is_of_type(value, each) for each in ([said] if isinstance(said, str) else said)
    ),
    "const": lambda _, value, said, schema: _same(value, said),
    "enum": lambda _, value, said, schema: any(_same(value, each) for each in said),
    "allOf": lambda here, value, said, schema: all(here.holds(value, each) for each in said),
    "anyOf": lambda here, value, said, schema: any(here.holds(value, each) for each in said),
    "items": lambda here, value, said, schema: (
        not isinstance(value, list) or all(here.holds(each, said) for each in value)
    ),
    "propertyNames": lambda here, value, said, schema: (
        not isinstance(value, dict) or all(here.holds(key, said) for key in value)
    ),
    "required": lambda _, value, said, schema: not isinstance(value, dict) or all(key in value for key in said),
    "dependentRequired": lambda _, value, said, schema: (
        not isinstance(value, dict) or all(other in value for key in said if key in value for other in said[key])
    ),
    "pattern": lambda _, value, said, schema: (
        not isinstance(value, str) or (re.fullmatch(said, value) is not None and within_reach(value, schema))
    ),
    "minimum": lambda _, value, said, schema: not _number(value) or not value < said,
    "exclusiveMinimum": lambda _, value, said, schema: not _number(value) or not value <= said,
    "maximum": lambda _, value, said, schema: not _number(value) or not value > said,
    "minLength": lambda _, value, said, schema: not isinstance(value, str) or len(value) >= said,
    "maxLength": lambda _, value, said, schema: not isinstance(value, str) or len(value) <= said,
    "minItems": lambda _, value, said, schema: not isinstance(value, list) or len(value) >= said,
    "maxItems": lambda _, value, said, schema: not isinstance(value, list) or len(value) <= said,
    "minProperties": lambda _, value, said, schema: not isinstance(value, dict) or len(value) >= said,
    "maxProperties": lambda _, value, said, schema: not isinstance(value, dict) or len(value) <= said,
    "uniqueItems": lambda _, value, said, schema: _unique(value, said),
}
"""Every keyword that our schemas use."""
