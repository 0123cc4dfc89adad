"""What the files of a pipeline's evidence are made of, followed event by event where there are few of them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from soak.runner.judge.pipeline.lives import Exit
from soak.schemas.evidence.processes import ProcessRecord, ResourceUsage, Restart
from soak.schemas.language.backoff import Backoff
from soak.schemas.stream.events import Kind


@dataclass(slots=True)
class Listed:
    """What the manifest says of one process. exits: those before the shutdown."""

    exits: list[Exit] = field(default_factory=list)
    abandoned: bool = False
    orphans: int = 0
    reported: int | None = None

    def take(self, kind: int, value: float) -> None:
        """What is said of it at the end."""
        if kind == Kind.PROCESS_ABANDONED:
            self.abandoned = True
        elif kind == Kind.PROCESS_ORPHANED:
            self.orphans += 1
        else:
            self.reported = int(value)

    def told(self, name: str, pids: list[int], backoff: Backoff, fault: Callable[[int], str]) -> ProcessRecord:
        """As it is written. fault: the name of the fault of a cause."""
        restarts = [_told(each, backoff, fault(each.cause)) for each in self.exits]
        count = sum(each.started_s is not None for each in restarts)
        return ProcessRecord(name, count, self.reported, self.abandoned, self.orphans, pids, restarts)


def _told(found: Exit, backoff: Backoff, fault: str) -> Restart:
    planned_s = backoff.full_s(found.in_a_row.number)
    return Restart(
        found.exited_s,
        fault,
        found.started_s,
        found.healthy_s,
        found.output_s,
        planned_s,
        found.waited_s,
        found.took_s,
    )


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
