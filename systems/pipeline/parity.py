"""Do the sinks agree? Figures of each over the same window of keys."""

import sqlite3
from pathlib import Path

import msgspec
from msgspec import Struct

from soak.systems.pipeline.figures import Tally
from soak.systems.pipeline.sinks import TABLE
from soak.systems.pipeline.spool import all_lines

FIGURES = ("total", "confirm", "strong_ratio")
LIMIT = 0.005


class Key(Struct, frozen=True, gc=False):
    """What is compared of a line."""

    seq: int
    strong: bool
    confirm: bool
    low_consistency: bool


def window(directory: Path) -> tuple[int, int] | None:
    """The keys that both sinks have reached: from the larger first to the smaller last; None if one is empty."""
    lines = _jsonl_ends(directory / "signals.jsonl")
    rows = _rows(directory / "signals.db", f"SELECT MIN(seq), MAX(seq) FROM {TABLE}")
    if lines is None or not rows or rows[0][0] is None:
        return None
    return max(lines[0], rows[0][0]), min(lines[1], rows[0][1])


def parity(directory: Path) -> dict[str, object]:
    """Figures of both sinks and how far they are apart, relative to the larger."""
    keys = window(directory)
    if keys is None:
        return {"window": None, "jsonl": None, "sqlite": None, "differences": None, "agree": None}
    jsonl, sqlite = count_jsonl(directory / "signals.jsonl", keys), count_sqlite(directory / "signals.db", keys)
    differences = {name: difference(getattr(jsonl, name), getattr(sqlite, name)) for name in FIGURES}
    return {
        "window": {"first": keys[0], "last": keys[1]},
        "jsonl": jsonl.told(),
        "sqlite": sqlite.told(),
        "differences": differences,
        "limit": LIMIT,
        "agree": all(each < LIMIT for each in differences.values()),
    }


def difference(one: float | None, other: float | None) -> float:
    """|a - b| relative to the larger; 0 if both are 0."""
    a, b = one or 0.0, other or 0.0
    return abs(a - b) / max(a, b) if max(a, b) > 0 else 0.0


def count_jsonl(path: Path, keys: tuple[int, int]) -> Tally:
    """Lines with keys from first to last."""
    tally, decode = Tally(), msgspec.json.Decoder(Key).decode
    for lines in all_lines(path):
        for each in map(decode, lines):
            if keys[0] <= each.seq <= keys[1]:
                tally.total += 1
                tally.strong += each.strong
                tally.confirm += each.confirm
                tally.low_consistency += each.low_consistency
    return tally


def count_sqlite(path: Path, keys: tuple[int, int]) -> Tally:
    """Rows with keys from first to last."""
    sums = "COUNT(*), SUM(strong), SUM(confirm), SUM(low_consistency)"
    found = _rows(path, f"SELECT {sums} FROM {TABLE} WHERE seq BETWEEN {keys[0]} AND {keys[1]}")
    return Tally(*(int(each or 0) for each in found[0])) if found else Tally()


def _jsonl_ends(path: Path) -> tuple[int, int] | None:
    first, last, decode = None, -1, msgspec.json.Decoder(Key).decode
    for lines in all_lines(path):
        ends = decode(lines[0]).seq, decode(lines[-1]).seq
        first = ends[0] if first is None else first
        last = max(last, *ends)
    return None if first is None else (first, last)


def _rows(path: Path, query: str) -> list[tuple[int, ...]]:
    if not path.exists():
        return []
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        database.close()
