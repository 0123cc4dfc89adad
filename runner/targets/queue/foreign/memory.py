"""How much memory the broker of a task system takes up, as samples."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

import psutil

from soak.runner.targets.context import RunContext
from soak.schemas.stream.events import Kind

BROKER = "broker"
"""The role of a service that keeps the queue."""


def note_service_memory(context: RunContext, t_s: float, rss_bytes: float) -> None:
    """Note the resident memory of all services with the role `broker`, at a time of the run."""
    context.note(t_s, Kind.SAMPLE_BROKER_RSS, value=rss_bytes)


class BrokerMemory:
    """Samples the processes of the services `names` and all that they started.

    pids: of all services, by name; of what a service started, by `name/pid`. A broker that is down has no sample.
    """

    def __init__(self, context: RunContext, names: Collection[str], pids: Callable[[], Mapping[str, int]]) -> None:
        self._context, self._names, self._pids = context, frozenset(names), pids

    def start(self, interval_s: float) -> None:
        """Put the samples on the agenda; interval_s: in scenario time."""
        if self._names:
            self._context.every(interval_s, self.sample)

    def sample(self) -> None:
        """Record one sample."""
        sizes = []
        for name, pid in self._pids().items():
            if name.partition("/")[0] in self._names:
                with suppress(psutil.Error):
                    sizes.append(psutil.Process(pid).memory_info().rss)
        if sizes:
            note_service_memory(self._context, self._context.now(), sum(sizes))
