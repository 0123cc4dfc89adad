"""The grammar of `expect`: what a field of an answer must be.

number      violations: 0            the field equals it
true, text  sealed: true, state: ok  likewise
comparison  rows: ">= 1"             <= >= < > == != with a number, another field, or {done}, {offered}, {failed}, {done.KIND}
"""

import re

from soak.schemas.errors import quoted
from soak.schemas.language.check import MOST_VALUE, Exactly, Expected, Field, Figure, LoadFigure, Target
from soak.schemas.language.expression import Op, UnclearError

_LOOKS_COMPARED = re.compile(r"\s*(?P<op>[<>=!~]+)\s*(?P<operand>.*?)\s*")
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,12})?")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIGURE = re.compile(r"\{(?P<name>[^{}]*)\}")
_OPS = {each.value: each for each in Op if each is not Op.ABOUT}


def parse_expected(field: str, written: object) -> Expected:
    """What a field is expected to be. Raises UnclearError."""
    if isinstance(written, bool):
        return Expected(field, Op.EQ, Exactly(written))
    if isinstance(written, int | float):
        return Expected(field, Op.EQ, _in_range(float(written), str(written)))
    text = str(written)
    match = _LOOKS_COMPARED.fullmatch(text)
    if match is None:
        return Expected(field, Op.EQ, _text(text))
    if match["op"] not in _OPS:
        raise UnclearError(f"{quoted(match['op'])} is not a comparison", f"write one of {', '.join(_OPS)}")
    op = _OPS[match["op"]]
    target = _operand(field, op, match["operand"])
    return Expected(field, op, target)


def _text(text: str) -> Target:
    if _NUMBER.fullmatch(text.strip()):
        raise UnclearError(f"{quoted(text)} is a number in quotes", f"write {text.strip()} without quotes")
    if _FIGURE.fullmatch(text.strip()):
        raise UnclearError(f"{quoted(text)} has no comparison", f'write "== {text.strip()}"')
    return Exactly(text)


def _operand(field: str, op: Op, text: str) -> Target:
    if not text:
        raise UnclearError("there is nothing to compare with", f'write "{op.value} 0", or the name of another field')
    if _NUMBER.fullmatch(text):
        return _in_range(float(text), text)
    if figure := _FIGURE.fullmatch(text):
        known = [each.value for each in Figure]
        name, _, kind = figure["name"].partition(".")
        if name not in known or figure["name"].endswith("."):
            names = ", ".join(f"{{{each}}}" for each in known)
            raise UnclearError(f"{text} is not a figure of the load", f"write one of {names}")
        return LoadFigure(Figure(name), kind)
    if text == field:
        raise UnclearError(f"{field} is compared with itself", "name another field of the answer, or a number")
    if _FIELD.fullmatch(text) and text not in {"true", "false"}:
        return Field(text)
    what = f"{quoted(text)} is neither a number, nor a field, nor a figure of the load"
    raise UnclearError(
        what, "write a plain number without a unit, or the name of another field; text is expected as it is"
    )


def _in_range(value: float, text: str) -> float:
    if not abs(value) < MOST_VALUE:
        raise UnclearError(f"{text} is too large", "write a number below 9e12")
    return value
