"""The way to a database: in order, nothing twice, nothing lost while there is room, and never in the way."""

import contextlib
import threading
import time
from collections.abc import Sequence

import pytest
from servers import until

from soak.runner.export import feed as feeding
from soak.runner.export.database import MOST_AT_ONCE, ExportError
from soak.runner.export.feed import Feed
from soak.runner.export.metrics import MetricSnapshot


class Database:
    """Takes what it is sent, unless it is down or held up."""

    most_at_once = MOST_AT_ONCE

    def __init__(self, *, keeps_history: bool = True) -> None:
        self.keeps_history = keeps_history
        self.taken: list[float] = []
        self.sizes: list[int] = []
        self.down = False
        self.asked = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def send(self, snapshots: Sequence[MetricSnapshot]) -> None:
        self.asked.set()
        self.free.wait()
        if self.down:
            raise ExportError("it is down")
        self.sizes.append(len(snapshots))
        self.taken += [snapshot.time_s for snapshot in snapshots]


def opened(database: Database, first_pause_s: float = 0.01) -> Feed[MetricSnapshot]:
    feed = Feed("somewhere", database, first_pause_s)
    with contextlib.suppress(ExportError):
        feed.begin(MetricSnapshot(-1.0, ()), 5.0)
    return feed


def put(feed: Feed[MetricSnapshot], *times: float) -> None:
    for time_s in times:
        feed.put(MetricSnapshot(time_s, ()))


def closed(feed: Feed[MetricSnapshot], patience_s: float = 5.0) -> tuple[int, int]:
    feed.stop(time.monotonic() + patience_s)
    feed.join()
    return feed.count.exports, feed.count.errors


def test_everything_arrives_in_order() -> None:
    database = Database()
    feed = opened(database)
    put(feed, *range(50))
    assert closed(feed) == (51, 0)
    assert database.taken == list(range(-1, 50))


def test_a_first_export_that_fails_is_told_once_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    database = Database()
    database.down = True
    feed = Feed("somewhere", database, 0.01)
    with pytest.raises(ExportError, match="it is down"):
        feed.begin(MetricSnapshot(-1.0, ()), 5.0)
    until(lambda: feed.count.errors >= 3)
    database.down = False
    exports, errors = closed(feed)
    assert (exports, database.taken) == (1, [-1])
    assert errors >= 3
    assert capsys.readouterr().err == "export somewhere: it works again\n"


def test_a_database_that_comes_back_gets_what_it_missed(capsys: pytest.CaptureFixture[str]) -> None:
    database = Database()
    feed = opened(database)
    database.down = True
    put(feed, *range(250))
    until(lambda: feed.count.errors >= 3)
    database.down = False
    exports, errors = closed(feed)
    assert (exports, database.taken) == (251, list(range(-1, 250)))
    assert errors >= 3
    assert max(database.sizes) == MOST_AT_ONCE
    assert capsys.readouterr().err.splitlines() == [
        "export somewhere: it is down (the run continues, and the export is retried)",
        "export somewhere: it works again",
    ]


def test_a_database_that_hangs_at_the_beginning_is_not_waited_for_for_ever() -> None:
    database = Database()
    database.free.clear()
    feed = Feed("somewhere", database)
    with pytest.raises(ExportError, match="it did not answer in time"):
        feed.begin(MetricSnapshot(-1.0, ()), 0.1)
    assert closed(feed, 0.1) == (0, 1)
    database.free.set()


@pytest.mark.parametrize(("failures", "pause_s"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (8, 60), (10_000, 60)])
def test_pauses_grow_up_to_a_minute(failures: int, pause_s: float) -> None:
    assert feeding.pause_s(failures) == pause_s


def test_only_the_newest_goes_to_what_keeps_no_history() -> None:
    database = Database(keeps_history=False)
    feed = opened(database)
    database.free.clear()
    database.asked.clear()
    put(feed, 1)
    assert database.asked.wait(30)
    put(feed, 2, 3, 4)
    database.free.set()
    assert closed(feed) == (3, 0)
    assert database.taken == [-1, 1, 4]


def test_a_database_that_hangs_holds_up_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    database = Database()
    feed = opened(database)
    database.free.clear()
    put(feed, *range(10))
    assert closed(feed, 0.1) == (1, 1)
    assert capsys.readouterr().err == "export somewhere: 10 exports were lost\n"
    database.free.set()


def test_several_that_hang_are_waited_for_together() -> None:
    databases = [Database(), Database()]
    feeds = [opened(database) for database in databases]
    databases[0].free.clear()
    databases[1].down = True
    for feed in feeds:
        put(feed, 1)
    until = time.monotonic() + 1.0
    for feed in feeds:
        feed.stop(until)
    databases[1].down = False
    for feed in feeds:
        feed.join()
    assert [feed.count.exports for feed in feeds] == [1, 2]
    databases[0].free.set()


def test_the_oldest_give_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(feeding, "MOST_WAITING", 20)
    database = Database()
    feed = opened(database)
    database.free.clear()
    put(feed, *range(100))
    database.free.set()
    exports, _ = closed(feed)
    assert database.taken[-20:] == list(range(80, 100))
    assert exports == len(database.taken) == len(set(database.taken))
    assert f"{101 - exports} exports were lost" in capsys.readouterr().err


def test_what_a_database_refuses_is_made_smaller_and_then_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    """One snapshot that it will never take does not keep the others from it."""
    database = Database()
    feed = opened(database)

    def send(snapshots: Sequence[MetricSnapshot]) -> None:
        if any(snapshot.time_s == 37 for snapshot in snapshots):
            raise ExportError("it answered 400", refused=True)
        Database.send(database, snapshots)

    database.send = send  # type: ignore[method-assign]
    database.free.clear()
    put(feed, *range(100))
    database.free.set()
    exports, errors = closed(feed)
    assert sorted(database.taken) == [-1, *(number for number in range(100) if number != 37)]
    assert exports == 100
    assert errors >= 1
    assert "1 exports were lost" in capsys.readouterr().err


def test_a_failure_of_the_client_does_not_end_the_feed() -> None:
    database = Database()
    feed = opened(database)
    failures = iter([ValueError("a secret")])

    def send(snapshots: Sequence[MetricSnapshot]) -> None:
        for failure in failures:
            raise failure
        Database.send(database, snapshots)

    database.send = send  # type: ignore[method-assign]
    put(feed, 1, 2)
    assert closed(feed) == (3, 1)
