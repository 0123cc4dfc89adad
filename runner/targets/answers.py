"""Type checks of return values against the contract, down to their fields."""

import math
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from soak.schemas.errors import shown

_MOST_NUMBER = 10**12
_MOST = {"attempt": 10**6, "task_id": 2**63}
"""Maximum of a number."""

_NO_LEAST = -(2**63)
_LEAST = {
    "Claim.attempt": 1,
    "Expired.attempt": 1,
    "Accepted.task_id": _NO_LEAST,
    "Claim.task_id": _NO_LEAST,
    "Expired.task_id": _NO_LEAST,
    "Change.task_id": _NO_LEAST,
}
"""Minimum of a number, if not 0: attempts count from 1, task ids may be anything."""


def flaw(answer: object, expected: tuple[type, ...]) -> str:
    """Why an answer is not one of these types; empty if it is."""
    if not _is(answer, expected):
        return f"returned {_show(answer)}, not {' or '.join(_name(each) for each in expected)}"
    kind = next((each for each in expected if isinstance(answer, each) and is_dataclass(each)), None)
    return _flaw_in_fields(answer, kind) if kind else ""


def flaw_in_items(answer: object, expected: type) -> str:
    """Why an answer is not a list of these."""
    if not isinstance(answer, list):
        return f"returned {_show(answer)}, not a list of {expected.__name__}"
    return next((f"{wrong} in its list" for item in answer if (wrong := flaw(item, (expected,)))), "")


def _flaw_in_fields(answer: object, kind: Any) -> str:
    """`kind` is the class of the contract: fields added by a subclass, and fields of any type, are not checked."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        value, types = getattr(answer, field.name), get_args(hints[field.name]) or (hints[field.name],)
        if object in types:
            continue
        name = f"{kind.__name__}.{field.name}"
        if not _is(value, types):
            return f"returned {name} = {_show(value)}, not {' or '.join(_name(each) for each in types)}"
        if is_dataclass(value):
            if wrong := flaw(value, types):
                return wrong
        elif isinstance(value, int | float) and not _LEAST.get(name, 0) <= value < math.inf:
            return f"returned {name} = {value}, not a finite number from {_LEAST.get(name, 0)}"
        elif isinstance(value, int | float) and value > _MOST.get(field.name, _MOST_NUMBER):
            return f"returned {name} = {shown(value)}, more than possible"
    return ""


def _is(value: object, types: tuple[type, ...]) -> bool:
    if isinstance(value, bool):
        return bool in types
    return isinstance(value, (*types, int) if float in types else types)


def _name(kind: type) -> str:
    return "None" if kind is type(None) else kind.__name__


def _show(value: object) -> str:
    return "None" if value is None else f"{type(value).__name__} {shown(value)}"
