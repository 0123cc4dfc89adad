"""Damage, drawn at random: what people, editors, disks and adversaries do to files."""

import random
import re
from collections.abc import Callable, Sequence

NASTY = (
    "", "null", "~", "true", "no", "0", "-1", "-0.0", "1e3", "1e400", "-1e308", ".nan", ".inf", "NaN", "Infinity", "9" * 400,
    "010", "12:30:00", "2026-01-01", "0x10", "0s", "-5s", "1ns", "1e9h", "99999999h", "0%", "100%", "101%", "-1%", "1/0", "1/s",
    "1e9/s",
    "0/s", "[]", "{}", "[[]]", "[{}]", "{a: {b: {c: {}}}}", "[" * 30 + "]" * 30, "'", '"', "''", '"\\uD800"', '"\\0"', "é" * 50,
    "\u202e", "🙂", "a" * 3000, "../../../etc/passwd", "/dev/zero", "&a [*a]", "*a", "<<", "!!python/object:os.system x", "- - -",
    "success_rate >= 0%", "latency_p95 <= 0s", "latency_p99{tenant=*} <= 1.2x phase=baseline", "x > > 1", "1..2", "%s", "{{7*7}}",
)  # fmt: skip
NASTY_JSON = (
    b"null", b"-1", b"1e400", b"1e308", b"NaN", b"9" * 400, b'""', b'"\\ud800"', b'"\\u0000"', b"[]", b"{}", b"true", b"0.1",
    b'"' + b"x" * 3000 + b'"', b"[" * 400 + b"]" * 400, b"[" * 99_999,
    b'"task.done"', b'"lease.expired"', b"8e12", b"2147483648", b"9999",
)  # fmt: skip
_KEY = re.compile(r"[A-Za-z_-]+(?=:)")
_VALUE = re.compile(r"(?<=: )[^,{}\[\]\n]+")
_PAIR = re.compile(r"([A-Za-z_-]+): ([^,{}\[\]\n]+)")
_JSON_PAIR = re.compile(rb'"([A-Za-z_0-9]+)":\s*("(?:[^"\\]|\\.)*"|-?[0-9.eE+-]+|true|false|null)')
_JSON_VALUE = re.compile(rb'(?<=":)\s*("(?:[^"\\]|\\.)*"|-?[0-9.eE+-]+|true|false|null|\[\]|\{\})')
_JSON_KEY = re.compile(rb'"[A-Za-z_0-9]+"(?=\s*:)')


def damaged_yaml(draw: random.Random, text: str, others: Sequence[str]) -> bytes:
    """A YAML file with one to four things wrong; keys and lines may come from `others`."""
    for _ in range(draw.choice((1, 1, 1, 2, 2, 3, 4))):
        text = draw.choice(_OF_YAML)(draw, text, others)
    content = text.encode("utf-8", "surrogatepass")
    return flipped(draw, content) if draw.random() < 0.1 else content


def _another_value(draw: random.Random, text: str, others: Sequence[str]) -> str:
    return _replaced(draw, _VALUE, text, draw.choice(NASTY))


def _value_of_another(draw: random.Random, text: str, others: Sequence[str]) -> str:
    return _replaced(draw, _VALUE, text, draw.choice(_VALUE.findall(draw.choice(others)) or ["1"]))


def _another_key(draw: random.Random, text: str, others: Sequence[str]) -> str:
    return _replaced(draw, _KEY, text, draw.choice(_KEY.findall(draw.choice(others)) or ["key"]))


def _value_alike(draw: random.Random, text: str, others: Sequence[str]) -> str:
    """A value that the same key has elsewhere."""
    found = list(_PAIR.finditer(text))
    if not found:
        return text
    where = draw.choice(found)
    alike = [each[2] for other in others for each in _PAIR.finditer(other) if each[1] == where[1]]
    return text[: where.start(2)] + draw.choice(alike or [where[2]]) + text[where.end(2) :]


def _scaled(draw: random.Random, text: str, others: Sequence[str]) -> str:
    """A number with its unit that is some times as large."""
    found = list(re.finditer(r"(?<![\w.])[0-9]+(\.[0-9]+)?", text))
    if not found:
        return text
    where = draw.choice(found)
    number = float(where[0]) * draw.choice((0, 0.01, 0.1, 0.5, 1.5, 2, 10, 100, 3600))
    return text[: where.start()] + f"{number:.10g}" + text[where.end() :]


def _changed_number(draw: random.Random, text: str, others: Sequence[str]) -> str:
    return _replaced(
        draw, re.compile(r"[0-9]+"), text, draw.choice(("0", "1", "3", "7", "100000", "1000000000", "0.001"))
    )


def _without_a_line(draw: random.Random, text: str, others: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True)
    del lines[draw.randrange(len(lines)) : draw.randrange(len(lines)) + 1]
    return "".join(lines)


def _line_twice(draw: random.Random, text: str, others: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True) or [""]
    lines.insert(draw.randrange(len(lines) + 1), draw.choice(lines))
    return "".join(lines)


