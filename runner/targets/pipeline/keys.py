"""The keys of records as small numbers: 0, 1, 2 … in the order in which they were first seen, in a few bytes each.

Keys that count up from the first one cost nothing. All others are found by 64 bits: numbers as they are, texts by their hash.
Another 32 bits say whether it is the same text; texts that share their hash with others are kept as they are.
"""

import zlib
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from soak.schemas.stream.block import Ints

Keys: TypeAlias = Sequence[str] | Ints
"""Texts, or numbers."""

_Hashes: TypeAlias = npt.NDArray[np.uint64]

UNKNOWN = -1
_MERGE_SHARE = 8


class KeyNumbers:
    """Numbers of keys. Keys are of one type: all numbers, or all texts."""

    def __init__(self) -> None:
        self.count = 0
        self._first: int | None = None
        """The first of keys that count up; None where they do not."""
        self._hashed: _Hashed | None = None

    def add(self, keys: Keys) -> Ints:
        """The numbers of keys, new ones for those that are new. A key that comes twice has one number."""
        if not len(keys):
            return np.empty(0, dtype=np.int64)
        if self._hashed is None and self._counts_up(keys):
            first = int(keys[0])
            self._first = first if self._first is None else self._first
            self.count += len(keys)
            return np.arange(first, first + len(keys)) - self._first
        if self._hashed is None:
            self._hash()
        assert self._hashed is not None
        numbers = self._hashed.add(keys, self.count)
        self.count = max(self.count, int(numbers.max()) + 1)
        return numbers

    def find(self, keys: Keys) -> Ints:
        """The numbers of keys; UNKNOWN for those that were not added."""
        if self._hashed is not None:
            return self._hashed.find(keys)
        if self._first is None or not len(keys) or isinstance(keys[0], str):
            return np.full(len(keys), UNKNOWN)
        numbers = np.asarray(keys, dtype=np.int64) - self._first
        return np.where((numbers >= 0) & (numbers < self.count), numbers, UNKNOWN)

    def _counts_up(self, keys: Keys) -> bool:
        if isinstance(keys[0], str):
            return False
        follows = self._first is None or int(keys[0]) == self._first + self.count
        return follows and bool((np.diff(np.asarray(keys, dtype=np.int64)) == 1).all())

    def _hash(self) -> None:
        """From here on they do not count up."""
        self._hashed = _Hashed()
        if self._first is not None:
            self._hashed.add(np.arange(self._first, self._first + self.count), 0)


class _Hashed:
    """Sorted hashes with their numbers; new ones are merged in when there are enough of them."""

    def __init__(self) -> None:
        self._hashes: _Hashes = np.empty(0, dtype=np.uint64)
        self._numbers = np.empty(0, dtype=np.int32)
        self._fresh: dict[int, int] = {}
        self._checks = np.empty(0, dtype=np.uint32)
        """By number: what tells apart texts of the same hash."""
        self._alike: dict[int | str, int] = {}
        """Keys whose hash is that of another key."""

    def find(self, keys: Keys) -> Ints:
        hashes, checks = _hashes_of(keys), _checks_of(keys)
        place = np.minimum(np.searchsorted(self._hashes, hashes), max(0, len(self._hashes) - 1))
        numbers = np.full(len(hashes), UNKNOWN)
        if len(self._hashes):
            there = self._hashes[place] == hashes
            numbers[there] = self._numbers[place[there]]
        if self._fresh:
            for each in np.flatnonzero(numbers == UNKNOWN).tolist():
                numbers[each] = self._fresh.get(int(hashes[each]), UNKNOWN)
        known = numbers != UNKNOWN
        other = np.flatnonzero(known)[self._checks[numbers[known]] != checks[known]]
        for each in other.tolist():
            numbers[each] = self._alike.get(keys[each], UNKNOWN)
        return numbers

    def add(self, keys: Keys, count: int) -> Ints:
        numbers, hashes, checks = self.find(keys), _hashes_of(keys), _checks_of(keys)
        new = np.flatnonzero(numbers == UNKNOWN).tolist()
        self._checks = _at_least(self._checks, count + len(new))
        for each in new:
            hashed, check, key = int(hashes[each]), int(checks[each]), keys[each]
            number = self._fresh.get(hashed)
            taken = (number is not None and int(self._checks[number]) != check) or self._sorted_has(hashed)
            if taken:
                number = self._alike.get(key)
            if number is None:
                number, count = count, count + 1
                self._checks[number] = check
                if taken:
                    self._alike[key] = number
                else:
                    self._fresh[hashed] = number
            numbers[each] = number
        if len(self._fresh) * _MERGE_SHARE > len(self._hashes):
            self._merge()
        return numbers

    def _sorted_has(self, hashed: int) -> bool:
        place = int(np.searchsorted(self._hashes, np.uint64(hashed)))
        return place < len(self._hashes) and int(self._hashes[place]) == hashed

    def _merge(self) -> None:
        fresh = np.fromiter(self._fresh, np.uint64, len(self._fresh))
        hashes = np.concatenate([self._hashes, fresh])
        numbers = np.concatenate([self._numbers, np.fromiter(self._fresh.values(), np.int32, len(self._fresh))])
        order = np.argsort(hashes, kind="stable")
        self._hashes, self._numbers = hashes[order], numbers[order]
        self._fresh.clear()


def _at_least(array: "npt.NDArray[np.uint32]", size: int) -> "npt.NDArray[np.uint32]":
    if len(array) >= size:
        return array
    grown = np.zeros(max(size, len(array) + len(array) // 2 + 1024), dtype=np.uint32)
    grown[: len(array)] = array
    return grown


def _hashes_of(keys: Keys) -> _Hashes:
    if len(keys) and isinstance(keys[0], str):
        return np.fromiter((hash(key) for key in keys), np.int64, len(keys)).view(np.uint64)
    return np.asarray(keys, dtype=np.int64).view(np.uint64)


def _checks_of(keys: Keys) -> "npt.NDArray[np.uint32]":
    if len(keys) and isinstance(keys[0], str):
        return np.fromiter((zlib.crc32(str(key).encode()) for key in keys), np.uint32, len(keys))
    return np.zeros(len(keys), dtype=np.uint32)
