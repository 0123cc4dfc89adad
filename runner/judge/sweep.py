"""A window that moves over observations: at every instant at which its content changes, what it holds."""

import ctypes
from pathlib import Path
from typing import NamedTuple

import numpy as np

from soak.schemas.stream.block import Floats, Ints
from soak.simulation.compiled.calls import FLOATS, FLOATS_OUT, INTS_OUT, NUMBER, REAL, Library


class Swept(NamedTuple):
    """Instants, ascending; of each, how many observations have left and come by then, and the sums over those in between."""

    t: Floats
    first: Ints
    last: Ints
    part: Floats
    weight: Floats


LIBRARY = Library(
    Path(__file__).with_name("sweep.c"),
    {
        "sweep": (
            *(NUMBER, NUMBER, *[FLOATS] * 4, NUMBER, FLOATS, NUMBER, REAL, REAL),
            *(FLOATS_OUT, INTS_OUT, INTS_OUT, FLOATS_OUT, FLOATS_OUT),
        )
    },
    {},
)


def swept(
    t: Floats,
    expiry: Floats,
    part: Floats,
    weight: Floats,
    fresh: int,
    more: Floats,
    from_s: float,
    until_s: float,
) -> Swept:
    """The window whenever an observation leaves after `from_s`, up to `until_s`, or comes, and at the instants of `more`.

    t, expiry: when each observation comes and leaves, ascending. fresh: the first that has not been seen before.
    """
    if compiled := LIBRARY.load_or_none():
        return _swept_compiled(compiled, t, expiry, part, weight, fresh, more, from_s, until_s)
    due = expiry[(expiry > from_s) & (expiry <= until_s)]
    points = np.unique(np.concatenate([due, more, t[fresh:]]))
    first, last = np.searchsorted(expiry, points, side="right"), np.searchsorted(t, points, side="right")
    parts, weights = _sums(part), _sums(weight)
    return Swept(points, first, last, parts[last] - parts[first], weights[last] - weights[first])


def _swept_compiled(
    compiled: ctypes.CDLL,
    t: Floats,
    expiry: Floats,
    part: Floats,
    weight: Floats,
    fresh: int,
    more: Floats,
    from_s: float,
    until_s: float,
) -> Swept:
    most = 2 * len(t) + len(more)
    given = [np.ascontiguousarray(each, dtype=np.float64) for each in (t, expiry, part, weight)]
    points, parts, weights = np.empty((3, most))
    first, last = np.empty((2, most), dtype=np.int64)
    found = compiled.sweep(
        *(len(t), *given, fresh, np.sort(more), len(more), from_s, until_s, points, first, last, parts, weights)
    )
    return Swept(points[:found], first[:found], last[:found], parts[:found], weights[:found])


def _sums(values: Floats) -> Floats:
    """The sum of the first n values, for n from 0."""
    return np.concatenate([[0.0], np.cumsum(values)])
