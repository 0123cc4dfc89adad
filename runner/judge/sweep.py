"""A window that moves over observations: at every instant at which its content changes, what it holds."""

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from soak.schemas.stream.block import Floats, Ints
from soak.simulation.compiled.library import Unavailable, load


class Swept(NamedTuple):
    """Instants, ascending; of each, how many observations have left and come by then, and the sums over those in between."""

    t: Floats
    first: Ints
    last: Ints
    part: Floats
    weight: Floats


_Sweep: TypeAlias = Callable[..., int]


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
    if compiled := _compiled():
        return _swept_compiled(compiled, t, expiry, part, weight, fresh, more, from_s, until_s)
    due = expiry[(expiry > from_s) & (expiry <= until_s)]
    points = np.unique(np.concatenate([due, more, t[fresh:]]))
    first, last = np.searchsorted(expiry, points, side="right"), np.searchsorted(t, points, side="right")
    parts, weights = _sums(part), _sums(weight)
    return Swept(points, first, last, parts[last] - parts[first], weights[last] - weights[first])


def _swept_compiled(
    sweep: _Sweep,
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
    columns = [np.ascontiguousarray(each, dtype=np.float64) for each in (t, expiry, part, weight, np.sort(more))]
    points, parts, weights = np.empty((3, most))
    first, last = np.empty((2, most), dtype=np.int64)
    found = sweep(
        ctypes.c_int64(len(t)),
        *map(_address, columns[:4]),
        ctypes.c_int64(fresh),
        _address(columns[4]),
        ctypes.c_int64(len(more)),
        ctypes.c_double(from_s),
        ctypes.c_double(until_s),
        *map(_address, (points, first, last, parts, weights)),
    )
    return Swept(points[:found], first[:found], last[:found], parts[:found], weights[:found])


def _address(array: npt.NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@cache
def _compiled() -> _Sweep | None:
    """The compiled code; None where it cannot be had."""
    try:
        sweep: Any = load(Path(__file__).with_name("sweep.c")).sweep
    except Unavailable:
        return None
    sweep.restype = ctypes.c_int64
    found: _Sweep = sweep
    return found


def _sums(values: Floats) -> Floats:
    """The sum of the first n values, for n from 0."""
    return np.concatenate([[0.0], np.cumsum(values)])
