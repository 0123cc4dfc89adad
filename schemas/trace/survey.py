"""A trace seen as a whole, in one pass: where its pieces are, how many rows come when, and what is wrong with it."""

import hashlib
from dataclasses import dataclass, field

import numpy as np

from soak.schemas.stream.block import Ints
from soak.schemas.trace.counts import Counts
from soak.schemas.trace.fields import Fields, hashes
from soak.schemas.trace.open_trace import TraceFile, open_trace
from soak.schemas.trace.rows import Found, Place, Rows, TraceError, found
from soak.schemas.trace.settings import Known, Reading

WINDOW = 65_536
"""A row may be this many rows later in the file than its time says; it is put in order."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a trace.

    bytes, sha256: of the file. known: how it is read. first_us, last_us: the earliest and latest time.
    bad, disordered, late, duplicates: rows that are left out, come too late in the file, beyond WINDOW, or are there twice.
    service_sum_s: of all service times. counts: rows by time. places: the pieces; from_us, from_line: of each, the least time of
    any row from there on, and its line; until_us: the latest time in it.
    """

    bytes: int
    sha256: str
    rows: int
    known: Known
    first_us: int
    last_us: int
    kinds: dict[str, int]
    tenants: dict[str, int]
    service_sum_s: float
    bad: Found
    disordered: Found
    late: Found
    duplicates: Found
    counts: Counts
    places: tuple[Place, ...] = field(repr=False)
    from_us: Ints = field(repr=False, compare=False)
    from_line: Ints = field(repr=False, compare=False)
    until_us: Ints = field(repr=False, compare=False)


def survey(reading: Reading) -> Survey:
    """Read a whole file. Raises TraceError for one that cannot be played at all; bad rows are counted."""
    look = _Look(open_trace(reading))
    for place, rows in look.file.pieces():
        look.take(place, rows)
    return look.survey()


@dataclass(slots=True)
class _Look:
    """What has been seen so far."""

    file: TraceFile
    places: list[Place] = field(default_factory=list)
    least: list[tuple[int, int]] = field(default_factory=list)
    until: list[int] = field(default_factory=list)
    rows: int = 0
    service_s: float = 0.0
    kinds: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    tenants: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    counts: Counts = field(default_factory=Counts)
    bad: Found = Found()
    disordered: Found = Found()
    late: Found = Found()
    duplicates: Found = Found()
    highest: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """The latest time so far, at each of the last WINDOW rows."""

    def take(self, place: Place, rows: Rows) -> None:
        """One more piece."""
        self.bad += rows.bad
        if not len(rows):
            return
        self.places.append(place)
        first = int(np.argmin(rows.time_us))
        self.least.append((int(rows.time_us[first]), int(rows.line[first])))
        self.until.append(int(rows.time_us.max()))
        self.rows += len(rows)
        self.counts.add(rows.time_us)
        self.kinds = _counted(self.kinds, rows.kind)
        self.tenants = _counted(self.tenants, rows.tenant)
        if rows.service_s is not None:
            self.service_s += float(rows.service_s.sum())
        self._order(rows)
        self.duplicates += duplicates(rows)

    def _order(self, rows: Rows) -> None:
        """Note the rows that are earlier than one before them."""
        before, kept = self.highest, len(self.highest)
        so_far = np.concatenate([before[-1:], rows.time_us])
        highest = np.maximum.accumulate(so_far)[len(so_far) - len(rows) :]
        behind = np.flatnonzero(rows.time_us < highest)
        together = np.concatenate([before, highest])
        if len(behind):
            # Where, among the rows kept, the latest time first passed that of the row: so many rows ago it should have come.
            due = np.searchsorted(together, rows.time_us[behind], side="right")
            far = behind[behind + kept - due > WINDOW]
            lines = rows.line
            self.disordered += found(
                lines[behind].tolist(), (f"is {_ago(rows, highest, row)} earlier than a row before it" for row in behind)
            )
            self.late += found(lines[far].tolist(), (f"is {_ago(rows, highest, row)} earlier" for row in far))
        self.highest = together[-WINDOW - 1 :]

    def survey(self) -> Survey:
        """All of it. Raises TraceError for a file without a row that can be used."""
        file = self.file
        if not self.rows:
            why = "".join(f": line {line} {what}" for line, what in self.bad.first[:1])
            raise TraceError(f"{file.path.name}: has no row that can be used{why}", "name a file that has rows with times")
        least = _from_there_on(self.least)
        size, digest = digest_of(file)
        kinds, tenants = tuple(file.columns.kinds.names), tuple(file.columns.tenants.names)
        return Survey(
            bytes=size,
            sha256=digest,
            rows=self.rows,
            known=Known(file.columns.timing, kinds, tenants),
            first_us=int(least[0][0]),
            last_us=max(self.until),
            kinds=dict(zip(kinds, self.kinds.tolist(), strict=True)),
            tenants=dict(zip(tenants, self.tenants.tolist(), strict=True)),
            service_sum_s=self.service_s,
            bad=self.bad,
            disordered=self.disordered,
            late=self.late,
            duplicates=self.duplicates,
            counts=self.counts,
            places=tuple(self.places),
            from_us=np.array([each[0] for each in least], dtype=np.int64),
            from_line=np.array([each[1] for each in least], dtype=np.int64),
            until_us=np.array(self.until, dtype=np.int64),
        )


def _from_there_on(least: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The least of each and all that follow."""
    result = list(least)
    for place in range(len(result) - 2, -1, -1):
        result[place] = min(result[place], result[place + 1])
    return result


def _ago(rows: Rows, highest: Ints, row: int) -> str:
    from soak.schemas.units import show_duration

    return show_duration(float(highest[row] - rows.time_us[row]) / 1e6)


def _counted(counts: Ints, numbers: Ints | None) -> Ints:
    if numbers is None:
        return counts
    more = np.bincount(numbers, minlength=len(counts))
    more[: len(counts)] += counts
    return more


def duplicates(rows: Rows) -> Found:
    """Rows that are in the piece before, with the same time and, in text, the same bytes; otherwise the same columns."""
    order = np.argsort(rows.time_us, kind="stable") if (np.diff(rows.time_us) < 0).any() else np.arange(len(rows))
    time_us = rows.time_us[order]
    same = np.flatnonzero(time_us[1:] == time_us[:-1])
    if not len(same):
        return Found()
    among = order[np.unique(np.concatenate([same, same + 1]))]
    identity = _identity(rows, among)
    # One number per row: equal times and equal contents. The first of those that are equal is the original.
    _, first, back = np.unique(identity, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[back] != np.arange(len(among)))
    originals = among[first[back[again]]]
    lines = rows.line
    return found(lines[among[again]].tolist(), (f"is the same as line {lines[each]}" for each in originals.tolist()))


def _identity(rows: Rows, among: Ints) -> Ints:
    """A hash of each row."""
    value = rows.time_us[among].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    if rows.raw is not None:
        raw: Fields = rows.raw.take(among)
        width = -(-int(raw.length.max()) // 8) * 8
        return (value ^ hashes(raw, width)).astype(np.int64)
    for column in (rows.kind, rows.tenant, rows.service_s):
        if column is not None:
            bits = column[among].view(np.uint64)
            value = (value ^ (value >> np.uint64(31)) ^ bits) * np.uint64(0xC2B2AE3D27D4EB4F)
    return value.astype(np.int64)


def digest_of(file: TraceFile) -> tuple[int, str]:
    """The size of a file and its SHA-256."""
    with file.path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        return content.tell(), digest
