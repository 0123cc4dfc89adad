"""Going on after the runner was gone: the system's clocks stood still exactly as long as the scenario's did."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from soak.contract import Change, ChangeType
from soak.runner.targets.context import RunContext
from soak.runner.targets.history import History, Running
from soak.runner.targets.queue.names import Workers
from soak.runner.targets.queue.orchestrator import eras, pulse
from soak.runner.targets.queue.orchestrator.continuation import Continuation
from soak.runner.targets.queue.system_adapter.change_reader import KINDS, ChangeReader
from soak.runner.targets.submitter import Submission
from soak.schemas.language.load import load
from soak.schemas.stream.events import Kind
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan
from soak.systems.orchestrator.db_store import Store
from soak.systems.orchestrator.settings import Settings

SPEED = 10.0
SCENARIO = """
version: 1
name: going-on
system: queue
duration: 10m
workload: {arrivals: {rate: 6/min}, task: {duration: {distribution: constant, value: 5s}}}
faults: [{name: flaky, type: transient_error, rate: 100%, errors: [network]}]
slos: [success_rate >= 0%]
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one task that is taken in and has no record."""
    path = tmp_path / "queue.db"
    with Store(path, Settings(db=str(path))) as store:
        store.enqueue("0", "{}")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM events")
    return path


@pytest.fixture
def context(tmp_path: Path) -> RunContext:
    """A run whose stream broke off at 30 s, and whose clock is held."""
    path = tmp_path / "going-on.yaml"
    path.write_text(SCENARIO)
    return RunContext.held(Plan(load(path).scenario), SPEED, 30.0, 60.0)


def due(database: Path) -> float:
    """From when on its task may be dispatched."""
    with closing(sqlite3.connect(database)) as connection:
        [(found,)] = connection.execute("SELECT retry_not_before FROM tasks")
    return float(found)


def record(database: Path, kind: str, at: float, attempt: int = 1, error: str = "") -> None:
    """A record in the log of the system."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO events (at, type, task_id, key, attempt, worker, error) VALUES (?, ?, 1, '0', ?, 'w0', ?)",
            (at, kind, attempt, error),
        )


def going_on(database: Path, until_s: float = 0.0, told: str = "") -> Continuation:
    """After a stream that breaks off at `until_s` and has these records."""
    history = History(until_s=until_s)
    history.recorded.update(KINDS[ChangeType(kind)] for kind in told.split())
    return Continuation(database, history, SPEED)


def begin(database: Path, origin: float) -> None:
    """The first runner of the run."""
    Continuation(database, None, SPEED).let_clocks_stand_still(origin)


def test_the_database_moves_by_as_much_as_the_scenarios_time_0(database: Path) -> None:
    before = due(database)
    begin(database, 1_000.0)
    assert due(database) == before
    going_on(database).let_clocks_stand_still(1_123.5)
    assert due(database) == pytest.approx(before + 123.5, abs=1e-3)
    # A third runner counts from the second's.
    going_on(database).let_clocks_stand_still(1_200.0)
    assert due(database) == pytest.approx(before + 200.0, abs=1e-3)


def test_a_runner_that_was_killed_while_it_moved_the_clocks(database: Path) -> None:
    before = due(database)
    begin(database, 1_000.0)
    # The second had put down its clock, and not moved the database yet.
    with (database.parent / eras.FILE).open("a") as file:
        file.write("1050.0 0\n")
    going_on(database).let_clocks_stand_still(1_080.0)
    assert due(database) == pytest.approx(before + 80.0, abs=1e-3)


def test_what_was_written_before_is_told_in_todays_time(database: Path) -> None:
    begin(database, 1_000.0)
    record(database, "enqueued", 1_010.0)
    going_on(database).let_clocks_stand_still(1_500.0)
    record(database, "dispatched", 1_520.0)
    third = going_on(database)
    third.let_clocks_stand_still(2_000.0)
    first = Change(ChangeType.ENQUEUED, 1, "0", at=1_010.0, due=1_020.0)
    second = Change(ChangeType.DISPATCHED, 1, "0", at=1_520.0)
    new = Change(ChangeType.DONE, 1, "0", at=2_100.0)
    # Each by the clock of the runner it was written under: the first of them was gone for long.
    assert [(each.at, each.due) for each in third.moved([first, second])] == [(2_010.0, 2_020.0), (2_020.0, 0.0)]
    assert third.moved([new]) == [new]


@pytest.mark.parametrize(
    ("until_s", "beat_s", "last_at", "lived_s"),
    [
        (30.0, None, None, 30.0),
        (30.0, 41.0, None, 41.0 + pulse.EVERY_REAL_S * SPEED),
        (30.0, 41.0, 1_005.2, 52.0),
        (99.0, 41.0, 1_005.2, 99.0),
    ],
    ids=["the stream alone", "a beat", "a record after the beat", "the stream after both"],
)
def test_the_clock_stops_with_the_last_sign_of_life(
    database: Path, until_s: float, beat_s: float | None, last_at: float | None, lived_s: float
) -> None:
    begin(database, 1_000.0)
    if beat_s is not None:
        (database.parent / pulse.FILE).write_text(f"{beat_s:020.6f}\n")
    if last_at is not None:
        record(database, "enqueued", last_at)
    found = going_on(database, until_s)
    assert (found.from_s, found.history.lived_s) == (pytest.approx(lived_s), found.from_s)


