"""Samples of a system's queue while it runs."""

from collections.abc import Callable
from pathlib import Path

from runner.targets.contract import BusyError, Snapshot
from runner.targets.course import Course
from schemas.events import Kind


class Sampler:
    """Notes what a snapshot tells; `files` are those of its database."""

    def __init__(self, course: Course, snapshot: Callable[[], Snapshot], files: Callable[[], list[Path]]) -> None:
        self._course = course
        self._snapshot = snapshot
        self._files = files

    def start(self) -> None:
        """Put the samples on the agenda."""
        self._course.every(self._course.plan.scenario.telemetry.sample_interval_s, self._sample)

    def _sample(self) -> None:
        """A queue that is busy is not asked again before the next sample."""
        t_s = self._course.now()
        try:
            queue = self._snapshot()
            files = self._files()
        except BusyError:
            return
        self._course.note(t_s, Kind.SAMPLE_QUEUE_DEPTH, value=queue.pending)
        if queue.busy_workers is not None:
            self._course.note(t_s, Kind.SAMPLE_BUSY_WORKERS, value=queue.busy_workers)
        if queue.oldest_s is not None:
            self._course.note(t_s, Kind.SAMPLE_OLDEST_PENDING, value=queue.oldest_s * self._course.clock.speed)
        if files:
            self._course.note(t_s, Kind.SAMPLE_DB_SIZE, value=sum(map(_size, files)))


def _size(path: Path) -> int:
    """The size of a file in bytes; 0 for one that is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
