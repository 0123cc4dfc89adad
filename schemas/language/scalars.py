"""Plain scalars by the rules of YAML 1.2's core schema; what YAML 1.1 parsers read differently is refused."""

import re
from typing import TypeAlias

from soak.schemas.errors import Where, shortened

MAX_DIGITS = 300
Scalar: TypeAlias = bool | int | float | str

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)")
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_TRAPS = (
    (
        re.compile(r"y|n|yes|no|on|off", re.I),
        "is a boolean to some YAML parsers and text to others",
        "write true or false, or put it in quotes",
    ),
    (
        re.compile(r"[-+]?[0-9]+(:[0-9]{1,2})+(\.[0-9]*)?"),
        "is a base-60 number to some YAML parsers",
        "write a duration such as 12h30m, or put it in quotes",
    ),
    (
        re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+"),
        "is a number to some YAML parsers and text to others",
        "write the number in full, such as 1000",
    ),
    (
        re.compile(r"[-+]?0[0-9_]+|[-+]?0[xob][0-9a-fA-F_]+"),
        "is an octal, hexadecimal or binary number to some YAML parsers",
        "write it as a decimal number, or put it in quotes",
    ),
    (
        re.compile(r"[-+]?[0-9]+(_[0-9]+)+(\.[0-9_]*)?"),
        "is a number to some YAML parsers and text to others",
        "write the number without underscores",
    ),
    (re.compile(r"[-+]?\.(inf|nan)", re.I), "is not a finite number", "write a finite number"),
    (
        re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*)?"),
        "is a date to some YAML parsers",
        "put it in quotes",
    ),
)


JSON = "json"
"""A key below which values are sent or expected as JSON: null is one."""


class TrapError(ValueError):
    """A scalar that parsers read differently, or (`empty`) without a value; `what` explains it, `remedy` says what to write."""

    def __init__(self, what: str, remedy: str, *, empty: bool = False) -> None:
        super().__init__(what)
        self.empty = empty
        self.what = what
        self.remedy = remedy


_TIME = re.compile(r"[0-9]{1,2}:[0-9]{2}")
_OFF = re.compile(r"n|no|off", re.I)
_MAY_BE_NONE = frozenset({"heartbeat", "jitter"})
"""Keys of which the word `none` is a value."""


def remedy_at(where: Where, trap: str) -> str | None:
    """What to write in place of a scalar that was refused, where its place says more than itself."""
    if where[-1:] == ("at",) and {"profile", "points"} <= set(where) and _TIME.fullmatch(trap):
        return f'put it in quotes; a point of a week needs its day: "mon {trap}"'
    if where and where[-1] in _MAY_BE_NONE and _OFF.fullmatch(trap):
        return "write none"
    return None


def read_scalar(text: str) -> Scalar:
    """What an unquoted scalar means. Raises TrapError."""
    if _NULL.fullmatch(text):
        raise TrapError("has no value", "write a value, or remove the key", empty=True)
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text) or _FLOAT.fullmatch(text):
        return _number(text)
    for pattern, what, remedy in _TRAPS:
        if pattern.fullmatch(text):
            raise TrapError(f"{shortened(text)} {what}", remedy)
    return text


def _number(text: str) -> int | float:
    if len(text) > MAX_DIGITS:
        raise TrapError(f"{shortened(text)} has {len(text):,} digits", "write fewer")
    return int(text) if _INT.fullmatch(text) else float(text)
