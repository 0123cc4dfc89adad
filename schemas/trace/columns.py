"""From the columns of a piece to rows: times, names and service times, and what is wrong with each row that is left out.

A column is text (`Fields`), numbers (floats; NaN for none), or, of times only, microseconds since 1970 (integers).
"""

import zoneinfo
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from soak.schemas.errors import quoted
from soak.schemas.stream.block import Bools, Floats, Ints
from soak.schemas.trace.fields import Fields, Names, numbers
from soak.schemas.trace.rows import MOST_SERVICE_S, Rows, found
from soak.schemas.trace.settings import SERVICE_UNITS_S, Known, Reading, Timing
from soak.schemas.trace.times import NO_TIME, UNITS_US, Clock, from_floats, is_clock_text, unit_of

MOST_NAMES = 1_000
"""Kinds or tenants that a trace may have."""

_LEAST_EPOCH_US = 1e14
"""Numbers from here on, as microseconds, are dates after 1973; smaller ones count from the start."""

Column: TypeAlias = Fields | Floats | Ints
_Problem: TypeAlias = tuple[Bools, Callable[[int], str]]


def timing_of(column: Column, unit: str) -> Timing | None:
    """As the first row with a time has it; `unit`: as the scenario says, or "". None where no row has one."""
    if not isinstance(column, Fields):
        if column.dtype == np.int64:
            return Timing(True, "", True)
        known = column[np.isfinite(column)]
        return _timing_of_number(float(known[0]), unit) if len(known) else None
    for row in range(len(column)):
        text = column.text(row)
        if is_clock_text(text):
            return Timing(True, "", True)
        try:
            return _timing_of_number(float(text), unit)
        except ValueError:
            continue
    return None


def _timing_of_number(number: float, unit: str) -> Timing:
    unit = unit or unit_of(number) or "s"
    return Timing(False, unit, abs(number) * UNITS_US[unit] >= _LEAST_EPOCH_US)


class Columns:
    """Makes rows of columns. Names keep their numbers from piece to piece."""

    def __init__(self, reading: Reading, known: Known) -> None:
        self.kinds, self.tenants = Names(MOST_NAMES, known.kinds), Names(MOST_NAMES, known.tenants)
        self.timing = known.timing
        self._reading = reading
        self._clock = Clock(zoneinfo.ZoneInfo(reading.zone))
        self._service_s = SERVICE_UNITS_S[reading.service_unit]

    def rows(self, line: Ints, columns: Sequence[Column | None], raw: Fields | None) -> Rows:
        """Rows of the columns time, kind, tenant and service."""
        time, kind, tenant, service = columns
        assert time is not None
        time_us, bad = self._times(time)
        problems: list[_Problem] = [(bad, lambda row: self._wrong_time(time, row))]
        kinds = _numbered(self.kinds, kind, "kind", problems)
        tenants = _numbered(self.tenants, tenant, "tenant", problems)
        service_s: Floats | None = None
        if service is not None:
            service_s = self._service(service)
            wrong = ~((service_s >= 0) & (service_s < MOST_SERVICE_S))
            problems.append((wrong, lambda row: f"{_shown(service, row)} is not a service time"))
        return _good(Rows(time_us, line, kinds, tenants, service_s, raw), problems)

    def _service(self, column: Column) -> Floats:
        value = numbers(column)[0] if isinstance(column, Fields) else column
        return value.astype(np.float64) * self._service_s

    def _times(self, column: Column) -> tuple[Ints, Bools]:
        if self.timing is None:
            self.timing = timing_of(column, self._reading.unit)
        if not isinstance(column, Fields) and column.dtype == np.int64:
            return column.astype(np.int64), column == NO_TIME
        if self.timing is None or self.timing.text:
            if isinstance(column, Fields):
                return self._clock.read(column)
            return np.full(len(column), NO_TIME), np.ones(len(column), dtype=np.bool_)
        value, bad = numbers(column) if isinstance(column, Fields) else (column, np.isnan(column))
        return from_floats(value.astype(np.float64), bad, self.timing.unit)

    def _wrong_time(self, column: Column, row: int) -> str:
        text = column.text(row) if isinstance(column, Fields) else f"{column[row]:g}"
        if text in {"", "nan"}:
            return "has no time"
        if self.timing and not self.timing.text:
            return f"{quoted(text)} is not a number of {self.timing.unit}"
        return self._clock.why(text)


def _shown(column: Column, row: int) -> str:
    return quoted(column.text(row)) if isinstance(column, Fields) else f"{column[row]:g}"


def _numbered(names: Names, column: Column | None, what: str, problems: list[_Problem]) -> Ints | None:
    """The numbers of a column of names."""
    if column is None:
        return None
    assert isinstance(column, Fields)
    number = names.number(column)
    problems.append((number < 0, lambda row: _wrong_name(column.text(row), what, len(names.names))))
    return number


def _wrong_name(text: str, what: str, known: int) -> str:
    if not text:
        return f"has no {what}"
    if known >= MOST_NAMES:
        return f"{what} {quoted(text)} is one more than {MOST_NAMES:,}"
    return f"{what} {quoted(text)} is too long"


def _good(rows: Rows, problems: list[_Problem]) -> Rows:
    """The rows without a problem; of the others the first problem is described."""
    bad = np.zeros(len(rows), dtype=np.bool_)
    for each, _ in problems:
        bad |= each
    if not bad.any():
        return rows

    def describe(row: int) -> str:
        return next(words(row) for each, words in problems if each[row])

    places = np.flatnonzero(bad)
    kept = rows.take(~bad)
    raw = rows.raw.take(~bad) if rows.raw is not None else None
    wrong = found(rows.line[places].tolist(), map(describe, places.tolist()))
    return Rows(kept.time_us, kept.line, kept.kind, kept.tenant, kept.service_s, raw, wrong)
