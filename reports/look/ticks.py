"""Round numbers for axes, and how values are written beside them."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from soak.reports.look.charts import Chart, Form
from soak.schemas.units import show_duration, show_ratio, show_size

STEPS_S = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 345600, 604800,
    1209600, 2592000,
)  # fmt: skip
"""Distances between ticks of durations, in seconds."""


def show(value: float, form: Form) -> str:
    """A value for people, without its unit where that is beside the axis."""
    match form:
        case Form.SECONDS:
            return show_duration(float(f"{value:.4g}"))
        case Form.RATIO:
            return show_ratio(round(value, 6))
        case Form.BYTES:
            return show_size(value)
        case Form.NUMBER:
            return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


_CLOCKS = (("s", 1.0, 120.0), ("m", 60.0, 7200.0), ("h", 3600.0, 345_600.0), ("d", 86_400.0, math.inf))
"""Units of time: seconds of each, and up to how many seconds it is used."""


def clock(seconds: float) -> str:
    """A duration in the unit of its size, and the next smaller one: seconds below 2 min, minutes below 2 h, hours below 4 d."""
    if seconds < 0:
        return f"-{clock(-seconds)}"
    if seconds < _CLOCKS[0][2]:
        return show_duration(seconds) if seconds else "0"
    place = next(place for place, (_, _, below) in enumerate(_CLOCKS) if seconds < below)
    (unit, size, _), (smaller, small, _) = _CLOCKS[place], _CLOCKS[place - 1]
    count, rest = divmod(round(seconds / small), round(size / small))
    return f"{count}{unit}" + (f"{rest}{smaller}" if rest else "")


def labels(ticks: Sequence[float], form: Form, *, log: bool = False) -> list[str]:
    """What is written beside the ticks of an axis: durations all in the unit of the largest, so that they compare.

    What is not a whole number of it has the next smaller one too. On a logarithmic scale each is a whole number of its own unit.
    """
    if form is not Form.SECONDS:
        return [show(each, form) for each in ticks]
    if log:
        return [_whole(each) for each in ticks]
    largest = max((abs(each) for each in ticks), default=0.0)
    if largest < 1:
        return [f"{1000 * each:.4g}ms" if each else "0" for each in ticks]
    place = next(place for place, (_, _, below) in enumerate(_CLOCKS) if largest < below)
    return [_in_unit(each, place) for each in ticks]


def _in_unit(seconds: float, place: int) -> str:
    if not seconds:
        return "0"
    if seconds < 0:
        return f"-{_in_unit(-seconds, place)}"
    unit, size, _ = _CLOCKS[place]
    if not place:
        return f"{seconds:.4g}{unit}"
    smaller, small, _ = _CLOCKS[place - 1]
    count, rest = divmod(round(seconds / small), round(size / small))
    return (f"{count}{unit}" if count else "") + (f"{rest}{smaller}" if rest else "")


def _whole(seconds: float) -> str:
    for unit, size, _ in _CLOCKS[2::-1]:
        if seconds >= size and math.isclose(seconds % size, 0.0, abs_tol=1e-9):
            days = unit == "h" and seconds >= _CLOCKS[2][2]
            return f"{seconds / (86_400 if days else size):.4g}{'d' if days else unit}"
    return show_duration(seconds)


def times(low: float, high: float, most: int) -> list[float]:
    """Round moments of an axis of time, in seconds: at most `most` distances between them."""
    step = next((step for step in STEPS_S if (high - low) / step <= most), STEPS_S[-1])
    return [float(number * step) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def linear(low: float, high: float, form: Form, most: int = 5) -> list[float]:
    """At most `most` round values from `low` to `high`; durations are round as clocks are."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    step = next(step for step in _steps(span / max(most, 1), form) if _count(low, high, step) <= most)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _count(low: float, high: float, step: float) -> int:
    """How many multiples of a step lie in a range."""
    return math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) + 1


def _steps(about: float, form: Form) -> Iterator[float]:
    """Round steps from a little below `about` on."""
    if form is Form.SECONDS and about >= 1:
        yield from (float(step) for step in STEPS_S if step >= about / 2)
    power = math.floor(math.log10(about)) if about > 0 else 0
    while True:
        yield from (each * 10.0**power for each in (1, 2, 5) if each * 10.0**power >= about / 2)
        power += 1


_CLOCK_S = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800)


def logarithmic(low: float, high: float, form: Form = Form.NUMBER, most: int = 6) -> list[float]:
    """Values 1, 2 and 5 of each power of ten from `low` to `high`, or only its 1; durations as clocks have them."""
    if form is Form.SECONDS and high > 60:
        small = [10.0**power for power in range(math.floor(math.log10(low)), 1) if 10.0**power >= low * 0.999]
        found = [*small, *(float(each) for each in _CLOCK_S if low * 0.999 <= each <= high * 1.001)]
        return found[:: -(-len(found) // most) or 1]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for rounds in ((1, 2, 5), (1, 3), (1,)):
        found = [each * 10.0**power for power in range(first, last + 1) for each in rounds]
        inside = [value for value in found if low * 0.999 <= value <= high * 1.001]
        if len(inside) <= most:
            return inside
    return inside[:: -(-len(inside) // most)]


_LARGEST = 1e300


def extent(chart_low: float | None, chart_high: float | None, values: list[float], *, log: bool) -> tuple[float, float]:
    """The scale of a chart: its own limits where it has them, otherwise those of its values, with some air above them."""
    # Beyond that, the distance of two values is not a number.
    found = [value for value in values if abs(value) <= _LARGEST and (value > 0 or not log)]
    low = chart_low if chart_low is not None else min(found, default=0.0 if not log else 1.0)
    high = chart_high if chart_high is not None else max(found, default=1.0)
    if log:
        low, high = max(low, 1e-9), max(high, 1e-9)
        return (low / 1.25, high * 1.25) if high / low > 1.0001 else (low / 2, high * 2)
    if not high > low:
        pad = abs(high) * 0.1 or 1.0
        return (
            (low, low + pad) if chart_low is not None else (low - pad, high + (0.0 if chart_high is not None else pad))
        )
    air = 0.06 * (high - low)
    return (low if chart_low is not None else low - air, high if chart_high is not None else high + air)


def scale_of(chart: Chart) -> tuple[float, float]:
    """The lowest and the highest of the scale of a chart, of every value that it has: the picture and the script share it."""
    shown = [each for line in chart.lines for each in (line.values, *(line.around or ()))]
    values = [limit.value for limit in chart.limits]
    for each in shown:
        known = each[np.isfinite(each) & ((each > 0) | (not chart.log))]
        values += [float(known.min()), float(known.max())] if len(known) else []
    return extent(chart.low, chart.high, values, log=chart.log)
