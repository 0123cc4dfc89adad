"""Round numbers for axes, and how values are written beside them."""

import math
from collections.abc import Iterator

from soak.reports.look.charts import Form
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
    # Beyond that, the distance of two values is no number.
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
