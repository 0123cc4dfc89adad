"""Times of rows, as whole microseconds: ISO 8601 with or without a zone, or numbers.

Rows of one layout, such as `0000-00-00T00:00:00.000Z`, are read digit by digit, all rows at once; whatever has a layout of
its own is left to datetime.fromisoformat, one by one.
"""

import zoneinfo
from datetime import UTC, datetime
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from soak.schemas.errors import quoted
from soak.schemas.stream.block import Bools, Ints
from soak.schemas.trace.fields import WIDEST, Fields

Digits: TypeAlias = npt.NDArray[np.int32]

UNITS_US = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
"""Microseconds in each unit of time."""

NO_TIME = np.iinfo(np.int64).min
"""The time of a row that has none."""

_MOST_US = 2**53
"""Times beyond the year 2255, in microseconds, are not exact as floats."""

_MOST_LAYOUTS = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_clock_text(text: str) -> bool:
    """Whether a time is written as a date, rather than as a number."""
    return len(text) >= 8 and text[:4].isdigit() and not text.replace(".", "", 1).isdigit()


def unit_of(number: float) -> str:
    """The unit of an epoch number by its size, as dates between 1973 and 5138 have it; "" for seconds from the start."""
    size = abs(number)
    for unit, least in (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", 1e8)):
        if size >= least:
            return unit
    return ""


def from_floats(value: npt.NDArray[np.float64], bad: Bools, unit: str) -> tuple[Ints, Bools]:
    """Microseconds of numbers in `unit`, and which rows have none."""
    scaled = np.rint(value * UNITS_US[unit or "s"])
    bad = bad | ~(np.abs(scaled) < _MOST_US)
    return np.where(bad, float(NO_TIME), scaled).astype(np.int64), bad


class Clock(Struct, frozen=True):
    """Reads clock times; those without a zone are in `zone`."""

    zone: zoneinfo.ZoneInfo

    def read(self, fields: Fields) -> tuple[Ints, Bools]:
        """Microseconds since 1970 in UTC, and which rows have no valid time."""
        time_us = np.full(len(fields), NO_TIME)
        left = np.flatnonzero(fields.length <= WIDEST)
        for _ in range(_MOST_LAYOUTS):
            layout = _layout(fields.text(int(left[0]))) if len(left) else None
            if layout is None:
                break
            same = left[fields.length[left] == len(layout)]
            found, good = self._of_layout(fields.take(same), layout)
            time_us[same[good]] = found[good]
            done = np.zeros(len(fields), dtype=np.bool_)
            done[same[good]] = True
            done[left[0]] = True
            left = left[~done[left]]
        for row in left.tolist():
            time_us[row] = self._one(fields.text(row))
        return time_us, time_us == NO_TIME

    def _of_layout(self, fields: Fields, layout: str) -> tuple[Ints, Bools]:
        """The rows that have this layout: microseconds, and which have it and are valid."""
        columns = fields.columns(len(layout))
        digit = columns - np.uint8(48)
        good = np.ones(len(fields), dtype=np.bool_)
        for place, letter in enumerate(layout):
            good &= (digit[place] <= 9) if letter == "0" else (columns[place] == ord(letter))
        local_us, valid = _date_and_time(digit, layout)
        good &= valid
        rest = layout[19:]
        fraction = len(rest) - len(rest[1:].lstrip("0")) if rest[:1] in {".", ","} else 0
        local_us += _fraction_us(digit[20 : 19 + fraction])
        zone = layout[19 + fraction :]
        if not zone:
            shift_us, exists = self._shift_us(local_us)
            return local_us - shift_us, good & exists
        if zone == "Z":
            return local_us, good
        at = 19 + fraction + 1
        minutes = at + (3 if ":" in zone else 2)
        shift_s = _number(digit[at : at + 2]) * 3600
        if len(zone) > 3:
            shift_s = shift_s + _number(digit[minutes : minutes + 2]) * 60
        return local_us - (1 if zone[0] == "+" else -1) * shift_s.astype(np.int64) * 1_000_000, good

    def _shift_us(self, local_us: Ints) -> tuple[Ints, Bools]:
        """How far ahead of UTC the zone is at each local time, and which times exist there.

        Of a time that is there twice, when clocks go back, the first is meant. No zone changes within a quarter of an hour.
        """
        if self.zone.key == "UTC":
            return np.zeros_like(local_us), np.ones(len(local_us), dtype=np.bool_)
        quarters, which = np.unique(local_us // 900_000_000, return_inverse=True)
        shifts, exist = [], []
        for quarter in quarters.tolist():
            local = datetime.fromtimestamp(quarter * 900, UTC).replace(tzinfo=self.zone)
            shift = local.utcoffset()
            assert shift is not None
            shifts.append(int(shift.total_seconds() * 1_000_000))
            exist.append(_exists(local))
        return np.array(shifts, dtype=np.int64)[which], np.array(exist, dtype=np.bool_)[which]

    def _one(self, text: str) -> int:
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=self.zone)
            past = moment - _EPOCH
        except (ValueError, OverflowError):
            return int(NO_TIME)
        if not _exists(moment):
            return int(NO_TIME)
        return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds

    def why(self, text: str) -> str:
        """What is wrong with a text that is not a time."""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return f"{quoted(text)} is not a time"
        if moment.tzinfo is None and not _exists(moment.replace(tzinfo=self.zone)):
            return f"{quoted(text)} does not exist in {self.zone.key}: clocks went forward over it"
        return f"{quoted(text)} is not a time"


def _exists(moment: datetime) -> bool:
    return moment.astimezone(UTC).astimezone(moment.tzinfo).replace(tzinfo=None) == moment.replace(tzinfo=None)


def _layout(text: str) -> str | None:
    """The layout of a time, its digits written as 0; None for one that is not read all rows at once."""
    layout = "".join("0" if letter in "0123456789" else letter for letter in text)
    if layout[:10] != "0000-00-00" or layout[10:11] not in {"T", " ", "t"} or layout[11:19] != "00:00:00":
        return None
    rest = layout[19:]
    if rest[:1] in {".", ","}:
        digits = len(rest[1:]) - len(rest[1:].lstrip("0"))
        if not 1 <= digits <= 9:
            return None
        rest = rest[1 + digits :]
    known = {"", "Z", *(sign + form for sign in "+-" for form in ("00:00", "0000", "00"))}
    return layout if rest in known else None


def _number(digits: npt.NDArray[np.uint8]) -> Digits:
    """Digits, the first the highest, as a number."""
    value: Digits = digits[0].astype(np.int32)
    for digit in digits[1:]:
        value = value * 10 + digit
    return value


def _date_and_time(digit: npt.NDArray[np.uint8], layout: str) -> tuple[Ints, Bools]:
    """Microseconds since 1970 of `0000-00-00T00:00:00`, and which are dates and times."""
    assert len(layout) >= 19
    year, month, day = _number(digit[0:4]), _number(digit[5:7]), _number(digit[8:10])
    hour, minute, second = _number(digit[11:13]), _number(digit[14:16]), _number(digit[17:19])
    months = (year - 1970) * 12 + month - 1
    least, most = (int(months.min()), int(months.max())) if len(months) else (0, 0)
    if most - least > 12 * 300:
        least, most = -12 * 1970, 12 * 8030
        months = np.clip(months, least, most)
    firsts = np.arange(least, most + 2).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    first, following = firsts[months - least], firsts[months - least + 1]
    valid = (year > 0) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= following - first)
    valid &= (hour <= 23) & (minute <= 59) & (second <= 59)
    seconds = (first + day - 1) * 86_400 + (hour * 3600 + minute * 60 + second)
    return seconds * 1_000_000, valid


def _fraction_us(digits: npt.NDArray[np.uint8]) -> Ints | int:
    """Microseconds of the digits behind the point; beyond the sixth they round."""
    if not len(digits):
        return 0
    value = _number(digits).astype(np.int64)
    if len(digits) <= 6:
        return value * int(10 ** (6 - len(digits)))
    scale = int(10 ** (len(digits) - 6))
    return (value + scale // 2) // scale
