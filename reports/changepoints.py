"""Change points in words: a line for each, in the reports and in the terminal."""

from msgspec import Struct

from soak.schemas.evidence.changepoints import FAMILY_ERROR, ChangeKind, ChangePoint, Nearby, SeriesChanges
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration

_WHOLE_MINUTES_S = 300.0
"""Times of windows this long are told to the minute, those of shorter ones to the second."""


class ChangesInWords(Struct, frozen=True):
    """A sentence for each change and for each indicator of which nothing can be said, in the order of the objectives.

    searched: the indicators that were. error: the probability of any change point where nothing changes.
    """

    lines: list[str]
    withheld: list[str]
    searched: list[str]
    error: float = FAMILY_ERROR


def changes_in_words(verdict: Verdict) -> ChangesInWords:
    """All that a verdict says of change points."""
    entries = verdict.change_points
    return ChangesInWords(
        [sentence(entry, point) for entry in entries for point in entry.points],
        [f"{_name(entry)}: no statement: {entry.detail}" for entry in entries if entry.detail],
        [_name(entry) for entry in entries if not entry.detail],
    )


def sentence(entry: SeriesChanges, point: ChangePoint) -> str:
    """What changed from what to what, when, and what else happened then."""
    unit, (low, high) = Unit(entry.unit), (_time(each, entry) for each in point.interval)
    before, after = ("nothing" if each is None else unit.show(each) for each in (point.before, point.after))
    if point.kind is ChangeKind.STEP:
        changed = f"{_name(entry)} stepped from {before} to {after} at {_time(point.at_s, entry)} ({low} to {high})"
    else:
        changed = f"{_name(entry)} went from {before} to {after} between {low} and {high}, in no single step"
    return f"{changed}; {_beside(entry, point)}"


def _beside(entry: SeriesChanges, point: ChangePoint) -> str:
    near = ", ".join(_happened(each, entry) for each in point.near)
    other = "other " if point.throughout else ""
    throughout = f" ({', '.join(point.throughout)} throughout the run)" if point.throughout else ""
    return (f"near: {near}" if near else f"no {other}fault, phase, release or restart near") + throughout


def _happened(happened: Nearby, entry: SeriesChanges) -> str:
    start, end = _time(happened.start_s, entry), _time(happened.end_s, entry)
    return f"{happened.what} at {start}" if start == end else f"{happened.what} ({start} to {end})"


def _name(entry: SeriesChanges) -> str:
    labels = ", ".join(f"{label}={value}" for label, value in entry.labels.items())
    return f"{entry.indicator}{{{labels}}}" if labels else entry.indicator


def _time(t_s: float, entry: SeriesChanges) -> str:
    return show_duration(60.0 * round(t_s / 60) if entry.window_s >= _WHOLE_MINUTES_S else float(round(t_s)))
