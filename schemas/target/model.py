"""A target file as typed data. Texts are templates (`templates.py`) until `expand` has replaced the names in them.

All durations are in real seconds, whatever the speed of a run; None stands for what the scenario, or the code that uses it, says.
What records need (source, streams, sinks) is apart from what any group of programs needs.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct, field

from soak.schemas.language.document import Data
from soak.schemas.target.promise import Promise as Promise  # noqa: PLC0414 - part of a target file


class ProbeKind(StrEnum):
    """How a program is probed, by its word in a target file."""

    HTTP = "http"
    TCP = "tcp"
    EXEC = "exec"
    FILE = "file"
    LOG = "log"
    NOTIFY = "notify"


class Killed(StrEnum):
    """What SIGKILL of a process strikes."""

    PROCESS = "process"
    GROUP = "group"
    TREE = "tree"


class TimeFormat(StrEnum):
    """How a ledger writes a time: a number since the epoch in a unit, or ISO 8601."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    NANOSECONDS = "ns"
    ISO = "iso"


class Probe(Struct, frozen=True):
    """One way to probe a program; `what`: URL, address, command line, path or pattern, empty for `notify`.

    status: accepted codes, empty: 200 to 299. contains: in the answer or the output. fresh_s: maximum age of the file, or of
    the last WATCHDOG=1. timeout_s: of one probe. within_s: from the start until ready (probes of readiness only).
    """

    kind: ProbeKind
    what: str
    timeout_s: float
    status: tuple[int, ...] = ()
    contains: str | None = None
    fresh_s: float | None = None
    within_s: float | None = None


class Stop(Struct, frozen=True):
    """How a program is stopped: by `signal` (`TERM`), or by the command line `command`."""

    signal: str = "TERM"
    command: str | None = None
    grace_s: float | None = None


class Kill(Struct, frozen=True):
    """How a process is killed: SIGKILL to what `of` says, or the command line `command`."""

    of: Killed = Killed.PROCESS
    command: str | None = None


class Find(Struct, frozen=True):
    """How a process is found by those who are not its parent: one of the three is set. `command_line`: a regular expression."""

    pid_file: str | None = None
    command_line: str | None = None
    port: str | None = None


class Metric(Struct, frozen=True):
    """Where a number that a process reports is read: exactly one of `prometheus`, `json` and `log` is set.

    prometheus, json: a URL or a path. labels: what a sample must have. at: keys and indices with dots in between. pattern: with
    one group; total: whether its matches are added up, instead of the last one taken.
    """

    prometheus: str | None = None
    name: str = ""
    labels: Mapping[str, str] | None = None
    json: str | None = None
    at: str = ""
    log: str | None = None
    pattern: str = ""
    total: bool = False
    timeout_s: float = 2.0


class Action(Struct, frozen=True):
    """A request to `url`, or the command line `command`."""

    url: str | None = None
    method: str = "POST"
    body: str = ""
    command: str | None = None
    timeout_s: float = 10.0


class Program(Struct, frozen=True):
    """What is started from a command line; its output is appended to `<name>.log`. after: names of what must be ready before.

    outage: of a service, the type of the fault that takes it down, and `kill` how. role: what it is to the system, such as
    `broker` or `database`, by which faults of services call it, too.
    """

    name: str
    command: str
    directory: str
    environment: Mapping[str, str]
    after: tuple[str, ...]
    ready: Probe | None
    stop: Stop
    outage: str | None = None
    kill: Kill = Kill()
    role: str | None = None


class Supervisor(Struct, frozen=True):
    """Theirs: it starts the processes. says: files in which it reports what it does, by what they are about."""

    program: Program
    says: Mapping[str, str]
    gives_up: "LogLine | None" = None


class LogLine(Struct, frozen=True):
    """A line of a text file: a regular expression with one group."""

    log: str
    pattern: str


class Process(Struct, frozen=True):
    """A process of the system. program: None where their supervisor starts it; find: None where soak is its parent.

    log: the file to which its log is appended.
    """

    name: str
    program: Program | None
    find: Find | None
    ready: Probe | None
    live: Probe | None
    stop: Stop
    kill: Kill
    port: str | None
    metrics: Mapping[str, Metric]
    log: str | None = None


class WrittenFile(Struct, frozen=True):
    """A file that is written before anything is started."""

    path: str
    text: str
    executable: bool


