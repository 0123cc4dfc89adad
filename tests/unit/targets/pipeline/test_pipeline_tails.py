"""Ledgers are followed as they grow: half lines, damaged ones, rows of a query, locked databases."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from soak.runner.targets.pipeline.tails import JsonLines, LedgerError, Rows, SqlRows, Tail, tail_of
from soak.schemas.target.model import Ledger, TimeFormat

LINES = Ledger(
    jsonl=None,
    sqlite=None,
    query="",
    key="seq",
    first=None,
    last=None,
    at="at",
    sent=None,
    kind=None,
    strong="strong",
    confirm=None,
    low_consistency=None,
    time=TimeFormat.SECONDS,
)


def lines(path: Path, **changed: object) -> Tail:
    """The tail of a file of lines."""
    return tail_of(replace(LINES, jsonl=str(path), **changed))


def read(tail: Tail) -> Rows:
    """What is new, which there is."""
    rows = tail.read()
    assert rows is not None
    return rows


def test_half_a_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    tail = lines(path)
    assert tail.read() is None
    path.write_text('{"seq": 7, "at": 1.5, "strong": true, "other": [1]}\n{"seq": 8, "a')
    rows = read(tail)
    assert (list(rows.keys), rows.at, rows.strong) == ([7], [1.5], [True])
    assert tail.read() is None
    with path.open("a") as file:
        file.write('t": 2, "strong": 0}\n')
    rows = read(tail)
    assert (list(rows.keys), rows.at, rows.strong) == ([8], [2.0], [False])


def test_another_tail_goes_on_where_one_ended(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text('{"seq": 1, "at": 1}\n')
    first = lines(path, strong=None)
    read(first)
    with path.open("a") as file:
        file.write('{"seq": 2, "at": 2}\n')
    second = tail_of(replace(LINES, jsonl=str(path), strong=None), first.position)
    assert list(read(second).keys) == [2]


def test_damaged_lines_are_counted_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b'{"seq": 1, "at": 1}\nnot json\n\xff\xfe\n{"at": 2}\n{"seq": 3, "at": 3}\n')
    tail = lines(path, strong=None)
    assert list(read(tail).keys) == [1, 3]
    assert tail.damaged == 3


@pytest.mark.parametrize(
    "damaged",
    [
        b'{"seq": 99999999999999999999999, "at": 1}',
        b'{"seq": 2, "at": 1e300}',
        b'{"seq": 2, "at": "\xff\xfe"}',
        b'{"seq": 2, "at": 1, "x": ' + b"[" * 100_000,
    ],
    ids=["key", "time", "bytes", "depth"],
)
def test_a_value_that_cannot_be_read_costs_its_line_only(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b'{"seq": 1, "at": 1}\n' + damaged + b'\n{"seq": 3, "at": 3}\n')
    tail = lines(path, strong=None)
    assert list(read(tail).keys) == [1, 3]
    assert tail.damaged == 1


def test_a_line_without_an_end_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b"x" * (17 << 20) + b'\n{"seq": 3, "at": 3}\n')
    tail = lines(path, strong=None)
    assert tail.read() is None
    assert list(read(tail).keys) == [3]
    assert tail.damaged == 2


def test_a_ledger_is_followed_into_the_file_that_takes_its_name(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text('{"seq": 1, "at": 1}\n')
    tail = lines(path, strong=None)
    assert list(read(tail).keys) == [1]
    old = path.rename(tmp_path / "ledger.1")
    assert tail.read() is None
    path.touch()
    with old.open("a") as file:
        file.write('{"seq": 2, "at": 2}\n')
    assert list(read(tail).keys) == [2]
    path.write_text('{"seq": 3, "at": 3}\n')
    assert tail.read() is None
    assert list(read(tail).keys) == [3]
    assert tail.damaged == 0


def test_a_ledger_that_is_written_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text('{"seq": 1, "at": 1}\n{"seq": 2, "at": 2}\n')
    tail = lines(path, strong=None)
    assert list(read(tail).keys) == [1, 2]
    path.write_text('{"seq": 3, "at": 3}\n')
    assert tail.read() is None
    assert list(read(tail).keys) == [3]


def test_what_is_cut_off_and_written_again_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text('{"seq": 1, "at": 1}\n{"seq": 2, "at": 2}\n')
    tail = lines(path, strong=None)
    assert list(read(tail).keys) == [1, 2]
    path.write_text('{"seq": 1, "at": 1}\n')
    assert tail.read() is None
    with path.open("a") as file:
        file.write('{"seq": 2, "at": 2}\n{"seq": 3, "at": 3}\n')
    assert list(read(tail).keys) == [3]


@pytest.mark.parametrize(
    ("form", "written", "seconds"),
    [
        (TimeFormat.MILLISECONDS, "1500", 1.5),
        (TimeFormat.MICROSECONDS, "1500000", 1.5),
        (TimeFormat.NANOSECONDS, "1500000000", 1.5),
        (TimeFormat.ISO, '"1970-01-01T00:00:01.500+00:00"', 1.5),
    ],
)
def test_times_are_seconds(tmp_path: Path, form: TimeFormat, written: str, seconds: float) -> None:
    path = tmp_path / "ledger"
    path.write_text(f'{{"seq": "a", "at": {written}}}\n')
    rows = read(lines(path, strong=None, time=form))
    assert (rows.keys, rows.at) == (["a"], [seconds])


def test_a_line_may_stand_for_several_keys(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text('{"first": 3, "last": 5, "at": 1}\n')
    rows = read(lines(path, strong=None, first="first", last="last"))
    assert rows.last is not None
    assert (list(rows.keys), list(rows.last)) == ([3], [5])


QUERY = "SELECT rowid AS position, seq, at FROM signals WHERE rowid > {after}"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with two rows, of which the second has the smaller key."""
    path = tmp_path / "db"
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.execute("CREATE TABLE signals (seq INTEGER, at REAL)")
        made.execute("INSERT INTO signals VALUES (5, 1.0), (4, 2.0)")
    return path


