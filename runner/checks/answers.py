"""What a check, or a step of the teardown, came to."""

import json
import math
from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from soak.schemas.errors import printable, quoted
from soak.schemas.language.check import MOST_VALUE, Check

MOST_BYTES = 1_000_000
"""An answer is at most this long: it is a few figures."""

_MOST_TEXT = 60
"""Of a text that is not what was expected, so much is kept."""

_FLAGS = {True: "true", False: "false"}


class NoAnswerError(Exception):
    """There is no answer: a word of `runner/judge/checks/expected.py` with its detail, and more for the log."""

    def __init__(self, cause: str, more: str = "") -> None:
        super().__init__(cause)
        self.cause = cause
        self.more = more


class CancelledError(NoAnswerError):
    """It was told to end."""

    def __init__(self) -> None:
        super().__init__("interrupted")


class Outcome(Struct, frozen=True):
    """Values by name, and the texts of those that are not what was expected; `failed`: why there is no whole answer.

    more: what the log says of it besides.
    """

    values: dict[str, float] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    failed: str = ""
    more: str = ""


def one_object(text: str | bytes) -> Mapping[str, Any]:
    """The JSON object that an answer is. Raises NoAnswerError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NoAnswerError("not_json", _begin(text)) from None
    if not isinstance(found, dict):
        raise NoAnswerError("not_json", _begin(text))
    return found


def _begin(text: str | bytes) -> str:
    shown = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"it wrote {quoted(printable(shown.strip()[:200]))}" if shown.strip() else "it wrote nothing"


def outcome_of(check: Check, answer: Mapping[str, Any]) -> Outcome:
    """The values of a check in its answer; where a field is missing or of the wrong kind, the others are there."""
    outcome, failed, more = Outcome(), "", ""
    for name in check.fields:
        expected = check.text_of(name)
        if name not in answer:
            failed, more = (
                failed or f"missing_field {name}",
                f"it has {', '.join(map(str, answer)) or 'no fields'}"[:200],
            )
        elif expected is not None:
            same = type(answer[name]) is type(expected) and answer[name] == expected
            outcome.values[name] = float(same)
            if not same:
                outcome.texts[name] = _shown(answer[name])
        elif (number := _number(answer[name])) is None:
            failed, more = failed or f"not_a_number {name}", f"{name} is {_shown(answer[name])}"
        else:
            outcome.values[name] = number
    return Outcome(outcome.values, outcome.texts, failed, more)


def _number(value: object) -> float | None:
    """A number that the event stream can hold; also one that a database has as a decimal."""
    if isinstance(value, bool | str | bytes) or value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and abs(number) < MOST_VALUE else None


def _shown(value: object) -> str:
    text = f'"{value}"' if isinstance(value, str) else _FLAGS.get(value) if isinstance(value, bool) else repr(value)
    shown = printable(str(text))
    return shown if len(shown) <= _MOST_TEXT else f"{shown[: _MOST_TEXT - 1]}…"
