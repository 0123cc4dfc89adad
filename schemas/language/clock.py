"""The clock on the wall during a run: what scenario time is on it, with changes of the UTC offset (DST)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from msgspec import Struct

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
_STEP_S = 3600.0
SOME_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
"""Where no start is given, a run starts at midnight of a Monday, and no offset ever changes."""


class ClockError(ValueError):
    """A date and time that is none, or not one: what is wrong, and what to write."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


class Spell(Struct, frozen=True):
    """A stretch of scenario time with one UTC offset: the local time is scenario time plus `local_s`, counted from a Monday."""

    start_s: float
    end_s: float
    local_s: float


class Clock(Struct, frozen=True):
    """Scenario time 0 at `start`, in the time zone `zone`."""

    start: datetime
    zone: tzinfo

    @classmethod
    def of(cls, start: datetime | None, timezone: str) -> "Clock":
        """The clock of a scenario."""
        return cls(SOME_MONDAY, UTC) if start is None else cls(start, ZoneInfo(timezone))

    def at(self, t_s: float) -> datetime:
        """The local date and time at a scenario time."""
        # In UTC: sums of local times leave out changes of the clock.
        return (self.start.astimezone(UTC) + timedelta(seconds=t_s)).astimezone(self.zone)

    def scenario_s(self, moment: datetime) -> float:
        """The scenario time of a date and time with an offset."""
        return (moment.astimezone(UTC) - self.start.astimezone(UTC)).total_seconds()

    def spells(self, until_s: float) -> Iterator[Spell]:
        """From 0 to `until_s`, cut where the UTC offset changes; such changes are an hour apart at least."""
        begin_s = 0.0
        while begin_s < until_s:
            offset_s, end_s = self._offset_s(begin_s), begin_s
            while end_s < until_s and self._offset_s(end_s) == offset_s:
                end_s = min(end_s + _STEP_S, until_s)
            if self._offset_s(end_s) != offset_s:
                end_s = self._change(max(begin_s, end_s - _STEP_S), end_s)
            yield Spell(begin_s, end_s, self._local_s(begin_s))
            begin_s = end_s

    def _offset_s(self, t_s: float) -> float:
        offset = self.at(t_s).utcoffset()
        assert offset is not None
        return offset.total_seconds()

    def _change(self, before_s: float, after_s: float) -> float:
        """The scenario time, to a millisecond, between these two at which the offset changes."""
        offset_s = self._offset_s(before_s)
        while after_s - before_s > 5e-4:
            middle_s = (before_s + after_s) / 2
            before_s, after_s = (middle_s, after_s) if self._offset_s(middle_s) == offset_s else (before_s, middle_s)
        change_s = round(after_s, 3)
        # Rounded down it may lie before the change, where a start has a fraction of a millisecond.
        return change_s if self._offset_s(change_s) != offset_s else round(change_s + 1e-3, 3)

    def _local_s(self, t_s: float) -> float:
        """Local time less scenario time, with local time counted from the midnight of a Monday."""
        local = self.at(t_s).replace(tzinfo=None)
        return (local - SOME_MONDAY.replace(tzinfo=None)).total_seconds() % WEEK_S - t_s


def parse_start(text: str, timezone: str) -> datetime:
    """The date and time of a `start`; without an offset it is a local time. Raises ClockError."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ClockError(f"{text!r} is not a date and time", "write one such as 2026-03-28T00:00+09:00") from None
    if moment.tzinfo is not None:
        return moment
    zone = ZoneInfo(timezone)
    early, late = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != moment:
        what = f"{text} does not exist in {timezone}: clocks go forward then"
        raise ClockError(what, f"write {early.astimezone(UTC).astimezone(zone):%Y-%m-%dT%H:%M}, or another time")
    if early.utcoffset() != late.utcoffset():
        shown = " or ".join(f"{each.isoformat(timespec='minutes')}" for each in (early, late))
        raise ClockError(f"{text} comes twice in {timezone}: clocks go back then", f"write {shown}")
    return early
