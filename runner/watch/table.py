"""The steps of a run as columns that grow: one value each for every step that is complete."""

import math
from array import array
from collections.abc import Mapping

import numpy as np

from soak.schemas.stream.block import Floats

_DIGITS = 6


class Table:
    """Columns of equal length; one that comes later is empty (NaN, or `fill`) before."""

    def __init__(self) -> None:
        self._columns: dict[str, array[float]] = {}
        self.rows = 0

    @property
    def names(self) -> list[str]:
        """The columns there are."""
        return list(self._columns)

    def add(self, columns: Mapping[str, Floats], count: int, fill: Mapping[str, float]) -> None:
        """Append `count` rows. A column without values is filled, before the first and where it is missing."""
        for name in [*self._columns, *(name for name in columns if name not in self._columns)]:
            empty = fill.get(name, math.nan)
            column = self._columns.setdefault(name, array("d", [empty]) * self.rows)
            values = columns.get(name)
            column.extend(array("d", [empty]) * count if values is None else array("d", values.tobytes()))
        self.rows += count

    def between(self, start: int, end: int) -> dict[str, list[float | None]]:
        """The values of the rows from `start` up to `end`, with six digits; None where they are unknown.

        Rows may be added meanwhile by another thread.
        """
        columns = list(self._columns.items())
        return {name: [_rounded(value) for value in column[start:end]] for name, column in columns}

    def latest(self, name: str) -> float | None:
        """The last value of a column; None where it is unknown."""
        column = self._columns.get(name)
        return column[-1] if column and math.isfinite(column[-1]) else None

    def get(self, name: str) -> Floats:
        """A column, as a copy."""
        return np.array(self._columns[name], dtype=np.float64)


def _rounded(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
