"""Submits tasks, and counts those that are open, for soak."""

from app import GROUP, STREAM, declare, redis
from soak import kit


def submit(_key: str, payload: str) -> None:
    """A stream has no keys: every submission is an entry."""
    redis.xadd(STREAM, {"payload": payload, "attempt": 1})


def census() -> dict[str, int]:
    """Entries that are at a worker, and the others."""
    working = redis.xpending(STREAM, GROUP)["pending"]
    return {"pending": redis.xlen(STREAM) - working, "in_progress": working}


declare()
kit.serve(submit=submit, census=census)
