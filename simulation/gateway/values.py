"""What is drawn for a request by its number, and what it is of: blocks in use are kept, since users are in different turns."""

from array import array
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from soak.schemas.language.distributions import Distribution
from soak.schemas.stream.events import KEY_SHIFT
from soak.simulation.distributions import draw
from soak.simulation.plan import Plan
from soak.simulation.streams import BLOCK, Stream

T = TypeVar("T", int, float)
_BITS = BLOCK.bit_length() - 1
_SHIFT = _BITS + KEY_SHIFT
_KEPT = 1024
"""Blocks kept of each: of 32 kB."""


def drawn(seed: int, name: str, distribution: Distribution) -> Callable[[int], float]:
    """A function of the number of a request: its draw from the stream `name`."""
    stream = Stream(seed, name)
    return _by_number(lambda block: array("d", draw(distribution, stream.at(block), BLOCK).tolist()))


def labels(plan: Plan) -> Callable[[int], int]:
    """A function of the number of a request: its label in the stream, tenant and kind; 0 where there are none."""

    def of_block(block: int) -> "array[int]":
        arrivals = np.arange(block * BLOCK, (block + 1) * BLOCK)
        return array("i", np.maximum(plan.labels_of(arrivals << KEY_SHIFT), 0).tolist())

    return _by_number(of_block)


def _by_number(of_block: "Callable[[int], array[T]]") -> Callable[[int], T]:
    kept: dict[int, array[T]] = {}

    def of(number: int) -> T:
        block = number >> _SHIFT
        values = kept.get(block)
        if values is None:
            values = kept[block] = of_block(block)
            if len(kept) > _KEPT:
                del kept[next(iter(kept))]
        return values[number >> KEY_SHIFT & BLOCK - 1]

    return of
