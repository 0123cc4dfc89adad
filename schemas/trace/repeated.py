"""Rows that are there twice: of the same time, and in text with the same bytes, otherwise with the same columns."""

from dataclasses import dataclass, field

import numpy as np

from soak.schemas.stream.block import Ints
from soak.schemas.trace.fields import Hashes, hashes
from soak.schemas.trace.rows import Found, Rows, found

_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))


def _none() -> Hashes:
    return np.zeros(0, dtype=np.uint64)


@dataclass(slots=True)
class Repeated:
    """Finds them within a piece, and where the latest time of a piece goes on in the next one."""

    time_us: int = 0
    identity: Hashes = field(default_factory=_none)
    """Of the rows at the latest time of the piece before."""
    line: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def take(self, rows: Rows) -> Found:
        """Those of one more piece; at least one row."""
        order = np.argsort(rows.time_us, kind="stable") if (np.diff(rows.time_us) < 0).any() else np.arange(len(rows))
        time_us = rows.time_us[order]
        same = np.flatnonzero(time_us[1:] == time_us[:-1])
        last = np.flatnonzero(time_us == time_us[-1])
        going_on = np.flatnonzero(time_us == self.time_us) if len(self.line) else np.zeros(0, dtype=np.int64)
        among = order[np.unique(np.concatenate([same, same + 1, last, going_on]))]
        identity = _identity(rows, among)
        known = np.concatenate([self.identity, identity])
        line = np.concatenate([self.line, rows.line[among]])
        _, first, back = np.unique(known, return_index=True, return_inverse=True)
        again = np.flatnonzero(first[back] != np.arange(len(known)))
        again = again[again >= len(self.line)]
        again = again[np.argsort(line[again], kind="stable")]
        original = line[first[back[again]]]
        result = found(line[again].tolist(), (f"is the same as line {each}" for each in original.tolist()))
        at_last = rows.time_us[among] == time_us[-1]
        self.time_us, self.identity, self.line = int(time_us[-1]), identity[at_last], rows.line[among[at_last]]
        return result


def _identity(rows: Rows, among: Ints) -> Hashes:
    """A 64-bit hash of each row: one number for a time and all that is written."""
    value: Hashes = rows.time_us[among].astype(np.uint64) * _ODD[0]
    if rows.raw is not None:
        raw = rows.raw.take(among)
        return value ^ hashes(raw, -(-int(raw.length.max()) // 8) * 8)
    for column in (rows.kind, rows.tenant, rows.service_s):
        if column is not None:
            value = (value ^ (value >> np.uint64(31)) ^ column[among].view(np.uint64)) * _ODD[1]
    return value
