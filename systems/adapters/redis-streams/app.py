"""Workers on a Redis stream with a consumer group, as many write them: read, work, acknowledge, and claim what is idle."""

import os
import sys

from redis import Redis
from soak import kit

STREAM, GROUP = "tasks", "workers"
settings = kit.settings()
redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


def declare() -> None:
    """The group, from the beginning of the stream."""
    if not redis.exists(STREAM) or not any(each["name"] == GROUP for each in redis.xinfo_groups(STREAM)):
        redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)


def work(entry: str, task: dict[str, str]) -> None:
    """One attempt; a transient error puts the task at the end of the stream again."""
    attempt = int(task["attempt"])
    again = False
    try:
        kit.attempt(task["payload"], attempt=attempt)
    except kit.TransientError:
        again = attempt < settings["max_attempts"]
    except kit.PermanentError:
        pass
    with redis.pipeline(transaction=True) as pipe:
        if again:
            pipe.xadd(STREAM, {"payload": task["payload"], "attempt": attempt + 1})
        pipe.xack(STREAM, GROUP, entry)
        pipe.xdel(STREAM, entry)
        pipe.execute()


def run(consumer: str, idle_ms: int) -> None:
    """Work for ever: first what has been idle for too long, then what is new."""
    declare()
    print("ready", flush=True)
    while True:
        _, entries, *_ = redis.xautoclaim(STREAM, GROUP, consumer, min_idle_time=idle_ms, count=1)
        if not entries:
            entries = [each for _, found in redis.xreadgroup(GROUP, consumer, {STREAM: ">"}, count=1, block=500) for each in found]
        for entry, task in entries:
            work(entry, task)


if __name__ == "__main__":
    run(sys.argv[1], int(float(os.environ["IDLE_S"]) * 1000))
