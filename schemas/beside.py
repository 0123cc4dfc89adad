"""Values beside a target: in the unit of the target, with enough digits to show on which side of it they lie."""

import math
from collections.abc import Callable

from soak.schemas import units

_NEAR = 0.01
"""A value is near its target if they differ by less than this share of the target; otherwise the usual digits suffice."""

_NEAR_RATIO = 1e-3
"""Ratios are also near if they differ by less than this, since they are shown in hundredths of a percent."""

_ERROR = 5e-4
"""Rounding may take away this share of the distance to the target."""

_MOST_DECIMALS = 15


def is_near(value: float, target: float, *, ratio: bool = False) -> bool:
    """Whether the usual number of digits could hide on which side of the target a value lies."""
    if not (math.isfinite(value) and math.isfinite(target)) or value == target:
        return False
    apart = abs(value - target)
    return apart < _NEAR * abs(target) or (ratio and apart < _NEAR_RATIO)


def ratio(value: float, target: float) -> str:
    """A share as a percentage."""
    return f"{_decimals(value * 100, target * 100)}%"


def count(value: float, target: float) -> str:
    """A plain number."""
    return _decimals(value, target)


def duration(value: float, target: float) -> str:
    """A duration in seconds, shown in milliseconds, seconds, or hours, minutes and seconds, as its target is."""
    if abs(target) < 1:
        return f"{_decimals(value * 1000, target * 1000)}ms"
    if abs(target) < units.LONG_S or value < 0:
        return f"{_decimals(value, target)}s"
    seconds = _decimals(value, target)
    whole, _, decimals = seconds.partition(".")
    minutes, rest = divmod(int(whole), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else ""]
    last = f"{rest}.{decimals}s" if decimals else f"{rest}s" if rest else ""
    return "".join([*parts, last])


def rate(value: float, target: float) -> str:
    """A rate per second, shown in the unit of its target."""
    return _in_unit(value, target, units.show_rate, {f"/{unit}": 1 / per for unit, per in units.PER.items()})


def size(value: float, target: float) -> str:
    """A size in bytes, shown in the unit of its target."""
    return _in_unit(value, target, units.show_size, {unit: float(number) for unit, number in units.BYTES.items()})


def _in_unit(value: float, target: float, show: Callable[[float], str], sizes: dict[str, float]) -> str:
    unit = show(target).lstrip("-0123456789.e+")
    return f"{_decimals(value / sizes[unit], target / sizes[unit])}{unit}"


def _decimals(value: float, target: float) -> str:
    """A number with enough decimals that rounding barely changes its distance to the target."""
    for decimals in range(_MOST_DECIMALS):
        text = f"{value:.{decimals}f}"
        if abs(float(text) - value) <= _ERROR * abs(value - target) and (float(text) < target) == (value < target):
            break
    return text
