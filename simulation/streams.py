"""Named random streams: every draw is addressed by seed, name and position, never by the order of events.

Philox is counter-based, so a stream can be opened at any position at once, and no two streams or positions overlap.
"""

import ctypes
import hashlib

import numpy as np

BLOCK = 4096
"""Draws are made for this many arrivals at a time."""


def stream_key(seed: int, name: str) -> int:
    """The 128-bit Philox key of the stream `name`: a hash of seed and name."""
    return int.from_bytes(hashlib.blake2b(f"{seed}\x00{name}".encode(), digest_size=16).digest(), "little")


class AlteredSeed(int):
    """A seed of which some draws are made otherwise than it says; wherever a seed goes, it can go. See `redraws`."""

    def altered(self, name: str, block: int, layer: int, own: np.random.Generator) -> np.random.Generator:
        """What gives the draws of a stream at a position in place of `own`, the generator that the plain seed has there."""
        raise NotImplementedError


class Stream:
    """The random numbers of one concern, such as service times."""

    def __init__(self, seed: int, name: str) -> None:
        self._key = stream_key(seed, name)
        self._name = name
        self._altered = seed if isinstance(seed, AlteredSeed) else None
        self._philox: np.random.Philox | None = None

    @property
    def is_altered(self) -> bool:
        """Whether draws are made otherwise than the key says."""
        return self._altered is not None

    @property
    def key_words(self) -> "ctypes.Array[ctypes.c_uint64]":
        """The key, its low and its high word."""
        return (ctypes.c_uint64 * 2)(self._key & (1 << 64) - 1, self._key >> 64)

    def at(self, block: int, layer: int = 0) -> np.random.Generator:
        """The generator for block `block` of arrivals; `layer` tells attempts apart. It is good until the next one is asked for.

        One generator is moved about: to make one costs as much as to draw thousands of numbers.
        """
        if self._philox is None:
            self._philox = np.random.Philox(key=self._key)
            self._generator, self._state = np.random.Generator(self._philox), self._philox.state
        self._state["state"]["counter"] = np.array([0, 0, block, layer], dtype=np.uint64)
        self._philox.state = self._state
        own = self._generator
        return own if self._altered is None else self._altered.altered(self._name, block, layer, own)
