"""The numbers of workers by the names that a system gives them."""

from soak.schemas.stream.events import worker_name
from soak.schemas.systems.queue.settings import Queue

__all__ = ["Workers", "worker_name"]


class Workers:
    """The numbers of workers by name: the runner's from the start, those of a system as they appear."""

    def __init__(self, queue: Queue) -> None:
        self._numbers = {worker_name(index): index for index in range(queue.fleet.most(queue.workers))}

    def number(self, name: str) -> int:
        """The number of a worker; -1 without a name."""
        return self._numbers.setdefault(name, len(self._numbers)) if name else -1

    def known(self, name: str) -> int:
        """The number of a process that may be no worker; -1 when it is none."""
        return self._numbers.get(name, -1)
