"""Going on after the runner was gone: the system's clocks stood still exactly as long as the scenario's did."""

import sqlite3
from pathlib import Path

import pytest

from runner.targets.contract import Change, ChangeType
from runner.targets.history import History
from runner.targets.orchestrator.continuation import Continuation
from systems.orchestrator.db_store import Store
from systems.orchestrator.settings import Settings


def due(database: Path) -> float:
    connection = sqlite3.connect(database)
    [(found,)] = connection.execute("SELECT retry_not_before FROM tasks")
    connection.close()
    return float(found)


def test_the_database_moves_by_as_much_as_the_scenarios_time_0(tmp_path: Path) -> None:
    database = tmp_path / "queue.db"
    with Store(database, Settings(db=str(database))) as store:
        store.enqueue("0", "{}")
    before = due(database)
    Continuation(database, None).let_clocks_stand_still(1_000.0)
    assert due(database) == before
    later = Continuation(database, None)
    later.let_clocks_stand_still(1_123.5)
    assert due(database) == pytest.approx(before + 123.5)
    # A third runner counts from the second's.
    Continuation(database, None).let_clocks_stand_still(1_200.0)
    assert due(database) == pytest.approx(before + 200.0)


def test_what_was_written_before_is_told_in_todays_time(tmp_path: Path) -> None:
    database = tmp_path / "queue.db"
    with Store(database, Settings(db=str(database))) as store:
        store.enqueue("0", "{}")
    Continuation(database, None).let_clocks_stand_still(1_000.0)
    going_on = Continuation(database, History(until_s=1.0))
    going_on.let_clocks_stand_still(1_050.0)
    old = Change(ChangeType.ENQUEUED, 1, "0", at=10.0, due=20.0)
    new = Change(ChangeType.DONE, 1, "0", at=100.0)
    moved = going_on.moved([old, new])
    assert [(each.at, each.due) for each in moved] == [(60.0, 70.0), (100.0, 0.0)]
    assert going_on.moved([new]) == [new]
