"""Statements on tails, for people."""

from collections.abc import Iterable

from soak.schemas.evidence.tails import Tail
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration

_OFTEN = {3600.0: "once an hour", 86_400.0: "once a day", 604_800.0: "once a week", 2_592_000.0: "once a month (30 d)"}


def name_of(tail: Tail) -> str:
    """The SLI with its labels."""
    labels = ", ".join(f"{key}={value}" for key, value in tail.labels.items())
    return f"{tail.sli}{{{labels}}}" if labels else tail.sli


def often(period_s: float) -> str:
    """How often something happens that happens once in a period."""
    return _OFTEN.get(period_s) or f"once in {show_duration(period_s)}"


def periods(tails: Iterable[Tail]) -> list[float]:
    """The periods of which something is stated, in seconds."""
    return sorted({level.period_s for tail in tails for level in tail.levels})


def level_of(tail: Tail, period_s: float) -> str:
    """What is passed once in a period, with its interval; empty where that is not stated."""
    return next((_estimate(each.value, each.interval, tail) for each in tail.levels if each.period_s == period_s), "")


def thousandth(tail: Tail) -> str:
    """The 99.9th percentile with its interval; empty where it is not stated."""
    if tail.p999 is None or tail.p999_interval is None:
        return ""
    return _estimate(tail.p999, tail.p999_interval, tail)


def basis(tail: Tail) -> str:
    """What a statement rests on."""
    show = Unit(tail.unit).show
    low, high = tail.shape_interval or (0.0, 0.0)
    end = f"; no value above {show(tail.end)} if the shape is right" if tail.end is not None and high < 0 else ""
    shape = f"shape {tail.shape or 0.0:.2g} ({low:.2g} to {high:.2g})"
    at_least = " or more" if (tail.fit_p or 0.0) >= 0.9 else ""
    fit = f"p of fit {tail.fit_p:.2g}{at_least}"
    return f"{tail.clusters} independent peaks above {show(tail.threshold or 0.0)}, {shape}, {fit}{end}"


def _estimate(value: float, interval: tuple[float, float], tail: Tail) -> str:
    show = Unit(tail.unit).show
    return f"{show(value)} ({show(interval[0])} to {show(interval[1])})"
