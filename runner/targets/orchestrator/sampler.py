"""Samples of the system while it runs: its queue, and what its processes take."""

from contextlib import suppress
from pathlib import Path

import psutil

from runner.targets.clock import Clock
from runner.targets.journal import Journal
from runner.targets.orchestrator.processes import Processes
from schemas.events import Kind
from systems.orchestrator.db_store import Store
from systems.orchestrator.model import TaskState


class Sampler:
    """Notes one sample of everything at a time."""

    def __init__(self, clock: Clock, journal: Journal, store: Store, processes: Processes, database: Path) -> None:
        self._store = store
        self._files = [database, database.with_name(f"{database.name}-wal")]
        self._processes = processes
        self._journal = journal
        self._clock = clock
        self._known: dict[int, psutil.Process] = {}
        self._own = psutil.Process()

    def sample(self) -> None:
        """Note the state of the queue, and memory, open files and database size of the system."""
        t_s, queue = self._clock.now(), self._store.snapshot()
        levels = {
            Kind.SAMPLE_QUEUE_DEPTH: queue.counts[TaskState.PENDING],
            Kind.SAMPLE_OLDEST_PENDING: queue.oldest_due_s * self._clock.speed,
            Kind.SAMPLE_BUSY_WORKERS: queue.busy_workers,
            Kind.SAMPLE_DB_SIZE: sum(path.stat().st_size for path in self._files if path.exists()),
            **self._resources(),
            Kind.SAMPLE_RUNNER_RSS: self._own.memory_info().rss,
            Kind.SAMPLE_RUNNER_OPEN_FILES: self._own.num_fds(),
        }
        for kind, value in levels.items():
            self._journal.note(t_s, kind, value=value)

    def _resources(self) -> dict[Kind, float]:
        """What all processes take together; one that ends just now counts nothing."""
        sums = dict.fromkeys((Kind.SAMPLE_RSS, Kind.SAMPLE_OPEN_FILES, Kind.SAMPLE_THREADS, Kind.SAMPLE_CPU), 0.0)
        pids = set(self._processes.pids().values())
        self._known = {pid: self._known.get(pid) or psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)}
        for process in self._known.values():
            with suppress(psutil.Error), process.oneshot():
                sums[Kind.SAMPLE_RSS] += process.memory_info().rss
                sums[Kind.SAMPLE_THREADS] += process.num_threads()
                sums[Kind.SAMPLE_CPU] += sum(process.cpu_times()[:2])
                sums[Kind.SAMPLE_OPEN_FILES] += process.num_fds()
        return sums
