"""Submits tasks, and counts those that are open, for soak."""

from app import enqueue, queue
from soak import kit


def submit(_key: str, payload: str) -> None:
    """RQ has no keys: every submission is a job."""
    enqueue(payload)


def census() -> dict[str, int]:
    """Jobs by state. Those that are done are not counted: RQ forgets them after 500 s."""
    waiting = queue.count + queue.scheduled_job_registry.get_job_count(cleanup=False)
    return {"pending": waiting, "in_progress": queue.started_job_registry.get_job_count(cleanup=False)}


kit.serve(submit=submit, census=census)