def rows_of(path: Path, query: str = QUERY) -> SqlRows:
    """The tail of a query."""
    tail = tail_of(replace(LINES, sqlite=str(path), query=query, strong=None))
    assert isinstance(tail, SqlRows)
    return tail


@pytest.mark.parametrize("query", [QUERY, "SELECT seq, at FROM signals"])
def test_rows_are_read_once(database: Path, query: str) -> None:
    tail = rows_of(database, query)
    assert list(read(tail).keys) == [5, 4]
    assert tail.read() is None
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("INSERT INTO signals VALUES (4, 3.0)")
    rows = read(tail)
    assert (list(rows.keys), rows.at) == ([4], [3.0])
    tail.close()


def test_a_locked_database_is_read_later(database: Path) -> None:
    tail = rows_of(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert tail.read() is None
    assert list(read(tail).keys) == [5, 4]
    tail.close()


def test_a_table_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    tail = rows_of(tmp_path / "db")
    assert tail.read() is None
    with closing(sqlite3.connect(tmp_path / "db", isolation_level=None)) as made:
        made.execute("CREATE TABLE other (seq)")
    assert tail.read() is None
    tail.close()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT seq FROM signals", "the query gives no column 'at' (it gives seq)"),
        ("SELEC seq FROM signals WHERE {after} > 0", "correct the query in the target file"),
    ],
)
def test_a_query_that_cannot_be_used_is_refused(database: Path, query: str, words: str) -> None:
    tail = rows_of(database, query)
    tail.patience_s = 0.0
    with pytest.raises(LedgerError) as refused:
        tail.read()
    assert words in str(refused.value)
    tail.close()


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(b"rubbish" * 1000)
    tail = rows_of(path)
    assert tail.read() is None
    tail.patience_s = 0.0
    with pytest.raises(LedgerError, match="the database is damaged, or none"):
        tail.read()
    tail.close()


def test_rows_that_cannot_be_read_are_counted_and_left_out(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as made:
        made.execute("INSERT INTO signals VALUES (NULL, 3.0), (6, NULL), (x'00', 3.0), (8, 4.0)")
    tail = rows_of(database)
    assert list(read(tail).keys) == [5, 4, 8]
    assert tail.damaged == 3
    assert tail.read() is None
    tail.close()


def test_a_query_that_gives_no_position_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        made.execute("CREATE TABLE signals (seq, at)")
        made.execute("INSERT INTO signals VALUES (NULL, 1.0)")
    tail = rows_of(path, "SELECT seq AS position, seq, at FROM signals WHERE seq > {after} OR seq IS NULL")
    with pytest.raises(LedgerError):
        tail.read()
    tail.close()


def test_lines_and_rows_are_told_apart(tmp_path: Path) -> None:
    assert isinstance(lines(tmp_path / "a"), JsonLines)