def _line_of_another(draw: random.Random, text: str, others: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place = draw.randrange(len(lines) + 1)
    lines[place : place + draw.randrange(2)] = [draw.choice(draw.choice(others).splitlines(keepends=True) or ["\n"])]
    return "".join(lines)


def _indented(draw: random.Random, text: str, others: Sequence[str]) -> str:
    lines = text.splitlines(keepends=True) or [""]
    place = draw.randrange(len(lines))
    lines[place] = draw.choice(("  ", "\t", " ", "- ")) + lines[place]
    return "".join(lines)


def _cut_off(draw: random.Random, text: str, others: Sequence[str]) -> str:
    return text[: draw.randrange(len(text) + 1)]


_OF_YAML: Sequence[Callable[[random.Random, str, Sequence[str]], str]] = (
    *(_another_value,) * 4,
    *(_changed_number,) * 3,
    *(_value_of_another,) * 2,
    *(_value_alike,) * 8,
    *(_scaled,) * 8,
    *(_another_key,) * 2,
    _without_a_line, _without_a_line, _line_twice, _line_of_another, _line_of_another, _indented, _cut_off,
)  # fmt: skip


def _replaced(draw: random.Random, pattern: re.Pattern[str], text: str, new: str) -> str:
    found = list(pattern.finditer(text))
    if not found:
        return text
    place = draw.choice(found)
    return text[: place.start()] + new + text[place.end() :]


def flipped(draw: random.Random, content: bytes) -> bytes:
    """One to eight bytes are other ones."""
    changed = bytearray(content or b"\0")
    for _ in range(draw.randrange(1, 9)):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def damaged_lines(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """A file of JSON lines, or of other lines, with one to three things wrong; lines may come from `others`."""
    for _ in range(draw.choice((1, 1, 2, 3))):
        content = draw.choice(_OF_LINES)(draw, content, others)
    return content


def _fields(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Values of some lines become others, or change places with those of other lines."""
    lines = content.splitlines(keepends=True) or [b""]
    for place in draw.sample(range(len(lines)), min(len(lines), draw.choice((1, 1, 3, 50)))):
        new = draw.choice(NASTY_JSON)
        if draw.random() < 0.7:
            new = draw.choice(_JSON_VALUE.findall(draw.choice(lines)) or [new])
        found = list(_JSON_VALUE.finditer(lines[place]))
        if found:
            where = draw.choice(found)
            lines[place] = lines[place][: where.start()] + new + lines[place][where.end() :]
    return b"".join(lines)


def _fields_alike(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Values of some lines change places with those that the same key has in others, or nearby."""
    lines = content.splitlines(keepends=True) or [b""]
    for place in draw.sample(range(len(lines)), min(len(lines), draw.choice((1, 1, 5, 100)))):
        found = list(_JSON_PAIR.finditer(lines[place]))
        theirs = draw.choice((lines, draw.choice(others).splitlines() or [b""]))
        other = theirs[min(len(theirs) - 1, max(0, place + draw.choice((-1, 1, draw.randrange(-300, 300)))))]
        alike = {each[1]: each[2] for each in _JSON_PAIR.finditer(other)}
        where = draw.choice(found) if found else None
        if where and where[1] in alike:
            lines[place] = lines[place][: where.start(2)] + alike[where[1]] + lines[place][where.end(2) :]
    return b"".join(lines)


def _keys(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    found = list(_JSON_KEY.finditer(content[:200_000]))
    if not found:
        return flipped(draw, content)
    where, new = draw.choice(found), draw.choice(found)[0]
    return content[: where.start()] + new + content[where.end() :]


def _lines_dropped(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    first = draw.randrange(len(lines))
    del lines[first : first + draw.choice((1, 1, 10, 1000))]
    return b"".join(lines)


def _lines_twice(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    first = draw.randrange(len(lines))
    some = lines[first : first + draw.choice((1, 1, 10, 200))]
    place = draw.choice((first, draw.randrange(len(lines) + 1), len(lines)))
    return b"".join([*lines[:place], *some, *lines[place:]])


def _lines_swapped(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    one = draw.randrange(len(lines))
    other = draw.choice((min(one + 1, len(lines) - 1), draw.randrange(len(lines))))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _merged(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = draw.choice(others)
    mine, theirs = draw.randrange(len(content) + 1), draw.randrange(len(other) + 1)
    return content[: content.rfind(b"\n", 0, mine) + 1] + other[other.rfind(b"\n", 0, theirs) + 1 :]


def _cut(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    return content[: draw.choice((0, 1, draw.randrange(len(content) + 1), max(0, len(content) - 5)))]


def _flipped(draw: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    return flipped(draw, content)


_OF_LINES: Sequence[Callable[[random.Random, bytes, Sequence[bytes]], bytes]] = (
    *(_fields,) * 4, *(_fields_alike,) * 8, _keys, _lines_dropped, _lines_dropped, _lines_twice, _lines_twice,
    _lines_swapped, _merged, _cut, _flipped,
)  # fmt: skip
