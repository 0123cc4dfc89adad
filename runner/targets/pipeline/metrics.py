"""What processes count of themselves, read once a stretch: how much each count has grown."""

from concurrent.futures import Future

from soak.runner.targets.context import RunContext
from soak.runner.targets.pipeline.blame import Blame
from soak.runner.targets.pipeline.ledgers import Ledgers
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.group import Group
from soak.runner.targets.processes.identity import ProcessId
from soak.runner.targets.processes.metrics import MetricReader
from soak.schemas.stream.events import Kind
from soak.schemas.systems.pipeline.settings import Pipeline

BACKLOG, DROPPED, MISSED = "backlog", "queue_dropped", "gap_records"
_ONE_BY_ONE = {"reconnects": Kind.STREAM_RECONNECTED, "stream_timeouts": Kind.STREAM_TIMED_OUT}
KNOWN = (BACKLOG, DROPPED, MISSED, *_ONE_BY_ONE)
"""Names of metrics of which something is made; all of them are counts since a process started, but `backlog`."""

_ASKED = {"reconnects": Kind.REPORTED_RECONNECTS, "stream_timeouts": Kind.REPORTED_STREAM_TIMEOUTS}

_MOST_EVENTS = 10_000
_AT_THE_END_S = 1.0


class Metrics:
    """Reads the metrics of all processes in the background, and notes what was read the next time."""

    def __init__(
        self, context: RunContext, pipeline: Pipeline, group: Group, background: Background, ledgers: Ledgers
    ) -> None:
        self._context, self._group, self._background, self._ledgers = context, group, background, ledgers
        self._blame = Blame(context.plan)
        self._number = {each.name: number for number, each in enumerate(pipeline.processes)}
        self._readers = {
            (name, metric): MetricReader(how)
            for name, process in group.processes.items()
            for metric, how in process.metrics.items()
            if metric in KNOWN
        }
        self._asked: dict[tuple[str, str], tuple[ProcessId | None, Future[float | None]]] = {}
        self._last: dict[tuple[str, str], tuple[ProcessId | None, float]] = {}
        self._answered: set[tuple[str, str]] = set()
        self.reconnects = 0

    def ask(self) -> None:
        """Begin to read what is not being read."""
        for key, reader in self._readers.items():
            if key not in self._asked:
                self._asked[key] = self._group.current(key[0]), self._background.submit(reader.read())

    def take(self, t_s: float, *, patiently: bool = False) -> None:
        """Note what has been read since. patiently: wait for what is still being read."""
        for key, (process, future) in list(self._asked.items()):
            if not (future.done() or patiently):
                continue
            del self._asked[key]
            try:
                value = future.result(_AT_THE_END_S)
            except TimeoutError:
                continue
            if value is not None:
                self._tell(t_s, key, process, value)

    def _tell(self, t_s: float, key: tuple[str, str], process: ProcessId | None, value: float) -> None:
        name, metric = key
        number = self._number[name]
        if metric == BACKLOG:
            self._ledgers.say_backlog(number, value)
            return
        before_process, before = self._last.get(key, (process, 0.0))
        # Another process counts from the beginning, and so does one whose count went back.
        grown = value - before if process == before_process and value >= before else value
        self._last[key] = process, value
        if key not in self._answered:
            self._answered.add(key)
            self._note_answer(t_s, metric, number, value)
        if grown <= 0:
            return
        cause = self._blame.at(t_s)
        if metric in _ONE_BY_ONE:
            self.reconnects += metric == "reconnects"
            for _ in range(min(int(grown), _MOST_EVENTS)):
                self._context.note(t_s, _ONE_BY_ONE[metric], worker=number, cause=cause)
        elif metric == DROPPED:
            self._context.note(t_s, Kind.RECORDS_DROPPED, worker=number, cause=cause, value=grown)
            self._ledgers.drop(name, int(grown))
        elif self._ledgers.sees_no_gaps:
            self._ledgers.miss(int(grown))
            self._context.note(t_s, Kind.RECORDS_MISSED, worker=number, cause=cause, value=grown)

    def _note_answer(self, t_s: float, metric: str, number: int, value: float) -> None:
        """It answers for the first time: evidence that it would have said if there was anything."""
        if metric in _ASKED:
            self._context.note(t_s, _ASKED[metric], worker=number, value=value)
        elif metric == DROPPED:
            self._context.note(t_s, Kind.RECORDS_DROPPED, worker=number, value=0.0)
        elif metric == MISSED and self._ledgers.sees_no_gaps:
            self._context.note(t_s, Kind.RECORDS_MISSED, worker=number, value=0.0)

    def begin(self) -> None:
        """What was counted before the run began is not of the run."""
        self.ask()
        for key, (process, future) in self._asked.items():
            try:
                value = future.result(_AT_THE_END_S)
            except TimeoutError:
                continue
            if value is not None:
                self._last[key] = process, value
        self._asked = {}
