"""The system `queue` in reports."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from soak.reports.aftermath import Aftermath
from soak.reports.data import RunData
from soak.reports.plots.canvas import GREEN, ORANGE, PURPLE
from soak.reports.plots.panels import Line, Over, Panel
from soak.reports.queue.plots import SYSTEM, system
from soak.reports.room import Grown, Room
from soak.reports.summary import render_template
from soak.schemas.systems.queue.indicators import WORKERS_ALIVE
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.units import show_duration

_RUN_BOOK = Path(__file__).with_name("run_book.md.j2")
_DATABASE = "system/queue.db"
_DEPTH = Line("peak queue depth", ORANGE, ("queue_depth_max",), Over.PEAK, filled=True)
_BUSY = Line("mean busy workers", PURPLE, ("busy_workers",), Over.MEAN)


def _speed(run: RunData) -> str:
    poll_s = queue_of(run.scenario).poll_interval_s
    return (
        "Intervals shorter than 2 ms and timeouts shorter than 5 ms of real time are raised to that; a poll interval of "
        f"{show_duration(poll_s)} is {show_duration(poll_s / run.manifest.speed)} here."
    )


def _run_book(run: RunData, aftermath: Aftermath) -> str:
    database = _DATABASE if run.verdict.clock == "real" else Path(_DATABASE).name
    return render_template(_RUN_BOOK, run, aftermath=aftermath, database=database)


def _ids(directory: Path) -> Mapping[str, str]:
    """The system's task ids by key, from the database kept with a real run; empty without one."""
    database = directory / _DATABASE
    if not database.exists():
        return {}
    try:
        connection = sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)
        try:
            return {
                str(key): str(task_id) for key, task_id in connection.execute("SELECT key, id FROM tasks ORDER BY id")
            }
        finally:
            connection.close()
    except sqlite3.Error:
        return {}


_ALIVE = Line("mean workers up", GREEN, (WORKERS_ALIVE,), Over.MEAN, optional=True)

ROOM = Room(
    plots={SYSTEM: system},
    panels=(
        Panel("Queue depth (PENDING)", "tasks, peak", (_DEPTH,), height=2),
        Panel("Busy workers", "workers, mean", (_ALIVE, _BUSY), unknown="not reported by the system"),
    ),
    on_page=(Panel("Queue", "", (_DEPTH, _ALIVE, _BUSY)),),
    grown=(Grown("queue_depth_growth", "PENDING tasks", "tasks", "queue_depth"),),
    speed=_speed,
    resumed="The scenario's clock, backoffs and leases were paused meanwhile; tasks in progress lost one attempt.",
    events=("lease.",),
    ids=_ids,
    run_book=_run_book,
)
