"""What a service reports of itself, read at each sample: requests that it works on, rows that wait in its outbox."""

from collections.abc import Mapping
from concurrent.futures import Future

from soak.runner.targets.context import RunContext
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.metrics import MetricReader
from soak.schemas.stream.events import Kind
from soak.schemas.target.model import Metric

_KINDS = {"in_service": Kind.SAMPLE_IN_SERVICE, "outbox": Kind.SAMPLE_OUTBOX}
KNOWN = tuple(_KINDS)
"""Names of metrics of which something is made."""


class Metrics:
    """Reads them in the background; a value is noted when it was read. One that is not there is not noted."""

    def __init__(self, context: RunContext, background: Background, metrics: Mapping[str, Metric]) -> None:
        self._context, self._background = context, background
        self._readers = {name: MetricReader(how) for name, how in metrics.items() if name in _KINDS}
        self._asked: dict[str, Future[float | None]] = {}

    def start(self) -> None:
        """Put the samples on the agenda."""
        if self._readers:
            self._context.every(self._context.plan.scenario.telemetry.sample_interval_s, self.ask)

    def ask(self) -> None:
        """Begin to read what is not being read."""
        self.take()
        for name, reader in self._readers.items():
            if name not in self._asked:
                self._asked[name] = self._background.submit(reader.read())

    def take(self) -> None:
        """Note what was read since."""
        for name, future in list(self._asked.items()):
            if future.done():
                del self._asked[name]
                if (value := future.result()) is not None and value >= 0:
                    self._context.note(self._context.now(), _KINDS[name], value=value)
