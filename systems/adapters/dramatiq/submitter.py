"""Submits tasks, and counts those that are open, for soak."""

from app import broker, task
from soak import kit


def submit(_key: str, payload: str) -> None:
    """Dramatiq has no keys: every submission is a message."""
    task.send(payload)


def census() -> dict[str, int]:
    """Messages that are not acknowledged yet: those that wait and those that are at a worker."""
    queue = f"{broker.namespace}:{task.queue_name}"
    waiting = broker.client.llen(queue) + broker.client.hlen(f"{queue}.DQ.msgs")
    return {"pending": waiting, "in_progress": broker.client.hlen(f"{queue}.msgs") - broker.client.llen(queue)}


kit.serve(submit=submit, census=census)
