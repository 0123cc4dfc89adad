"""Adds an entry to the stream for each submission, whatever its key: a stream has none."""

from app import GROUP, STREAM, declare, redis

from soak import kit


def submit(_key, payload):
    """Every submission is an entry."""
    redis.xadd(STREAM, {"attempt": 1, "payload": payload})


def census():
    """Entries that no consumer has read, and those that are not acknowledged."""
    working = redis.xpending(STREAM, GROUP)["pending"]
    return {"pending": redis.xlen(STREAM) - working, "in_progress": working}


declare()
kit.serve(submit=submit, census=census)
