"""Samples of a system's queue while it runs."""

from collections.abc import Callable
from pathlib import Path

from soak.contract import BusyError, Snapshot
from soak.runner.targets.context import RunContext
from soak.schemas.stream.events import Kind


class Sampler:
    """Records snapshots; `files` are those of the database.

    `deferred_s`: due time of the oldest submission not accepted so far, which is waiting as well.
    """

    def __init__(
        self,
        context: RunContext,
        snapshot: Callable[[], Snapshot],
        files: Callable[[], list[Path]],
        deferred_s: Callable[[], float | None],
    ) -> None:
        self._context = context
        self._snapshot = snapshot
        self._deferred_s = deferred_s
        self._files = files

    def start(self) -> None:
        """Put the samples on the agenda."""
        self._context.every(self._context.plan.scenario.telemetry.sample_interval_s, self.sample)

    def sample(self) -> None:
        """Take one, now. A busy queue is not asked again before the next sample."""
        t_s = self._context.now()
        try:
            queue = self._snapshot()
            files = self._files()
        except BusyError:
            self._note_oldest(t_s, None)
            return
        self._context.note(t_s, Kind.SAMPLE_QUEUE_DEPTH, value=queue.pending)
        if queue.busy_workers is not None:
            self._context.note(t_s, Kind.SAMPLE_BUSY_WORKERS, value=queue.busy_workers)
        self._note_oldest(t_s, queue.oldest_s)
        if files:
            self._context.note(t_s, Kind.SAMPLE_DB_SIZE, value=sum(map(_size, files)))

    def _note_oldest(self, t_s: float, pending_real_s: float | None) -> None:
        """Record how long the oldest due work has waited: inside the system, if it reports that, or outside."""
        due_s = self._deferred_s()
        waited = [] if pending_real_s is None else [pending_real_s * self._context.clock.speed]
        waited += [] if due_s is None else [t_s - due_s]
        if waited:
            self._context.note(t_s, Kind.SAMPLE_OLDEST_PENDING, value=max(waited))


def _size(path: Path) -> int:
    """The size of a file in bytes; 0 for one that is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
