"""Values of other tools as a scenario writes them: durations, rates, ratios, sizes; and durations as others write them."""

import re
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal, localcontext

from soak.schemas import units
from soak.schemas.language.expression import UnclearError, Unit

_UNITS_MS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_PART = re.compile(
    r"([0-9]+(?:\.[0-9]+)?)\s*(ms|milliseconds?|secs?|seconds?|mins?|minutes?|hours?|days?|weeks?|[smhdwy])?"
)
_DIGITS = 400
"""Enough for any float, with its decimals."""
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0, "y": 31_536_000.0}


def seconds_of(text: object) -> float | None:
    """Seconds of a duration as other tools write it (`10s`, `1h30m`, `2s500ms`, `90`, `1.5`); None if it is not one.

    A number without a unit is in seconds.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text) if text >= 0 else None
    if not isinstance(text, str):
        return None
    total, at, text = Decimal(0), 0, text.strip()
    while at < len(text):
        found = _PART.match(text, at)
        if not found:
            return None
        total += Decimal(found[1]) * Decimal(str(_SECONDS[_short(found[2])]))
        at = found.end() + (len(text[found.end() :]) - len(text[found.end() :].lstrip()))
    return float(total) if text else None


def _short(unit: str | None) -> str:
    if not unit:
        return "s"
    return "ms" if unit.startswith(("ms", "milli")) else unit[0]


def duration_text(seconds: float) -> str:
    """A duration above or at zero, exactly, as a scenario writes it: `1h30m`, `250ms`."""
    exact = Decimal(repr(seconds))
    milliseconds = exact * 1000
    if not exact.is_finite() or milliseconds != milliseconds.to_integral_value():
        return f"{_plain(exact)}s"
    if 1000 < milliseconds < 60_000 and milliseconds % 1000:
        return f"{exact.normalize():f}s"
    rest, parts = int(milliseconds), []
    for unit, size in _UNITS_MS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def target_text(unit: Unit, value: float) -> str:
    """A target in base units as a scenario writes it, such that it reads back as the same number where that can be."""
    if unit.value.endswith("/h"):
        return f"{target_text(Unit(unit.value.removesuffix('/h')), value)}/h"
    candidates = _WRITTEN[unit](value)
    fallback = ""
    for text in candidates:
        fallback = fallback or text
        with suppress(UnclearError):
            if unit.parse(text) == value:
                return text
    return fallback


def _durations(value: float) -> Iterator[str]:
    yield duration_text(value)


def _ratios(value: float) -> Iterator[str]:
    yield f"{_plain(Decimal(repr(value)) * 100)}%"
    yield _plain(Decimal(repr(value)))


def _counts(value: float) -> Iterator[str]:
    yield _plain(Decimal(repr(value)))


def _rates(value: float) -> Iterator[str]:
    texts = {unit: _plain(Decimal(f"{value * per:.12g}")) for unit, per in units.PER.items()}
    exact = [text for unit, number in texts.items() if _is_rate(text := f"{number}/{unit}", value)]
    whole = [text for text in exact if "." not in text]
    yield from (*whole, *sorted(exact, key=len), f"{texts['s']}/s")


def _is_rate(text: str, value: float) -> bool:
    try:
        return units.rate(text) == value
    except ValueError:
        return False


def _sizes(value: float) -> Iterator[str]:
    for unit in ("TB", "TiB", "GB", "GiB", "MB", "MiB", "kB", "KiB"):
        if value and value % units.BYTES[unit] == 0:
            yield f"{int(value // units.BYTES[unit])}{unit}"
    yield f"{_plain(Decimal(repr(value)))}B"


def _plain(number: Decimal) -> str:
    """A number without an exponent and without trailing zeros, with at most twelve decimals."""
    if not number.is_finite():
        return str(number)
    with localcontext(prec=_DIGITS):
        text = f"{number.quantize(Decimal(1).scaleb(-12)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_WRITTEN = {
    Unit.DURATION: _durations,
    Unit.RATIO: _ratios,
    Unit.COUNT: _counts,
    Unit.RATE: _rates,
    Unit.SIZE: _sizes,
}
