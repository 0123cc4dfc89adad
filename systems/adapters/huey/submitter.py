"""Submits tasks, and counts those that wait, for soak."""

from app import huey, task
from soak import kit


def submit(_key: str, payload: str) -> None:
    """Huey has no keys: every submission is a task."""
    task(payload)


def census() -> dict[str, int]:
    """Tasks that wait. Huey does not know what runs: a task is taken out of the store before it starts."""
    return {"pending": huey.pending_count() + huey.scheduled_count()}


kit.serve(submit=submit, census=census)
