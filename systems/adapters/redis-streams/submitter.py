"""Adds an entry to the stream for each submission, whatever its key: a stream has none."""

from app import GROUP, STREAM, declare, redis

from soak import kit


def submit(_key, payload):
    """Every submission is an entry."""
    redis.xadd(STREAM, {"attempt": 1, "payload": payload})


def census():
    """Entries that no consumer has read, and those that are not acknowledged."""
    with redis.pipeline(transaction=True) as pipe:
        known, working = pipe.xlen(STREAM).xpending(STREAM, GROUP).execute()
    return {"pending": known - working["pending"], "in_progress": working["pending"]}


declare()
kit.serve(submit=submit, census=census)
