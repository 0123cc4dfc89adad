"""What a sink has it knows after a kill: nothing is stored twice, nothing is left out."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from soak.systems.pipeline.records import Signal
from soak.systems.pipeline.settings import Batch
from soak.systems.pipeline.sinks import JsonlSink, Sink, SqliteSink
from soak.systems.pipeline.tail import tail_of

SIGNALS = [Signal(n, 10.0 + n, 0.0, "BTCUSDT", n % 2 == 0, False, False, 100 * (n + 1)) for n in range(6)]


Making = Callable[..., Sink]


@pytest.fixture
def sink() -> Iterator[Making]:
    """Makes sinks, which are closed when the test is over."""
    made: list[Sink] = []

    def make(name: str, directory: Path, batch: Batch | None = None, *, ignore: bool = False) -> Sink:
        if name == "jsonl":
            made.append(JsonlSink(directory / "signals.jsonl", batch or Batch()))
        else:
            made.append(SqliteSink(directory / "signals.db", batch or Batch(), ignore=ignore))
        return made[-1]

    yield make
    for each in made:
        each.close()


def stored(name: str, directory: Path) -> list[int]:
    found: list[int] = []
    with closing(tail_of(name, directory)) as tail:
        while signals := tail.read():
            found += [each.seq for each in signals]
    return found


@pytest.mark.parametrize("name", ["jsonl", "sqlite"])
def test_a_sink_goes_on_where_it_was(sink: Making, name: str, tmp_path: Path) -> None:
    first = sink(name, tmp_path)
    assert first.position == 0
    first.offer(SIGNALS[:4])
    assert (first.flush(), first.position) == (4, 400)
    first.offer(SIGNALS[4:])  # and is killed
    again = sink(name, tmp_path)
    assert again.position == 400
    again.offer(SIGNALS[2:])
    assert again.flush() == 2
    assert stored(name, tmp_path) == [0, 1, 2, 3, 4, 5]


def test_a_kill_in_the_middle_of_a_line(sink: Making, tmp_path: Path) -> None:
    first = sink("jsonl", tmp_path)
    first.offer(SIGNALS[:3])
    first.flush()
    path = tmp_path / "signals.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    again = sink("jsonl", tmp_path)
    assert again.position == 200
    again.offer(SIGNALS)
    again.flush()
    assert stored("jsonl", tmp_path) == [0, 1, 2, 3, 4, 5]


def test_a_locked_database_has_it_later(sink: Making, tmp_path: Path) -> None:
    waiting = sink("sqlite", tmp_path)
    waiting.offer(SIGNALS)
    with closing(sqlite3.connect(tmp_path / "signals.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert waiting.flush() == 0
        assert (bool(waiting.error), len(waiting.pending), waiting.position) == (True, 6, 0)
        other.execute("ROLLBACK")
    assert (waiting.flush(), waiting.error, waiting.pending) == (6, "", [])
    assert stored("sqlite", tmp_path) == [0, 1, 2, 3, 4, 5]
    assert sink("sqlite", tmp_path).position == 600


def test_rows_and_position_are_one_transaction(sink: Making, tmp_path: Path) -> None:
    one = sink("sqlite", tmp_path)
    one.offer(SIGNALS)
    with closing(sqlite3.connect(tmp_path / "signals.db")) as other:
        other.execute("CREATE TRIGGER refuse BEFORE UPDATE ON position BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(sqlite3.IntegrityError):
        one.flush()
    assert stored("sqlite", tmp_path) == []


@pytest.mark.parametrize("name", ["jsonl", "sqlite"])
def test_a_batch_is_due_by_rows_and_by_time(sink: Making, name: str, tmp_path: Path) -> None:
    batched = sink(name, tmp_path, Batch(rows=3, every=1000.0))
    assert batched.due_s() == float("inf")
    batched.offer(SIGNALS[:2])
    assert 900 < batched.due_s() <= 1000
    batched.offer(SIGNALS[2:3])
    assert batched.due_s() == 0
    timed = sink(name, tmp_path / ".", Batch(rows=3, every=0.0))
    timed.offer(SIGNALS[:1])
    assert timed.due_s() == 0


def test_sinks_of_the_same_records_say_the_same(sink: Making, tmp_path: Path) -> None:
    for name in ("jsonl", "sqlite"):
        each = sink(name, tmp_path)
        each.offer(SIGNALS)
        each.flush()
    lines = [json.loads(line) for line in (tmp_path / "signals.jsonl").read_text().splitlines()]
    with closing(sqlite3.connect(tmp_path / "signals.db")) as database:
        rows = database.execute("SELECT seq, sent, symbol, strong, confirm, low_consistency FROM signals").fetchall()
    names = ("seq", "sent", "symbol", "strong", "confirm", "low_consistency")
    assert rows == [tuple(line[name] for name in names) for line in lines]
    assert rows[1] == (1, 11.0, "BTCUSDT", 0, 0, 0)


def test_the_defect_of_two_sinks_that_differ_after_a_replay(sink: Making, tmp_path: Path) -> None:
    for name in ("jsonl", "sqlite"):
        each = sink(name, tmp_path, ignore=True)
        each.offer(SIGNALS)
        each.flush()
        each.offer(SIGNALS[3:], again=True)
        each.flush()
    assert stored("jsonl", tmp_path) == [0, 1, 2, 3, 4, 5, 3, 4, 5]
    assert stored("sqlite", tmp_path) == [0, 1, 2, 3, 4, 5]


def test_the_defect_of_a_batch_that_is_lost(sink: Making, tmp_path: Path) -> None:
    losing = SqliteSink(tmp_path / "signals.db", Batch(rows=500, every=10.0))
    losing.offer(SIGNALS)
    losing.forget_batch()
    losing.close()
    assert sink("sqlite", tmp_path).position == 600
    assert stored("sqlite", tmp_path) == []
