"""Durations, rates, ratios and sizes: from the words of a scenario to base units, and back for people.

Base units are seconds, events per second, ratios from 0 to 1, and bytes. Decimal figures are converted exactly and rounded
once, to the nearest float: 99.9 % is the same number as 999 of 1,000, and 600 ms as 600,000 microseconds.
"""

import re
from decimal import Decimal

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_EXACT_SECONDS = {unit: Decimal(str(seconds)) for unit, seconds in SECONDS.items()}
PER = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
BYTES = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}

# This limit on digits keeps every sum and product of scenario values far below the largest float.
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
_DURATION = re.compile(
    rf"(?=.)(?:{_NUMBER}w)?(?:{_NUMBER}d)?(?:{_NUMBER}h)?(?:{_NUMBER}m(?!s))?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?"
)
_DURATION_PART = re.compile(rf"({_NUMBER})(ms|[smhdw])")
_RATE = re.compile(rf"({_NUMBER})/({'|'.join(PER)})")
_SIZE = re.compile(rf"({_NUMBER})({'|'.join(sorted(BYTES, key=len, reverse=True))})")


def duration(text: str) -> float:
    """Seconds of a Prometheus-style duration such as `1h30m` or `500ms`; raises ValueError."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration")
    return float(sum(Decimal(number) * _EXACT_SECONDS[unit] for number, unit in _DURATION_PART.findall(text)))


def rate(text: str) -> float:
    """Events per second of a rate such as `5/min`; raises ValueError."""
    match = _RATE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a rate")
    return float(Decimal(match[1]) / Decimal(PER[match[2]]))


def ratio(text: str | float) -> float:
    """A share from 0 to 1, from `10%` or `0.1`; raises ValueError."""
    if isinstance(text, str) and re.fullmatch(rf"{_NUMBER}%", text):
        value = float(Decimal(text[:-1]) / 100)
    elif isinstance(text, int | float) or re.fullmatch(_NUMBER, text):
        value = float(text)
    else:
        raise ValueError(f"{text!r} is not a ratio")
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r} is not between 0% and 100%")
    return value


def size(text: str) -> float:
    """Bytes of a size such as `600MB` or `64MiB`; raises ValueError."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a size")
    return float(Decimal(match[1]) * BYTES[match[2]])


LONG_S = 600.0
"""Longer durations are shown in hours, minutes and whole seconds."""
LONGEST_S = 1e15
"""Longer ones are no time of a run: they are shown as the number they are."""


def show_duration(seconds: float) -> str:
    """A duration for people, to three significant figures below a minute: `1h30m`, `85.2s`, `9.34ms`."""
    if seconds < 0:
        return "-" + show_duration(-seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g}ms" if seconds else "0s"
    if seconds < LONG_S:
        return f"{seconds:.4g}s"
    if not seconds < LONGEST_S:
        return f"{seconds:g}s"
    rest = round(seconds)
    parts = []
    for unit in ("d", "h", "m", "s") if seconds >= 4 * 86_400 else ("h", "m", "s"):
        count, rest = divmod(rest, round(SECONDS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def write_duration(seconds: float) -> str:
    """A duration as a scenario writes it: whole numbers of units, the largest first, to the millisecond: `5m`, `1m30s`."""
    rest, parts = max(1, round(seconds * 1000)), []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def show_ratio(value: float) -> str:
    """A share as a percentage, with enough digits not to round a miss up to 100 %."""
    for digits in range(2, 16, 2):
        text = f"{value * 100:.{digits}f}".rstrip("0").rstrip(".")
        if text not in {"100", "0", "-0"} or value in {0.0, 1.0}:
            break
    return f"{text}%"


def _figures(value: float) -> str:
    """A number to four significant figures; large numbers never have an exponent."""
    return f"{value:.4g}" if abs(value) < 9999.5 else f"{value:.0f}"


def show_rate(per_second: float) -> str:
    """A rate for people, in the unit that keeps it readable."""
    return show_rate_like(per_second, per_second)


def show_rate_like(per_second: float, like: float) -> str:
    """A rate for people, in the unit that keeps the rate `like` readable."""
    for unit in ("s", "min", "h"):
        if abs(like) * PER[unit] >= 1 or unit == "h":
            return f"{_figures(per_second * PER[unit])}/{unit}"
    raise AssertionError


def show_size(size_bytes: float) -> str:
    """A size for people in decimal units."""
    for unit in ("TB", "GB", "MB", "kB"):
        if abs(size_bytes) >= BYTES[unit]:
            return f"{_figures(size_bytes / BYTES[unit])}{unit}"
    return f"{_figures(size_bytes)}B"


def show_gain(times: float) -> str:
    """How many times as good, for people: three significant figures, thousands separated."""
    return show_count(float(f"{times:.3g}"))


def show_count(value: float) -> str:
    """A count or plain number for people: whole numbers whole, large ones rounded, with thousands separated."""
    return f"{round(value):,}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"
