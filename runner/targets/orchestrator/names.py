"""How the plan's numbers are written in the system under test."""

import json

from schemas.events import COPY, KEY_SHIFT


def key_of(number: int) -> str:
    """The idempotency key of a task."""
    return str(number >> KEY_SHIFT)


def duplicate_of(key: str) -> int:
    """The task number of a second submission of a key."""
    return int(key) << KEY_SHIFT | COPY


def payload_of(number: int) -> str:
    """What the body of a task has to know: its number."""
    return json.dumps({"number": number})


def worker_name(index: int) -> str:
    """The name of a worker process."""
    return f"w{index}"


def process_index(name: str) -> int:
    """The index of a worker by the name of its process; -1 for another process."""
    return int(name[1:]) if name[1:].isdigit() else -1


def worker_index(name: str | None) -> int:
    """The index of a worker process by its name; -1 without one."""
    return int(name[1:]) if name else -1
