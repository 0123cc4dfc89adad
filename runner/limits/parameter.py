"""What can be varied in a scenario: its numbers, by the path that `--set` takes, with their ranges."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from soak.schemas import units
from soak.schemas.conformity import DURATIONS
from soak.schemas.errors import UsageError, quoted, shortened
from soak.schemas.evidence.limits import NumberKind
from soak.schemas.language.load import Loaded
from soak.schemas.language.registry import known
from soak.schemas.language.schema import own_keys, read_schema, resolve
from soak.schemas.language.shape import did_you_mean, nearest
from soak.schemas.language.systems import completed

_STEPS = tuple(Decimal(step).scaleb(exponent) for exponent in range(-9, 10) for step in (1, 2, 5))
_STEPS_S = (*(step for step in _STEPS if step < 15), *map(Decimal, (15, 30, 60, 120, 300, 600, 900, 1800, 3600)))
_NOT_VARIED = frozenset({"version", "seed", "tiers", "notify", "export", "preflight", "checkpoints", "repeat"})
"""Keys at the top of a scenario that say nothing of what is simulated, or (the seed) nothing that lasts."""
_PLAIN = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_TIMES, _TIMES_WHOLE, _TIMES_RATIO = 5, 4, 6
"""How many times the scenario's value a range reaches that nobody gave."""


def _mostly_varied() -> set[str]:
    """The keys at the top of a scenario whose numbers people vary."""
    return {"workload", "faults", *(key for system in known() for key in own_keys(system))}


class Parameter(Struct, frozen=True):
    """A number of the scenario that is varied over `row`: the values that can be tried, in order, from end to end of the range.

    Values are counted in percent, per unit of time (`per`), in seconds, or in wholes. `own` is the scenario's value; it is in
    the row if it is in the range. `given`: whether the range was.
    """

    path: str
    kind: NumberKind
    own: Decimal
    row: Sequence[Decimal] | range
    given: bool
    per: str = ""

    def value(self, point: int) -> Decimal:
        """The value at a place in the row."""
        return Decimal(self.row[point])

    @property
    def own_point(self) -> int | None:
        """The place of the scenario's value in the row, if it is in the range."""
        if isinstance(self.row, range):
            return self.row.index(int(self.own)) if int(self.own) in self.row else None
        return self.row.index(self.own) if self.own in self.row else None

    def text(self, value: Decimal) -> str:
        """A value as it stands in a scenario."""
        return _text(self.kind, value, self.per)

    def base(self, value: Decimal) -> float:
        """A value in base units."""
        if self.kind is NumberKind.RATIO:
            return float(value / 100)
        return float(value) / units.PER[self.per] if self.kind is NumberKind.RATE else float(value)


def _text(kind: NumberKind, value: Decimal, per: str) -> str:
    plain = f"{value.normalize():f}"
    if kind is NumberKind.DURATION:
        return _duration_text(value)
    return (
        plain + {NumberKind.RATIO: "%", NumberKind.RATE: f"/{per}", NumberKind.WHOLE: "", NumberKind.FACTOR: ""}[kind]
    )


