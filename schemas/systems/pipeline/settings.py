"""Settings of the system `pipeline`: processes, their supervisor, sinks, and what faults do to them."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from soak.schemas.language.backoff import Backoff
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.model import Scenario

SOURCE = "source"
"""The stream that comes from outside."""


class Overflow(StrEnum):
    """What the reader of the source does with a record that does not fit into its buffer."""

    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    BLOCK = "block"


class Guarantee(StrEnum):
    """What happens to records that a process has read and not passed on when it dies."""

    EXACTLY_ONCE = "exactly_once"
    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class Passes(StrEnum):
    """Which records a process passes on."""

    ALL = "all"
    STRONG = "strong"
    CONFIRMED = "confirmed"


class RestartWhen(StrEnum):
    """After which ends a process is started again."""

    ALWAYS = "always"
    FAILURE = "failure"
    NEVER = "never"


class AlertRule(StrEnum):
    """What the pipeline itself alerts on."""

    NO_RECORDS = "no_records"
    LOW_CONSISTENCY = "low_consistency"
    STRONG_RATIO = "strong_ratio"


class Figure(StrEnum):
    """Figures over which sinks must agree."""

    TOTAL = "total"
    CONFIRM = "confirm"
    STRONG_RATIO = "strong_ratio"


class Process(Struct, frozen=True):
    """A process. writes: empty if it writes nothing. service: of a record. start: from its start to its first healthy probe."""

    name: str
    reads: str
    writes: str
    service: Distribution
    start: Distribution
    buffer: int
    overflow: Overflow
    guarantee: Guarantee
    checkpoint_s: float
    passes: Passes


class Sink(Struct, frozen=True):
    """A sink of a stream. rows, every_s: of a batch; 1 and 0: each record is written at once."""

    name: str
    of: str
    rows: int
    every_s: float


class Health(Struct, frozen=True):
    """Health rounds. unhealthy_after: consecutive failed probes after which a process is restarted; None: never."""

    every_s: float
    start_timeout_s: float
    timeout_s: float
    unhealthy_after: int | None


class Restart(Struct, frozen=True):
    """When a process that ended is started again, and when no more."""

    when: RestartWhen
    backoff: Backoff
    max_restarts: int
    within_s: float
    reset_after_s: float


class Supervisor(Struct, frozen=True):
    """What keeps the processes alive. order: in which they are ended, by name; grace_s: between SIGTERM and SIGKILL."""

    health: Health
    restart: Restart
    order: tuple[str, ...]
    grace_s: float


class Alerts(Struct, frozen=True):
    """What the pipeline itself must alert on; None: no such alert is expected.

    no_records_s: so long without records. low_consistency, strong_ratio: shares of the records of a minute.
    """

    no_records_s: float | None
    low_consistency: float | None
    strong_ratio: float | None
    tolerance_s: float

    @property
    def rules(self) -> tuple[AlertRule, ...]:
        """Those that are expected."""
        values = (self.no_records_s, self.low_consistency, self.strong_ratio)
        return tuple(rule for rule, value in zip(AlertRule, values, strict=True) if value is not None)


class PipelineFault(Struct, frozen=True):
    """What a fault does beside striking a process or sink at a time.

    during_startup: a kill is followed by one during the start-up that follows. share: that records of its kind are brought to.
    jump_s: of a clock. lasting: whether the scenario says for how long.
    """

    during_startup: bool = False
    share: float = 0.0
    jump_s: float = 0.0
    lasting: bool = True


class Pipeline(Struct, frozen=True):
    """A group of processes under a supervisor. strong, low_consistency: usual shares of records. faults: by name."""

    processes: tuple[Process, ...]
    sinks: tuple[Sink, ...]
    supervisor: Supervisor
    alerts: Alerts
    resume: bool
    strong: float
    low_consistency: float
    stream_timeout_s: float
    export_every_s: float
    faults: Mapping[str, PipelineFault]

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of all numbered parts: first the processes, then the sinks."""
        return (*(each.name for each in self.processes), *(each.name for each in self.sinks))

    @property
    def reader(self) -> int:
        """The number of the process that reads the source."""
        return next(number for number, each in enumerate(self.processes) if each.reads == SOURCE)

    def process(self, name: str) -> int:
        """The number of a process."""
        return next(number for number, each in enumerate(self.processes) if each.name == name)

    def sink(self, name: str) -> int:
        """The number of a sink, as a part: after all processes."""
        return len(self.processes) + next(number for number, each in enumerate(self.sinks) if each.name == name)

    def passed(self, stream: str) -> Passes:
        """Which of the records that the source sends get into a stream: those that every process on the way passes on."""
        found = Passes.ALL
        seen = {SOURCE}
        while stream not in seen and (writer := self.writer(stream)) is not None:
            seen.add(stream)
            own = self.processes[writer].passes
            found = own if found is Passes.ALL or own is Passes.CONFIRMED else found
            stream = self.processes[writer].reads
        return found

    def writer(self, stream: str) -> int | None:
        """The number of the process that writes a stream; None for the source."""
        return next((number for number, each in enumerate(self.processes) if each.writes == stream), None)

    def way_to(self, stream: str) -> list[int]:
        """The processes that what is in a stream came through, the last one first."""
        way: list[int] = []
        while (writer := self.writer(stream)) is not None and writer not in way:
            way.append(writer)
            stream = self.processes[writer].reads
        return way

    @property
    def places_orders(self) -> tuple[int, ...]:
        """The processes that write a stream which nobody of the pipeline reads and no sink holds: orders to the outside."""
        kept = {each.reads for each in self.processes} | {each.of for each in self.sinks}
        return tuple(number for number, each in enumerate(self.processes) if each.writes and each.writes not in kept)


def pipeline_of(scenario: Scenario) -> Pipeline:
    """The pipeline of a scenario."""
    return scenario.settings(Pipeline)
