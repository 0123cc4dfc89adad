"""The audit log of a tenant: rows with a hash over themselves and the hash before, and the verification of all of them."""

import hashlib
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from soak.systems.gateway.database import Connection, Record, Statement, transaction
from soak.systems.gateway.schema import BEGIN

AT_ONCE = 1000
"""How many rows are verified in one go; requests of others are answered in between."""


@dataclass(frozen=True)
class Entry:
    """What is appended: a decision of the policy."""

    tenant: str
    at: float
    decision: str
    tool: str
    execution: str

    @property
    def day(self) -> str:
        """The UTC day it belongs to."""
        return day_of(self.at)


@dataclass(frozen=True)
class Append:
    """How an append is done: `guarded` by the tenant's row in `chains`, and how long it takes."""

    guarded: bool = True
    pause_s: float = 0.0


def day_of(at: float) -> str:
    """The UTC day of a time, `YYYY-MM-DD`."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def row_hash(previous: str, tenant: str, seq: int, at: float, decision: str, tool: str, execution: str) -> str:
    """SHA-256 over the hash before and the row itself, as a JSON list."""
    said = msgspec.json.encode([previous, tenant, seq, at, decision, tool, execution])
    return hashlib.sha256(said).hexdigest()


_INSERT = "INSERT INTO audit (tenant, seq, at, day, decision, tool, execution, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


def append(connection: Connection, entry: Entry, changes: Sequence[Statement], how: Append) -> None:
    """Append a row, and make other changes in the same transaction. Raises StoreError."""
    if how.guarded:
        transaction(connection, lambda: _append(connection, entry, changes, _head(connection, entry.tenant), how))
        return
    head = _head(connection, entry.tenant)
    time.sleep(how.pause_s)
    transaction(connection, lambda: _append(connection, entry, changes, head, Append()))


def _head(connection: Connection, tenant: str) -> tuple[int, str]:
    [(seq, head)] = connection.rows(f"SELECT seq, head FROM chains WHERE tenant = ?{connection.for_update}", tenant)
    return int(seq), str(head)


def _append(
    connection: Connection, entry: Entry, changes: Sequence[Statement], head: tuple[int, str], how: Append
) -> None:
    if how.pause_s:
        time.sleep(how.pause_s)
    seq, previous = head[0] + 1, head[1]
    told = (entry.at, entry.decision, entry.tool, entry.execution)
    made = row_hash(previous, entry.tenant, seq, *told)
    row = (entry.tenant, seq, entry.at, entry.day, *told[1:], previous, made)
    update = "UPDATE chains SET seq = ?, head = ? WHERE tenant = ?"
    connection.change_all([(_INSERT, row), (update, (seq, made, entry.tenant)), *changes])


@dataclass(frozen=True)
class Extent:
    """What there is to verify: rows `first` to `last` of a tenant, how many these are, and the hash of the last."""

    tenant: str
    first: int
    last: int
    rows: int
    head: str


def extent(connection: Connection, tenant: str, begin: int) -> Extent:
    """All rows from `begin` on; below 0, that many from the end. Raises StoreError."""
    [(last, head)] = connection.rows("SELECT seq, head FROM chains WHERE tenant = ?", tenant)
    first = max(1, begin if begin >= 0 else last + 1 + begin)
    [(rows,)] = connection.rows(
        "SELECT count(*) FROM audit WHERE tenant = ? AND seq BETWEEN ? AND ?", tenant, first, last
    )
    return Extent(tenant, first, int(last), int(rows), str(head))


_READ = (
    "SELECT seq, id, previous, hash, at, decision, tool, execution FROM audit"
    " WHERE tenant = ? AND seq BETWEEN ? AND ? AND (seq > ? OR id > ?) ORDER BY seq, id LIMIT ?"
)


class Verifier:
    """Reads the rows of an extent and counts violations: a wrong hash, another hash before, a row too few or too many."""

    def __init__(self, what: Extent, at_most: int | None = None) -> None:
        self._what, self._at_most = what, at_most
        self._seq, self._id, self._hash = what.first - 1, 0, BEGIN if what.first == 1 else ""
        self._last_read = False
        self.rows, self.violations = 0, 0

    def step(self, connection: Connection) -> bool:
        """Verify up to AT_ONCE rows; whether there may be more. Raises StoreError."""
        what, limit = self._what, AT_ONCE
        if self._at_most is not None:
            limit = min(limit, self._at_most - self.rows)
        if limit <= 0:
            return False
        begin = max(what.first, self._seq)
        read = connection.rows(_READ, what.tenant, begin, what.last, self._seq, self._id, limit)
        for row in read:
            self._check(row)
        if len(read) < limit:
            self._end()
        return len(read) == limit

    def _check(self, row: Record) -> None:
        seq, number, previous, made, *told = row
        expected = self._hash or previous
        follows = seq == self._seq + 1 and previous == expected
        right = made == row_hash(previous, self._what.tenant, seq, *told)
        self.violations += not (follows and right)
        self._seq, self._id, self._hash = seq, number, made
        self.rows += 1

    def _end(self) -> None:
        """The last row has to be the head of the chain."""
        if self._what.last >= self._what.first:
            self.violations += (self._seq, self._hash) != (self._what.last, self._what.head)


def merkle(hashes: Sequence[str]) -> str:
    """The root of a binary hash tree over rows, an odd one is raised as it is (RFC 6962 without its domain bytes); '' of none."""
    level = [bytes.fromhex(each) for each in hashes]
    while len(level) > 1:
        pairs = itertools.zip_longest(level[::2], level[1::2])
        level = [hashlib.sha256(left + right).digest() if right else left for left, right in pairs]
    return level[0].hex() if level else ""
