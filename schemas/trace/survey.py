"""A trace seen as a whole, in one pass: where its pieces are, how many rows come when, and what is wrong with it."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from soak.schemas.stream.block import Floats, Ints
from soak.schemas.trace.counts import Counts
from soak.schemas.trace.open_trace import TraceFile, open_trace
from soak.schemas.trace.repeated import Repeated
from soak.schemas.trace.rows import Found, Place, Rows, TraceError, found
from soak.schemas.trace.sample import Sample
from soak.schemas.trace.settings import Known, Reading

WINDOW = 65_536
"""A row may be this many rows later in the file than its time says; it is put in order."""

MOST_KEPT_OF_A_KIND = 4_096
"""Service times that are kept of each kind: there may be a thousand of them."""


def _empty() -> Ints:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a trace.

    bytes, sha256: of the file. known: how it is read. first_us, last_us: the earliest and latest time. service_s: quantiles of
    the service times in the middle of equal parts; service_by_kind: the same of each kind. bad, disordered, late, duplicates:
    rows that are left out, that come later in the file than their time says, by more than WINDOW rows, or that are there twice.
    counts: rows by time. places: the pieces; from_us, from_line: for each, the least time of any row from there on, and its
    line; until_us: the latest time in it.
    """

    bytes: int
    sha256: str
    rows: int
    known: Known
    first_us: int
    last_us: int
    kinds: dict[str, int]
    tenants: dict[str, int]
    service_s: tuple[float, ...]
    bad: Found
    disordered: Found
    late: Found
    duplicates: Found
    counts: Counts
    service_by_kind: dict[str, tuple[float, ...]] = field(default_factory=dict, repr=False)
    places: tuple[Place, ...] = field(default=(), repr=False)
    from_us: Ints = field(default_factory=_empty, repr=False, compare=False)
    from_line: Ints = field(default_factory=_empty, repr=False, compare=False)
    until_us: Ints = field(default_factory=_empty, repr=False, compare=False)


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
    service: Sample = field(default_factory=Sample)
    of_kind: dict[int, Sample] = field(default_factory=dict)
    kinds: Ints = field(default_factory=_empty)
    tenants: Ints = field(default_factory=_empty)
    counts: Counts = field(default_factory=Counts)
    bad: Found = field(default_factory=Found)
    disordered: Found = field(default_factory=Found)
    late: Found = field(default_factory=Found)
    duplicates: Found = field(default_factory=Found)
    repeated: Repeated = field(default_factory=Repeated)
    highest: Ints = field(default_factory=_empty)
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
            self.service.add(rows.service_s)
            self._by_kind(rows.kind, rows.service_s)
        self._order(rows)
        self.duplicates += self.repeated.take(rows)

    def _by_kind(self, kinds: Ints | None, service_s: Floats) -> None:
        """Note the service times of each kind, in their order."""
        if kinds is None:
            return
        order = np.argsort(kinds, kind="stable")
        numbers, starts = np.unique(kinds[order], return_index=True)
        for number, mine in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
            self.of_kind.setdefault(number, Sample(MOST_KEPT_OF_A_KIND)).add(service_s[mine])

    def _order(self, rows: Rows) -> None:
        """Note the rows that are earlier than one before them."""
        before, kept = self.highest, len(self.highest)
        so_far = np.concatenate([before[-1:], rows.time_us])
        highest = np.maximum.accumulate(so_far)[len(so_far) - len(rows) :]
        behind = np.flatnonzero(rows.time_us < highest)
        together = np.concatenate([before, highest])
        if len(behind):
            # Where, among the rows kept, the latest time first passed that of the row: that many rows ago it should have come.
            due = np.searchsorted(together, rows.time_us[behind], side="right")
            far = behind[behind + kept - due > WINDOW]
            lines = rows.line
            self.disordered += found(
                lines[behind].tolist(),
                (f"is {_ago(rows, highest, row)} earlier than a row before it" for row in behind),
            )
            self.late += found(lines[far].tolist(), (f"is {_ago(rows, highest, row)} earlier" for row in far))
        self.highest = together[-WINDOW - 1 :].copy()

    def survey(self) -> Survey:
        """All of it. Raises TraceError for a file without a row that can be used."""
        file = self.file
        if not self.rows:
            why = "".join(f": line {line} {what}" for line, what in self.bad.first[:1])
            raise TraceError(
                f"{file.path.name}: has no row that can be used{why}", "name a file that has rows with times"
            )
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
            service_s=self.service.quantiles(),
            bad=self.bad,
            disordered=self.disordered,
            late=self.late,
            duplicates=self.duplicates,
            counts=self.counts,
            service_by_kind={kinds[number]: self.of_kind[number].quantiles() for number in sorted(self.of_kind)},
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


def _ago(rows: Rows, highest: Ints, row: Any) -> str:
    from soak.schemas.units import show_duration

    return show_duration(float(highest[row] - rows.time_us[row]) / 1e6)


def _counted(counts: Ints, numbers: Ints | None) -> Ints:
    if numbers is None:
        return counts
    more = np.bincount(numbers, minlength=len(counts))
    more[: len(counts)] += counts
    return more


def digest_of(file: TraceFile) -> tuple[int, str]:
    """The size of a file and its SHA-256."""
    with file.path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        return content.tell(), digest