def _duration_text(seconds: Decimal) -> str:
    """A duration as people write it, and to the last digit."""
    if seconds < 1 and seconds:
        return f"{(seconds * 1000).normalize():f}ms"
    if seconds % 1 or seconds < 60:
        return f"{seconds.normalize():f}s"
    parts, rest = [], int(seconds)
    for unit in ("h", "m", "s"):
        count, rest = divmod(rest, round(units.SECONDS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


class _Number(Struct, frozen=True):
    """A place in the scenario that holds a number; lists in its path by the names of their entries."""

    path: str
    kind: NumberKind
    value: Any
    schema: dict[str, Any]


def find_parameter(loaded: Loaded, wish: str, tolerance: float) -> Parameter:
    """The parameter of `--vary PATH` or `--vary PATH=LOW..HIGH`, in steps of at most `tolerance` of the range.

    Raises UsageError.
    """
    path, equals, span = wish.partition("=")
    numbers = dict(_numbers(completed(loaded.data), loaded.data, read_schema("scenario"), "", ""))
    if path not in numbers:
        raise UsageError(f"--vary {shortened(path)}: {_missing(path, loaded, numbers)}")
    number = numbers[path]
    per = str(number.value).rpartition("/")[2] if number.kind is NumberKind.RATE else ""
    try:
        own = _read(number.kind, number.value, per)
        low, high = _span(number.kind, span, per) if equals else _default_span(number, own)
    except ValueError as error:
        raise UsageError(f"--vary {shortened(wish)}: {error}") from None
    return Parameter(number.path, number.kind, own, _row(number.kind, low, high, own, tolerance), bool(equals), per)


def _missing(path: str, loaded: Loaded, numbers: Mapping[str, _Number]) -> str:
    """What is wrong with a path that leads to no number that can be varied."""
    known = sorted({number.path for number in numbers.values()})
    often = [each for each in known if each.partition(".")[0] in _mostly_varied()]
    remedy = did_you_mean(path, known if nearest(path, known) else often)
    if path.partition(".")[0] in _NOT_VARIED:
        return f"does not change what is simulated ({remedy})"
    if inner := [each for each in known if each.startswith(f"{path}.")]:
        return f"is not a number (vary one in it: {', '.join(inner)})"
    if _stands(path, completed(loaded.data)):
        return f"is not a number: a ratio, rate, duration, factor or whole number ({remedy})"
    return f"the scenario has no such value ({remedy})"


def _stands(path: str, data: Any) -> bool:
    for word in path.split("."):
        if isinstance(data, list):
            found = [each for index, each in enumerate(data) if word in _names(each, index)]
            data = found[0] if found else None
        else:
            data = data.get(word) if isinstance(data, dict) else None
    return data is not None


def _names(entry: Any, index: int) -> tuple[str, ...]:
    """How an entry of a list is named in a path; the last is the one to show."""
    name = entry.get("name") if isinstance(entry, dict) else None
    return (str(index), name) if isinstance(name, str) and "." not in name else (str(index),)


def _numbers(filled: Any, written: Any, schema: Any, path: str, shown: str) -> Iterator[tuple[str, _Number]]:
    """Every number in `filled` by each of its paths. Entries of lists that are not `written` cannot be set."""
    schema = resolve(schema) if isinstance(schema, dict) else {}
    if "else" in schema and filled != schema["if"].get("const"):
        # A number, or a word such as `none` in its place.
        schema = resolve(schema["else"])
    if isinstance(filled, dict):
        for key, value in filled.items():
            inner = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            own = written.get(key) if isinstance(written, dict) else None
            if path or key not in _NOT_VARIED:
                yield from _numbers(value, own, inner, f"{path}{key}.", f"{shown}{key}.")
    elif isinstance(filled, list):
        for index, (entry, own) in enumerate(zip(filled, written or [], strict=False)):
            names = _names(entry, index)
            for name in names:
                yield from _numbers(entry, own, schema.get("items"), f"{path}{name}.", f"{shown}{names[-1]}.")
    elif kind := _kind(filled, schema):
        yield path[:-1], _Number(shown[:-1], kind, filled, schema)


def _kind(value: Any, schema: dict[str, Any]) -> NumberKind | None:
    title = schema.get("title")
    if title in DURATIONS:
        return NumberKind.DURATION
    if title in {NumberKind.RATIO, NumberKind.RATE}:
        return NumberKind(title)
    if schema.get("type") == "number" and type(value) in (int, float):
        return NumberKind.FACTOR
    return NumberKind.WHOLE if schema.get("type") == "integer" and type(value) is int else None


_EXAMPLES = {
    NumberKind.RATIO: "0%..60%",
    NumberKind.RATE: "1/min..60/min",
    NumberKind.DURATION: "30s..5m",
    NumberKind.WHOLE: "1..20",
    NumberKind.FACTOR: "0.5..4",
}


def _span(kind: NumberKind, span: str, per: str) -> tuple[Decimal, Decimal]:
    """The ends of a range. Raises ValueError."""
    first, dots, last = span.partition("..")
    such = f"write a range such as {_EXAMPLES[kind]}"
    if not dots:
        raise ValueError(f"{quoted(span)} is not a range ({such})")
    try:
        low, high = _read(kind, first.strip(), per), _read(kind, last.strip(), per)
    except ValueError as error:
        raise ValueError(f"{error} ({such})") from None
    if low >= high:
        raise ValueError(f"{first} is not below {last} (write the lower end first)")
    return low, high


def _read(kind: NumberKind, value: Any, per: str) -> Decimal:
    """A number in the unit its kind is counted in. Raises ValueError."""
    text = str(value)
    try:
        return round(_READ[kind](text, per), 9).normalize()
    except ValueError:
        raise ValueError(f"{quoted(text)} is not a {kind.value}") from None


def _percent(text: str, per: str) -> Decimal:
    units.ratio(text)
    return Decimal(text.removesuffix("%")) * (1 if text.endswith("%") else 100)


def _rate(text: str, per: str) -> Decimal:
    units.rate(text)
    number, _, unit = text.partition("/")
    return Decimal(number) * round(units.PER[per]) / round(units.PER[unit])


def _whole(text: str, per: str) -> Decimal:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise ValueError
    return Decimal(text)


def _factor(text: str, per: str) -> Decimal:
    if not _PLAIN.fullmatch(text):
        raise ValueError
    return Decimal(text)


_READ: dict[NumberKind, Callable[[str, str], Decimal]] = {
    NumberKind.RATIO: _percent,
    NumberKind.RATE: _rate,
    NumberKind.DURATION: lambda text, _: Decimal(units.duration(text)),
    NumberKind.WHOLE: _whole,
    NumberKind.FACTOR: _factor,
}


def _default_span(number: _Number, own: Decimal) -> tuple[Decimal, Decimal]:
    """A range around the scenario's value, within what the schema allows. Raises ValueError."""
    if number.kind is NumberKind.RATIO:
        return Decimal(0), min(Decimal(100), own * _TIMES_RATIO) if own else Decimal(100)
    if number.kind is NumberKind.WHOLE:
        least = Decimal(number.schema.get("minimum", 0))
        most = Decimal(number.schema.get("maximum", 10**9))
        high = min(most, max(own * _TIMES_WHOLE, least + 1))
        return least, high
    if not own:
        raise ValueError(
            f"is 0 in the scenario, which tells no range (add one: =LOW..HIGH, such as {_EXAMPLES[number.kind]})"
        )
    return (own / _TIMES).normalize(), own * _TIMES


def _row(kind: NumberKind, low: Decimal, high: Decimal, own: Decimal, tolerance: float) -> Sequence[Decimal] | range:
    """The values to try: both ends, the scenario's own, and round ones between them."""
    if kind is NumberKind.WHOLE:
        return range(int(low), int(high) + 1)
    widest = (high - low) * Decimal(str(tolerance))
    steps = [step for step in (_STEPS_S if kind is NumberKind.DURATION else _STEPS) if step <= widest]
    step = steps[-1] if steps else widest
    first, last = int(low // step) + 1, int(high // step)
    inside = {(number * step).normalize() for number in range(first, last + 1)}
    return sorted({low, high} | inside | ({own} if low < own < high else set()))
