"""Workers on a Redis stream with a consumer group, as many write them: read, work, acknowledge, and claim what is idle."""

import os
import sys
from contextlib import suppress

from redis import Redis, ResponseError

from soak import kit

SETTINGS = kit.settings()
STREAM, GROUP = "tasks", "workers"
redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


def declare():
    """The group, from the beginning of the stream."""
    with suppress(ResponseError):  # it is there already
        redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)


def work(entry, attempt, payload):
    """An attempt; a transient error puts the task at the end of the stream again."""
    again = False
    try:
        kit.attempt(payload, attempt=attempt)
    except kit.TransientError:
        again = attempt < SETTINGS["max_attempts"]
    except kit.PermanentError:
        pass
    with redis.pipeline(transaction=True) as pipe:
        if again:
            pipe.xadd(STREAM, {"attempt": attempt + 1, "payload": payload})
        pipe.xack(STREAM, GROUP, entry)
        pipe.xdel(STREAM, entry)
        pipe.execute()


def take(consumer, idle_ms):
    """An entry that has been idle for too long, or a new one, or none within half a second."""
    _, found, *_ = redis.xautoclaim(STREAM, GROUP, consumer, min_idle_time=idle_ms, count=1)
    if not found:
        found = [
            each
            for _, entries in redis.xreadgroup(GROUP, consumer, {STREAM: ">"}, count=1, block=500)
            for each in entries
        ]
    return found


if __name__ == "__main__":
    declare()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        for entry, task in take(sys.argv[1], int(float(os.environ["IDLE"]) * 1000)):
            work(entry, int(task["attempt"]), task["payload"])
