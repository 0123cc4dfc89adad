"""What is kept of each record: a few bytes, in arrays that grow."""

from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

D = TypeVar("D", bound=np.generic)

_FIRST = 4096


class Column(Generic[D]):
    """One value for each record, by its number; new ones are 0."""

    def __init__(self, kind: type[D]) -> None:
        self._values: npt.NDArray[D] = np.zeros(_FIRST, dtype=kind)

    def grow(self, count: int) -> None:
        """Make room for `count` records."""
        if count > len(self._values):
            values = np.zeros(max(count, len(self._values) * 3 // 2), dtype=self._values.dtype)
            values[: len(self._values)] = self._values
            self._values = values

    @property
    def values(self) -> "npt.NDArray[D]":
        """All of them, and more: only those of records that there are mean something."""
        return self._values
