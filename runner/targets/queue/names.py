"""The numbers of workers by the names that a system gives them."""

from soak.schemas.stream.events import worker_name
from soak.schemas.systems.queue.settings import Queue

__all__ = ["Workers", "worker_name"]


class Workers:
    """The numbers of workers by name: the runner's from the start, those of a system as they appear."""

    def __init__(self, queue: Queue, *, named: bool = True) -> None:
        """named: whether they have the names that the runner gives them."""
        self._named = named
        self._numbers = (
            {} if not named else {worker_name(index): index for index in range(queue.fleet.most(queue.workers))}
        )

    def number(self, name: str) -> int:
        """The number of a worker; -1 without a name."""
        return self._numbers.setdefault(name, len(self._numbers)) if name else -1

    def name(self, number: int) -> str:
        """The name of a worker; empty for one that has not shown itself yet."""
        names = (name for name, known in self._numbers.items() if known == number)
        return next(names, worker_name(number) if self._named else "")

    def known(self, name: str) -> int:
        """The number of a process that may be no worker; -1 when it is none."""
        return self._numbers.get(name, -1)
