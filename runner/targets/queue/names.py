"""Mapping between the plan's numbers and the keys, payloads and worker names of the system under test."""

import json

from soak.schemas.stream.events import KEY_SHIFT, worker_name
from soak.schemas.systems.queue.settings import Queue

__all__ = ["Workers", "key_of", "number_of", "payload_of", "worker_name"]


def key_of(number: int) -> str:
    """The idempotency key of a task."""
    return str(number >> KEY_SHIFT)


def number_of(key: str) -> int:
    """The task number of the first submission of a key."""
    return int(key) << KEY_SHIFT


def payload_of(number: int) -> str:
    """The payload of a task: its number."""
    return json.dumps({"number": number})


class Workers:
    """The numbers of workers by name: the runner's from the start, those of a system as they appear."""

    def __init__(self, queue: Queue) -> None:
        self._numbers = {worker_name(index): index for index in range(queue.workers)}

    def number(self, name: str) -> int:
        """The number of a worker; -1 without a name."""
        return self._numbers.setdefault(name, len(self._numbers)) if name else -1

    def known(self, name: str) -> int:
        """The number of a process that may be no worker; -1 when it is none."""
        return self._numbers.get(name, -1)