def test_how_long_the_restart_took_is_no_part_of_the_gap(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(database, 1_000.0)
    (database.parent / pulse.FILE).write_text(f"{40.0:020.6f}\n")
    gaps, pauses = set(), []
    for now in (1_005.0, 9_999.0):
        monkeypatch.setattr("soak.runner.targets.queue.orchestrator.continuation.time.time", lambda now=now: now)
        history = going_on(database, 35.0).history
        gaps.add(history.lived_s - history.until_s)
        pauses.append(history.pause_real_s)
    assert gaps == {40.0 + pulse.EVERY_REAL_S * SPEED - 35.0}
    assert pauses == [pytest.approx(1_005.0 - 1_004.05), pytest.approx(9_999.0 - 1_004.05)]


@pytest.mark.parametrize(
    ("kind", "error", "ended_s", "cause"),
    [
        ("retry", "network", 52.0, "network"),
        ("expired", "", 61.0, "runner_gone"),
        ("retry", "lease_expired", 61.0, "runner_gone"),
    ],
)
def test_executions_end_with_their_record_or_with_the_runner(
    context: RunContext, database: Path, kind: str, error: str, ended_s: float, cause: str
) -> None:
    begin(database, 1_000.0)
    record(database, "enqueued", 1_001.0)
    record(database, "dispatched", 1_002.0)
    record(database, kind, 1_005.2, error=error)
    history = History(until_s=30.0)
    history.recorded.update([Kind.TASK_ENQUEUED, Kind.TASK_DISPATCHED])
    history.running[0, 1] = Running(0, 1, 0, 20.0)
    (database.parent / pulse.FILE).write_text(f"{60.5:020.6f}\n")
    Continuation(database, history, SPEED).close_the_ledger(context)
    block = context.journal.take(100.0)
    assert block.kind.tolist() == [Kind.EXECUTION_ENDED]
    causes = context.plan.vocabulary.causes
    assert (block.t[0], block.value[0], causes[int(block.cause[0])].error) == (ended_s, ended_s - 20.0, cause)


def test_a_pulse_leaves_the_time_of_its_last_beat(tmp_path: Path) -> None:
    path, beats = tmp_path / pulse.FILE, []

    def now() -> float:
        beats.append(1.5 + len(beats))
        return beats[-1]

    beat = pulse.Pulse(path, now)
    assert pulse.last_beat_s(path) is None
    beat.start()
    beat.close()
    assert pulse.last_beat_s(path) == beats[-1]


@pytest.mark.parametrize("content", ["", "no number", None])
def test_a_run_without_a_beat_has_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / pulse.FILE
    if content is not None:
        path.write_text(content)
    assert pulse.last_beat_s(path) is None


def test_work_that_was_due_before_the_runner_was_gone_was_offered_in_time(context: RunContext, database: Path) -> None:
    begin(database, 1_000.0)
    (database.parent / pulse.FILE).write_text(f"{60.0:020.6f}\n")
    found = going_on(database, 30.0)
    change_reader = ChangeReader(context, list, Workers(queue_of(context.plan.scenario)))
    work = [Submission(due_s, number << 1, 0) for number, due_s in ((7, 29.0), (8, 45.0), (9, 61.0))]
    assert [found.knew(each, context, change_reader) for each in work] == [False] * 3
    block = context.journal.take(100.0)
    assert [(int(kind), float(t)) for kind, t in zip(block.kind, block.t, strict=True)] == [(Kind.TASK_DEFERRED, 45.0)]
    assert found.history.offered == {16}


def test_an_attempt_that_failed_unobserved_is_blamed_on_its_fault(context: RunContext, database: Path) -> None:
    begin(database, 1_000.0)
    record(database, "enqueued", 1_001.0)
    record(database, "dispatched", 1_004.0)
    record(database, "retry", 1_005.0, error="network")
    record(database, "dispatched", 1_005.5, attempt=2)
    record(database, "retry", 1_006.0, attempt=2, error="db_busy")
    found, change_reader = (
        going_on(database, 30.0, told="enqueued"),
        ChangeReader(context, list, Workers(queue_of(context.plan.scenario))),
    )
    found.history.injected[14, 3] = 1
    found.restore_blame(context.plan, change_reader)
    # Of the second attempt the log says something else than the plan has for it.
    assert change_reader.blame == {0: {1: context.plan.cause_of(context.plan.scenario.faults[0])}, 14: {3: 1}}


@pytest.mark.parametrize(("speed", "flush_s"), [(1.0, 1.0), (60.0, 60.0), (240.0, 75.0), (100_000.0, 10_000.0)])
def test_a_stream_is_flushed_well_within_the_gap_that_is_allowed(
    context: RunContext, speed: float, flush_s: float
) -> None:
    assert context.plan.scenario.telemetry.max_gap_s == 300.0
    assert RunContext.begin(context.plan, speed).flush_s == pytest.approx(flush_s)
