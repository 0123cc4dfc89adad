"""The way to a database: in order, nothing twice, nothing lost while there is room, and never in the way."""

import threading
import time
from collections.abc import Sequence

import pytest

from runner.export import feed as feeding
from runner.export.database import ExportError
from runner.export.feed import Feed
from runner.export.metrics import Snapshot


class Database:
    """Takes what it is sent, unless it is down or held up."""

    def __init__(self, *, keeps_history: bool = True) -> None:
        self.keeps_history = keeps_history
        self.taken: list[float] = []
        self.sizes: list[int] = []
        self.down = False
        self.free = threading.Event()
        self.free.set()

    def send(self, snapshots: Sequence[Snapshot]) -> None:
        self.free.wait()
        if self.down:
            raise ExportError("it is down")
        self.sizes.append(len(snapshots))
        self.taken += [snapshot.time_s for snapshot in snapshots]


def opened(database: Database) -> Feed:
    feed = Feed("somewhere", database, first_pause_s=0.01)
    feed.start()
    return feed


def put(feed: Feed, *times: float) -> None:
    for time_s in times:
        feed.put(Snapshot(time_s, ()))


def closed(feed: Feed, patience_s: float = 5.0) -> tuple[int, int]:
    feed.close(time.monotonic() + patience_s)
    return feed.count.exports, feed.count.errors


def test_everything_arrives_in_order() -> None:
    database = Database()
    feed = opened(database)
    put(feed, *range(50))
    assert closed(feed) == (50, 0)
    assert database.taken == list(range(50))


def test_a_database_that_comes_back_gets_what_it_missed(capsys: pytest.CaptureFixture[str]) -> None:
    database = Database()
    database.down = True
    feed = opened(database)
    put(feed, *range(250))
    while feed.count.errors < 3:
        time.sleep(0.005)
    database.down = False
    exports, errors = closed(feed)
    assert (exports, database.taken) == (250, list(range(250)))
    assert errors >= 3
    assert max(database.sizes) == feeding.MOST_AT_ONCE
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "export somewhere: it is down (the run goes on, it is tried again)",
        "export somewhere: it is back",
    ]


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "LONGEST_PAUSE_S", 0.08)
    database = Database()
    database.down = True
    feed = opened(database)
    put(feed, 1)
    time.sleep(0.5)
    tries = feed.count.errors
    closed(feed, 0.0)
    # 10, 20, 40, 80, 80, ... ms: a busy machine makes fewer tries, none makes more.
    assert 2 <= tries <= 9


def test_only_the_newest_goes_to_what_keeps_no_history() -> None:
    database = Database(keeps_history=False)
    database.free.clear()
    feed = opened(database)
    put(feed, 1)
    time.sleep(0.05)
    put(feed, 2, 3, 4)
    database.free.set()
    assert closed(feed) == (len(database.taken), 0)
    assert database.taken[-1] == 4
    assert set(database.taken) <= {1, 4}


def test_a_database_that_hangs_holds_up_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    database = Database()
    database.free.clear()
    feed = opened(database)
    before = time.monotonic()
    put(feed, *range(10))
    assert closed(feed, 0.1) == (0, 0)
    assert time.monotonic() - before < 5
    assert capsys.readouterr().err == "export somewhere: 10 exports did not get there\n"
    database.free.set()


def test_the_oldest_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "MOST_WAITING", 20)
    database = Database()
    database.free.clear()
    feed = opened(database)
    put(feed, *range(100))
    database.free.set()
    exports, _ = closed(feed)
    assert database.taken[-20:] == list(range(80, 100))
    assert exports == len(database.taken)
    assert len(set(database.taken)) == len(database.taken)


def test_a_failure_of_the_client_does_not_end_the_feed() -> None:
    database = Database()
    failures = iter([ValueError("a secret")])

    def send(snapshots: Sequence[Snapshot]) -> None:
        for failure in failures:
            raise failure
        Database.send(database, snapshots)

    database.send = send  # type: ignore[method-assign]
    feed = opened(database)
    put(feed, 1, 2)
    assert closed(feed) == (2, 1)
