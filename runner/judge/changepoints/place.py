"""When an indicator changed: the time of a change and its interval."""

import math

import numpy as np
from msgspec import Struct

from soak.runner.judge.changepoints.divisive import Split, is_straight
from soak.runner.judge.changepoints.series import Series
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.stream.block import Floats

_BAI = 11.0 * math.pi / 2
"""The 97.5 % point of the place of a change, in units of variance by squared size (Bai, Estimation of a change point in multiple
regression models, Review of Economics and Statistics 79, 1997), of medians: pi / 2 for normal values (Bai 1995)."""

_STEPS = 12
"""Parts of a window that its time is told to."""


class Placed(Struct, frozen=True):
    """A change with its time, interval, and the indicator before and after it."""

    kind: ChangeKind
    at_s: float
    interval: tuple[float, float]
    before: float
    after: float
    p: float


def place_all(series: Series, splits: tuple[Split, ...], *, straight: bool) -> list[Placed]:
    """The changes of a series in time order; a series that runs along a straight line changes once, in all of its time."""
    if straight:
        whole = Split(splits[0].index, 0, len(series.windows), min(each.p for each in splits), splits[0].inflation)
        return [_drift(series, whole)]
    return [_placed(series, split) for split in splits]


def _placed(series: Series, split: Split) -> Placed:
    values, cut = series.windows.value[split.begin : split.end], split.index - split.begin
    if is_straight(values, [cut]):
        return _drift(series, split)
    low_s, high_s = float(series.windows.start_s[split.begin]), float(series.windows.end_s[split.end - 1])
    apart, within = float(values[cut:].mean() - values[:cut].mean()), _variance_within(values, cut)
    at_s, first_s, last_s = _time(series, split, apart, math.sqrt(within))
    half_s = series.window_s * (1 / _STEPS + half_width(values, cut, split.inflation))
    before, after = series.over(low_s, at_s, high_s).tolist()
    interval = max(low_s, min(first_s, at_s - half_s)), min(high_s, max(last_s, at_s + half_s))
    return Placed(ChangeKind.STEP, at_s, interval, before, after, split.p)


def half_width(values: Floats, cut: int, inflation: float) -> float:
    """Half of the interval, with 95 % confidence, in which the change at `cut` lies, in numbers of values (see `_BAI`)."""
    apart = float(values[cut:].mean() - values[:cut].mean())
    return _BAI * inflation * _variance_within(values, cut) / apart**2 if apart else math.inf


def _drift(series: Series, split: Split) -> Placed:
    """A change that takes all of its stretch: from its first quarter to its last."""
    low_s, high_s = float(series.windows.start_s[split.begin]), float(series.windows.end_s[split.end - 1])
    quarter_s = (high_s - low_s) / 4
    values = series.over(low_s, low_s + quarter_s, high_s - quarter_s, high_s).tolist()
    return Placed(ChangeKind.DRIFT, (low_s + high_s) / 2, (low_s, high_s), values[0], values[-1], split.p)


def _variance_within(values: Floats, cut: int) -> float:
    """The variance of the values around both levels."""
    before, after = values[:cut], values[cut:]
    return float((before.var() * len(before) + after.var() * len(after)) / len(values))


def _time(series: Series, split: Split, apart: float, deviation: float) -> tuple[float, float, float]:
    """Where the windows before and after differ most, within a window of the split, and from when to when they differ as much,
    to within the deviation of a window."""
    edge_s, window_s = float(series.windows.start_s[split.index]), series.window_s
    times_s = edge_s + window_s * np.array(_outwards(_STEPS)) / _STEPS
    differences = [series.over(at_s - window_s, at_s, at_s + window_s) for at_s in times_s.tolist()]
    contrast = np.nan_to_num(
        np.array([after - before for before, after in differences]) * np.sign(apart), nan=-math.inf
    )
    best = int(contrast.argmax())
    alike = times_s[contrast >= contrast[best] - deviation]
    return float(times_s[best]), float(alike.min()) - window_s / _STEPS, float(alike.max()) + window_s / _STEPS


def _outwards(most: int) -> list[int]:
    """0, -1, 1, -2, 2, …"""
    return sorted(range(-most, most + 1), key=lambda step: (abs(step), step))