class FaultActions(Struct, frozen=True):
    """What brings a fault about, and what ends it (None: it ends by itself), or the SQLite database that is locked meanwhile."""

    begin: Action | None
    end: Action | None
    sqlite: str | None = None


class Source(Struct, frozen=True):
    """What sends the records. go: None, where the run begins as soon as everything is ready."""

    program: Program
    go: Action | None
    disconnect: Action | None


class Ledger(Struct, frozen=True):
    """Records that a program writes: `jsonl`, or `sqlite` with `query`. Other fields name what a line or row holds.

    first, last: of consecutive keys that a line stands for. time: how `at` and `sent` are written.
    """

    jsonl: str | None
    sqlite: str | None
    query: str
    key: str
    first: str | None
    last: str | None
    at: str | None
    sent: str | None
    kind: str | None
    strong: str | None
    confirm: str | None
    low_consistency: str | None
    time: TimeFormat


class Promises(Struct, frozen=True):
    """All that a system promises. redelivery_s: within which time of its own clock work of a dead worker is started again."""

    made: frozenset[Promise] = frozenset()
    redelivery_s: float | None = None

    def __contains__(self, promise: Promise) -> bool:
        return promise in self.made


class Workers(Struct, frozen=True):
    """The worker processes of a task system: `count` of `program` (None: as many as the scenario has), each with its own name.

    In its texts the names `{name}` and `{port}`, which are of one worker, stay until it is started. concurrency: tasks that each
    executes at a time. restarts: whether soak starts one again that has ended (otherwise the system, or nobody, does).
    """

    program: Program
    count: int | None = None
    concurrency: int = 1
    restarts: bool = True
    kill: Kill = Kill(Killed.TREE)


class Spoken(Struct, frozen=True):
    """How a program is asked: by `command`, once for each question, or by `process`, which lives and speaks JSON lines."""

    command: str | None = None
    process: str | None = None
    directory: str = "{here}"
    timeout_s: float = 30.0
    at_a_time: int = 4
    """Of commands: how many may run at the same time."""


class Option(Struct, frozen=True):
    """Something that a user may say differently: `{option.NAME}`. default: None, where it must be said. choices: empty: any."""

    name: str
    default: str | None
    description: str = ""
    choices: tuple[str, ...] = ()


class Proxy(Struct, frozen=True):
    """A TCP proxy of soak's in front of an address, so that the network can be cut: `{proxy.NAME}` is its port."""

    name: str
    to: str


class Needs(Struct, frozen=True):
    """Python modules that the interpreter `python` must have. env: the environment that has them (None: the target's name)."""

    modules: tuple[str, ...]
    python: str
    env: str | None = None


class TargetFile(Struct, frozen=True):
    """A whole target file, checked. system: None where the file does not name one.

    conventions: what of a scenario is otherwise with this target, as plain data. url, ready, metrics: of a service that requests
    are sent to. workers, submit, census, promises: of a task system; census is True where the submit process answers for it, and
    account where that is the whole system. faketime: how many times as fast the clock of all programs runs (None: as ours). tcp:
    whether the protocol is spoken over TCP, for programs in containers or on other hosts. needs: what must be installed.
    """

    name: str
    title: str
    system: str | None
    environment: Mapping[str, str]
    ports: tuple[str, ...]
    files: tuple[WrittenFile, ...]
    services: tuple[Program, ...]
    supervisor: Supervisor | None
    processes: tuple[Process, ...]
    faults: Mapping[str, FaultActions]
    conventions: Mapping[str, Data]
    source: Source | None
    streams: Mapping[str, Ledger]
    sinks: Mapping[str, Ledger]
    url: str | None = None
    ready: Probe | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    workers: Workers | None = None
    submit: Spoken | None = None
    census: Spoken | bool | None = None
    account: bool = False
    promises: Promises | None = None
    options: Mapping[str, Option] = field(default_factory=dict)
    proxies: tuple[Proxy, ...] = ()
    faketime: float | None = None
    tcp: bool = False
    needs: Needs | None = None

    def process(self, name: str) -> Process:
        """The process of a name. Raises KeyError."""
        return {each.name: each for each in self.processes}[name]

    @property
    def programs(self) -> tuple[Program, ...]:
        """All that soak starts, each after those that are always started before it."""
        before = (*self.services, *([self.source.program] if self.source else ()))
        theirs = [self.supervisor.program] if self.supervisor else []
        return (*before, *theirs, *(each.program for each in self.processes if each.program))
