"""Answers: whether they are what a scenario expects, and what is kept of them."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

from soak.runner.http.render import Context, Names, Text, as_text, pieces_of, text_of, value_of
from soak.schemas import units
from soak.schemas.errors import shown
from soak.schemas.language.answer_places import MISSING, Part, Place, found_at, place_of, steps_of
from soak.schemas.language.http import Expected, RequestError, Texts

THROTTLED, FIRST_SERVER_ERROR = 429, 500


class Answer(NamedTuple):
    """What came back. headers: by name, whatever letters are capital; seconds: of scenario time, since it was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0


class Outcome(NamedTuple):
    """What became of a request: its error ("" for a success), status (0: no answer), size of the answer in bytes, a reason."""

    error: str
    status: int = 0
    size: int = 0
    detail: str = ""


Wrong: TypeAlias = tuple[RequestError, str] | None
"""An error and its reason, or None."""

Check: TypeAlias = Callable[[Answer, "Read", Context], str]
"""What is wrong with an answer, empty if nothing is."""


class Read:
    """The JSON of an answer, read when it is first asked for."""

    __slots__ = ("_body", "_value")

    def __init__(self, body: bytes) -> None:
        self._body, self._value = body, MISSING

    def json(self) -> Any:
        """Its value. Raises ValueError if it is not JSON."""
        if self._value is MISSING:
            try:
                self._value = msgspec.json.decode(self._body)
            except (msgspec.DecodeError, RecursionError):
                raise ValueError("the answer is not JSON") from None
        return self._value


def header_of(headers: Mapping[str, str], name: str) -> str | None:
    """A header by its name in lower case."""
    return next((value for each, value in headers.items() if each.lower() == name), None)


def judge(expected: Expected, names: Names, place: str) -> Callable[[Answer, Read, Context], Wrong]:
    """A function that says what is wrong with an answer; place: where `expected` is in the scenario. Raises UsageError."""
    statuses, within_s = expected.statuses, expected.within_s
    checks = [*_checks(expected, names, place)]

    def look(answer: Answer, read: Read, context: Context) -> Wrong:
        status = answer.status
        if status not in statuses if statuses else not 200 <= status < 300:
            return _of_status(status), f"status {status}, expected {_shown(statuses)}"
        if within_s is not None and answer.seconds > within_s:
            took, limit = units.show_duration(answer.seconds), units.show_duration(within_s)
            return RequestError.WRONG_ANSWER, f"took {took}, expected within {limit}"
        for check in checks:
            if what := check(answer, read, context):
                return RequestError.WRONG_ANSWER, what
        return None

    return look


def _of_status(status: int) -> RequestError:
    if status == THROTTLED:
        return RequestError.THROTTLED
    return RequestError.SERVER_ERROR if status >= FIRST_SERVER_ERROR else RequestError.WRONG_ANSWER


def _shown(statuses: frozenset[int]) -> str:
    return " or ".join(map(str, sorted(statuses))) if statuses else "200 to 299"


def _checks(expected: Expected, names: Names, place: str) -> Iterator[Check]:
    for name, text in expected.headers:
        yield _header(name, text_of(pieces_of(text, names, f"{place}.headers.{name}")))
    if expected.text:
        yield _contains(text_of(pieces_of(expected.text, names, f"{place}.text")))
    for path, value in expected.json:
        yield _json(path, value_of(value, names, f"{place}.json.{path}"))


def _header(name: str, text: str | Text) -> Check:
    lower = name.lower()

    def check(answer: Answer, read: Read, context: Context) -> str:
        wanted = text if isinstance(text, str) else text(context)
        found = header_of(answer.headers, lower)
        # `text/html` is the type of `text/html; charset=utf-8`, too.
        is_it = found is not None and (found == wanted or found.startswith(f"{wanted};"))
        return "" if is_it else f"header {name} is {_missing(found)}, expected {shown(wanted)}"

    return check


def _contains(text: str | Text) -> Check:
    def check(answer: Answer, read: Read, context: Context) -> str:
        wanted = text if isinstance(text, str) else text(context)
        return "" if wanted.encode() in answer.body else f"the answer does not contain {shown(wanted)}"

    return check


def _json(path: str, value: Callable[[Context], Any]) -> Check:
    steps = steps_of(path)

    def check(answer: Answer, read: Read, context: Context) -> str:
        try:
            found = found_at(steps, read.json())
        except ValueError as error:
            return str(error)
        wanted = value(context)
        if found is not MISSING and same(found, wanted):
            return ""
        return f"{path} is {_missing(None if found is MISSING else shown(found))}, expected {shown(wanted)}"

    return check


def _missing(found: str | None) -> str:
    return "missing" if found is None else found


def same(left: Any, right: Any) -> bool:
    """Whether two values of JSON are equal: 1 is 1.0, but true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(each, right[key]) for key, each in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def extraction(saved: Texts) -> Callable[[Answer, Read], dict[str, Any]]:
    """A function that takes what is kept out of an answer. It raises ValueError, which says what is missing."""
    places = [(name, text, place_of(text)) for name, text in saved]

    def take(answer: Answer, read: Read) -> dict[str, Any]:
        kept = {}
        for name, text, place in places:
            found = _found(place, answer, read)
            if found is MISSING:
                raise ValueError(f"there is no {text} in the answer, which {name} is taken from")
            kept[name] = found
        return kept

    return take


def _found(place: Place, answer: Answer, read: Read) -> Any:
    if place.part is Part.JSON:
        return found_at(place.steps, read.json())
    if place.part is Part.HEADER:
        value = header_of(answer.headers, place.header)
        return MISSING if value is None else value
    found = re.search(place.pattern or "", answer.body.decode("utf-8", "replace"))
    return found[1] if found and found[1] is not None else MISSING


__all__ = ["Answer", "Outcome", "Read", "as_text", "extraction", "header_of", "judge", "same"]
