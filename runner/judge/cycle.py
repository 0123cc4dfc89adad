"""Cycles in a series, such as day and night: found where they stand out of the slow noise, and taken out of it."""

from functools import lru_cache

import numpy as np
from msgspec import Struct

from soak.runner.judge.autocorrelation import LOWEST, basis
from soak.schemas.stream.block import Floats

FEWEST_CYCLES = 2.75
"""Fewer are not told from growth: not three whole cycles fit into the series."""
_MOST_CYCLES = LOWEST / 2 + 1
"""Faster ones do not reach the slow part that a slope is judged by."""
_STEP = 0.125
_FINE = 10
_LEAST_OF_STEP = 0.75
"""What the nearest step explains of a cycle, at least."""
_MOST = 2
_STANDS_OUT = 15.0
"""The mean square of a cycle over that of the rest (F with 2 and 10 degrees): one in a hundred series of noise has such."""
_LEAST_MEANS = 32


class Cycles(Struct, frozen=True):
    """What was found: `curve`, the values; `span`, orthonormal columns that span it beside a constant and a line.

    correction: of each column of `span`, what a slope needs that no such cycle changes.
    """

    curve: Floats
    span: Floats
    correction: Floats


def cycles_of(rest: Floats) -> Cycles | None:
    """The cycles of a series of means without its line, two at most; None if none stands out, or there are too few to tell."""
    if len(rest) < _LEAST_MEANS:
        return None
    found: Cycles | None = None
    waves: list[Floats] = []
    for _ in range(_MOST):
        without = rest - found.span @ (found.span.T @ rest) if found else rest
        steps, spans = _steps(len(rest))
        heights = ((without @ spans) ** 2).reshape(-1, 2).sum(axis=-1)
        best = int(heights.argmax())
        if not _may_stand_out(without, float(heights[best])):
            break
        wave = _between_steps(without, float(steps[best]))
        more = _fitted(rest, [*waves, wave])
        if more is None or not _stands_out(rest, found, more):
            break
        waves, found = [*waves, wave], more
    return found


def _may_stand_out(rest: Floats, height: float) -> bool:
    """Cheap, and true of all that do: no cycle takes more from the cosines than it has, and one between steps has little more."""
    parts = rest @ basis(len(rest))[1]
    most = height / _LEAST_OF_STEP
    return bool(most / 2 > _STANDS_OUT * (float(parts @ parts) - most) / LOWEST)


def _between_steps(rest: Floats, cycles: float) -> Floats:
    """Cosine and sine of the number of cycles near this one that explains most."""
    near = cycles + _STEP * np.arange(-_FINE, _FINE + 1) / _FINE
    heights = ((rest @ _orthonormal(near, len(rest))) ** 2).reshape(-1, 2).sum(axis=-1)
    best = int(heights.argmax())
    return _waves(near[best : best + 1], len(rest))[:, 0]


def _fitted(rest: Floats, waves: list[Floats]) -> Cycles | None:
    """The least-squares fit of line and waves; None where two waves are one."""
    count, columns = len(rest), np.column_stack(waves)
    line = basis(count)[0]
    beside = np.column_stack([np.ones(count) / np.sqrt(count), line])
    span, turn = np.linalg.qr(columns - beside @ (beside.T @ columns))
    if np.abs(np.diag(turn)).min() < 1e-3 * np.sqrt(count):
        return None
    curve = columns @ np.linalg.solve(turn, span.T @ rest)
    return Cycles(curve, span, -np.linalg.solve(turn.T, columns.T @ line))


def _stands_out(rest: Floats, before: Cycles | None, found: Cycles) -> bool:
    cosines = basis(len(rest))[1]
    free = np.linalg.qr(cosines.T @ found.span, mode="complete")[0][:, found.span.shape[1] :]
    noise = float(((rest @ cosines @ free) ** 2).sum()) / free.shape[1]
    height = float(((found.span.T @ rest) ** 2).sum()) - (float(((before.span.T @ rest) ** 2).sum()) if before else 0.0)
    return bool(height / 2 > _STANDS_OUT * noise)


@lru_cache(maxsize=8)
def _steps(count: int) -> tuple[Floats, Floats]:
    steps = np.arange(FEWEST_CYCLES, _MOST_CYCLES + _STEP / 2, _STEP)
    return steps, _orthonormal(steps, count)


def _waves(cycles: Floats, count: int) -> Floats:
    """Cosine and sine of each number of cycles: (means, cycles, 2)."""
    angle = 2 * np.pi * ((np.arange(count) + 0.5) / count)[:, None] * cycles
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _orthonormal(cycles: Floats, count: int) -> Floats:
    """Each such pair made orthogonal to a constant, a line and each other, of length 1: columns one after the other."""
    line, waves = basis(count)[0], _waves(cycles, count)
    left = waves - waves.mean(axis=0)
    left = left - np.multiply.outer(line, np.tensordot(line, left, 1))
    first = left[..., 0] / np.linalg.norm(left[..., 0], axis=0)
    second = left[..., 1] - first * (first * left[..., 1]).sum(axis=0)
    return np.stack([first, second / np.linalg.norm(second, axis=0)], axis=-1).reshape(count, -1)
