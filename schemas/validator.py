"""The JSON Schema validator, stricter where Python is lax and JSON Schema cannot express it."""

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
    """An error per missing key, named in its `validator_value`."""
    if isinstance(value, dict):
        yield from (ValidationError(f"needs {key!r}", validator_value=[key]) for key in keys if key not in value)


def _dependent(validator: Any, keys: Schema, value: object, schema: Schema) -> Iterator[ValidationError]:
    """The same for dependent keys: `{key: [missing keys it needs]}`."""
    for key, needed in keys.items():
        if isinstance(value, dict) and key in value:
            missing = (other for other in needed if other not in value)
            yield from (
                ValidationError(f"{key!r} needs {other!r}", validator_value={key: [other]}) for other in missing
            )


# JSON Schema accepts 4.0 as an integer; counts here must be written as integers.
Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"pattern": _whole_pattern, "required": _required, "dependentRequired": _dependent},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)
