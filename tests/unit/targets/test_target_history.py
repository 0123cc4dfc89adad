"""What a target is told of a run so far."""

from pathlib import Path

import pytest
from histories import block_of

from soak.runner.targets.history import History, Running
from soak.runner.targets.queue.orchestrator.target import Orchestrator
from soak.schemas.errors import UsageError
from soak.schemas.stream.vocabulary import Vocabulary
from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.settings import Settings

STORY = """
0 enqueued 1
1 dispatched 1 w0
1 started 1 w0
2 enqueued 2
3 dispatched 2 w1
3 started 2 w1
5 ended 1 w0
5 done 1 w0
6 queue_depth 0
"""


def told(story: str) -> History:
    """The history of a story."""
    history = History()
    history.observe(block_of(story, Vocabulary()))
    return history


def test_what_runs_and_what_was_told() -> None:
    history = told(STORY)
    assert (history.recorded.total(), history.until_s, history.lost) == (5, 6.0, False)
    assert len(history.submitted) == 2
    [running] = history.running.values()
    assert (running.worker, running.started_s, type(running)) == (1, 3.0, Running)


def test_a_run_that_lost_telemetry_does_not_go_on(tmp_path: Path) -> None:
    (tmp_path / "system").mkdir()
    with pytest.raises(UsageError, match="telemetry was lost"):
        Orchestrator().prepare(tmp_path, told(STORY + "7 lost 3\n"))


def test_a_run_without_its_database_does_not_go_on(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"queue.db: is missing"):
        Orchestrator().prepare(tmp_path, told(STORY))


def test_a_database_of_another_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "system").mkdir()
    database = tmp_path / "system" / "queue.db"
    database.write_bytes(b"no database at all, but some text that is long enough to be looked at" * 20)
    with pytest.raises(UsageError, match=r"queue.db: cannot be read: .+ \(restore it"):
        Orchestrator().prepare(tmp_path, told(STORY))
    database.unlink()
    with Store(database, Settings(db=str(database))) as store:
        store.enqueue("0", "{}")
    with pytest.raises(
        UsageError, match=r"queue.db: is not the database of this run: its log contradicts the event stream"
    ):
        Orchestrator().prepare(tmp_path, told(STORY))
