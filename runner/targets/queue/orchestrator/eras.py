"""The parts of a run in which one runner was at work, each with a clock of its own: between them the scenario's stood still."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from soak.runner.evidence.directory import write_whole

FILE = "clock"
"""The file beside the database: a line for each runner."""


class Era(NamedTuple):
    """One runner's part. `origin`: when scenario time 0 was by its clock, in seconds since the epoch; `after`: the last
    record of the system's log that was there before it."""

    origin: float
    after: int


def read_eras(path: Path) -> list[Era]:
    """The parts so far, the first runner's first; none without the file. Raises ValueError."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [Era(float(origin), int(after)) for origin, after in (line.split() for line in lines)]


def origin_of(eras: Sequence[Era], record: int) -> float:
    """When scenario time 0 was by the clock that a record of the system's log went by."""
    return next(era.origin for era in reversed(eras) if era.after < record)


def begin_era(database: Path, eras: Sequence[Era], origin: float) -> None:
    """Let the clocks of the system stand still as the scenario's did: a new part begins, and nothing may move yet.

    The database itself says by which clock its times go, so that a runner may be killed at any point of this.
    """
    path = database.with_name(FILE)
    if not eras:
        _write(path, [Era(origin, 0)])
        return
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        [(after,)] = connection.execute("SELECT coalesce(max(id), 0) FROM events")
        _write(path, [*eras, Era(origin, int(after))])
        connection.execute("BEGIN IMMEDIATE")
        [(place,)] = connection.execute("PRAGMA application_id")
        gap_s = origin - eras[place].origin
        connection.execute(
            "UPDATE tasks SET retry_not_before = retry_not_before + ?, lease_until = lease_until + ?"
            " WHERE state IN ('PENDING', 'IN_PROGRESS')",
            (gap_s, gap_s),
        )
        connection.execute(f"PRAGMA application_id = {len(eras)}")
        connection.execute("COMMIT")


def _write(path: Path, eras: Sequence[Era]) -> None:
    write_whole(path, "".join(f"{era.origin!r} {era.after}\n" for era in eras).encode())
