"""The JSON Schema validator, made strict where Python is lax and a schema has no words."""

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from soak.schemas.conformity import Schema, within_reach


def _whole_pattern(validator: Any, pattern: str, value: object, schema: Schema) -> Iterator[ValidationError]:
    # Python's `$` also matches before a line break at the end; that of JSON Schema does not.
    if isinstance(value, str) and not (re.fullmatch(pattern, value) and within_reach(value, schema)):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _required(validator: Any, keys: list[str], value: object, schema: Schema) -> Iterator[ValidationError]:
    """An error for each key that is missing, which it names as its `validator_value`: its text is the library's."""
    if isinstance(value, dict):
        yield from (ValidationError(f"needs {key!r}", validator_value=[key]) for key in keys if key not in value)


def _dependent(validator: Any, keys: Schema, value: object, schema: Schema) -> Iterator[ValidationError]:
    """Likewise, of keys that others need: `{key: [what it needs and is missing]}`."""
    for key, needed in keys.items():
        if isinstance(value, dict) and key in value:
            missing = (other for other in needed if other not in value)
            yield from (
                ValidationError(f"{key!r} needs {other!r}", validator_value={key: [other]}) for other in missing
            )


# JSON Schema takes 4.0 for an integer; what is counted here is counted in whole numbers.
Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"pattern": _whole_pattern, "required": _required, "dependentRequired": _dependent},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)
