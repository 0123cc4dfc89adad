"""Resource usage of processes: summed for the judge, and per process in a table."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from soak.contract import BusyError
from soak.runner.targets.context import RunContext
from soak.schemas.errors import OutputError
from soak.schemas.stream.events import Kind
from soak.schemas.stream.processes import COLUMNS, RUNNER, TABLE

_EVERY_REAL_S = 1.0
"""Minimum interval of sampling in real seconds, whatever the speed: sampling has a cost."""


class Resources:
    """Samples of the processes in `pids`, by name, and of the runner itself; the table is in `directory`.

    beside: processes that are in the table only, since they are not of the system.
    """

    def __init__(
        self,
        context: RunContext,
        pids: Callable[[], dict[str, int]],
        directory: Path,
        beside: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        self._context = context
        self._pids, self._beside = pids, beside
        self._path = directory / TABLE
        self._known: dict[int, psutil.Process] = {}
        self._own = psutil.Process()

    def start(self) -> None:
        """Put the samples on the agenda. Raises OutputError when the table cannot be written."""
        if not self._path.exists():
            self._write([COLUMNS])
        self._context.every(self.interval_s, self.sample)

    @property
    def interval_s(self) -> float:
        """How often is sampled, in scenario time."""
        interval_s = self._context.plan.scenario.telemetry.sample_interval_s
        return max(interval_s, _EVERY_REAL_S * self._context.clock.speed)

    def sample(self) -> None:
        """Record one sample of everything; a process that just ended counts as 0."""
        t_s, known = self._context.now(), dict[int, psutil.Process]()
        try:
            pids = self._pids()
        except BusyError:
            pids = {}
        rows = [*self._rows(t_s, pids, known)]
        beside = [*self._rows(t_s, self._beside(), known)]
        self._known = known
        own = _taken(self._own)
        self._write([*rows, *beside, (f"{t_s:.3f}", RUNNER, self._own.pid, *own)])
        if rows:
            for place, kind in enumerate(
                (Kind.SAMPLE_RSS, Kind.SAMPLE_CPU, Kind.SAMPLE_THREADS, Kind.SAMPLE_OPEN_FILES), start=3
            ):
                self._context.note(t_s, kind, value=sum(float(str(row[place])) for row in rows))
        self._context.note(t_s, Kind.SAMPLE_RUNNER_RSS, value=own[0])
        self._context.note(t_s, Kind.SAMPLE_RUNNER_OPEN_FILES, value=own[3])

    def _rows(
        self, t_s: float, pids: Mapping[str, int], known: dict[int, psutil.Process]
    ) -> Iterator[tuple[object, ...]]:
        """A row of the table for each process; they are added to `known`."""
        for name, pid in pids.items():
            with suppress(psutil.Error):
                known[pid] = self._known.get(pid) or psutil.Process(pid)
                yield f"{t_s:.3f}", name, pid, *_taken(known[pid])

    def _write(self, rows: list[tuple[object, ...]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        try:
            with self._path.open("a", encoding="utf-8") as table:
                table.write(text.getvalue())
        except OSError as error:
            raise OutputError.of(self._path, error) from None


def _taken(process: psutil.Process) -> tuple[int, float, int, int]:
    """Memory in bytes, CPU time in seconds, threads and open files."""
    with process.oneshot():
        cpu = process.cpu_times()
        return process.memory_info().rss, round(cpu.user + cpu.system, 3), process.num_threads(), process.num_fds()
