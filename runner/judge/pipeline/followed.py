"""What the files of a pipeline's evidence are made of, followed event by event where there are few of them."""

from dataclasses import dataclass, field

from soak.schemas.evidence.processes import ProcessRecord, ResourceUsage, Restart
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import Pipeline


@dataclass(slots=True)
class Life:
    """An exit of a process and what followed, as far as it is known. planned_s: the backoff that the settings ask for."""

    exited_s: float
    fault: str
    planned_s: float | None
    started_s: float | None = None
    healthy_s: float | None = None
    output_s: float | None = None

    def told(self) -> Restart:
        """As it is written."""
        waited_s = None if self.started_s is None else round(self.started_s - self.exited_s, 6)
        known = self.healthy_s is not None and self.output_s is not None
        back_s = max(self.healthy_s or 0.0, self.output_s or 0.0) - self.exited_s if known else None
        return Restart(
            self.exited_s,
            self.fault,
            self.started_s,
            self.healthy_s,
            self.output_s,
            self.planned_s,
            waited_s,
            None if back_s is None else round(back_s, 6),
        )


class Lives:
    """The exits and starts of one process. Exits after the shutdown began are no failures and are not followed by a start."""

    def __init__(self, pipeline: Pipeline, number: int) -> None:
        self._restart, self._number = pipeline.supervisor.restart, number
        self.name = pipeline.processes[number].name
        self.exits: list[Life] = []
        self.last_exit_s: float | None = None
        self.abandoned, self.orphans = False, 0
        self.reported: int | None = None
        self._consecutive = 0
        self._healthy_since_s: float | None = 0.0

    def observe(self, kind: int, t_s: float, fault: str, *, ending: bool) -> None:
        """An event of this process. ending: whether the shutdown has begun."""
        last = self.exits[-1] if self.exits else None
        if kind == Kind.PROCESS_EXITED:
            self.last_exit_s = t_s
            if not ending:
                self._exit(t_s, fault)
        elif kind == Kind.PROCESS_ABANDONED:
            self.abandoned = True
        elif kind == Kind.PROCESS_ORPHANED:
            self.orphans += 1
        elif kind == Kind.PROCESS_HEALTHY:
            self._healthy_since_s = t_s
            if last is not None and last.healthy_s is None:
                last.healthy_s = t_s
        elif last is not None and kind == Kind.PROCESS_STARTED and last.started_s is None:
            last.started_s = t_s
        elif last is not None and kind == Kind.PROCESS_OUTPUT and last.output_s is None:
            last.output_s = t_s

    def _exit(self, t_s: float, fault: str) -> None:
        since_s = self._healthy_since_s
        if since_s is not None and t_s - since_s >= self._restart.reset_after_s:
            self._consecutive = 0
        self._consecutive, self._healthy_since_s = self._consecutive + 1, None
        self.exits.append(Life(t_s, fault, self._restart.backoff.full_s(self._consecutive)))

    def told(self, pids: list[int]) -> ProcessRecord:
        """As it is written."""
        restarts = [life.told() for life in self.exits]
        count = sum(each.started_s is not None for each in restarts)
        return ProcessRecord(self.name, count, self.reported, self.abandoned, self.orphans, pids, restarts)


@dataclass(slots=True)
class Level:
    """Samples of a level. total: a sum of whole microseconds, so that the order of additions does not matter."""

    samples: int = 0
    most: float = 0.0
    last: float = 0.0
    total: float = 0.0

    def take(self, value: float) -> None:
        """A sample."""
        self.samples, self.most, self.last = self.samples + 1, max(self.most, value), value
        self.total = round(self.total + value, 6)


@dataclass(slots=True)
class Resources:
    """Samples of the resources of one process."""

    rss: Level = field(default_factory=Level)
    files: Level = field(default_factory=Level)
    cpu: Level = field(default_factory=Level)

    def take(self, kind: int, value: float) -> None:
        """A sample."""
        files = self.files if kind == Kind.SAMPLE_PROCESS_OPEN_FILES else self.rss
        (self.cpu if kind == Kind.SAMPLE_PROCESS_CPU else files).take(value)

    def told(self) -> ResourceUsage:
        """As it is written."""
        rss, files, cpu = self.rss, self.files, self.cpu
        return ResourceUsage(
            max(rss.samples, files.samples, cpu.samples),
            rss.most if rss.samples else None,
            rss.last if rss.samples else None,
            files.most if files.samples else None,
            round(cpu.total / cpu.samples, 6) if cpu.samples else None,
        )
