"""A taskiq broker on a Redis stream (or a list: `BROKER=list`), and the task that soak plans."""

import os

from soak import kit
from taskiq import SimpleRetryMiddleware
from taskiq_redis import ListQueueBroker, RedisStreamBroker
from taskiq_redis.redis_broker import BaseRedisBroker

settings = kit.settings()


def made() -> BaseRedisBroker:
    """The broker that the target file asks for."""
    if os.environ["BROKER"] == "list":
        return ListQueueBroker(os.environ["REDIS_URL"])
    return RedisStreamBroker(os.environ["REDIS_URL"], idle_timeout=int(float(os.environ["IDLE_S"]) * 1000), xread_count=int(os.environ["XREAD_COUNT"]))


broker = made().with_middlewares(
    SimpleRetryMiddleware(default_retry_count=settings["max_attempts"], types_of_exceptions=(kit.TransientError,))
)


@broker.task(retry_on_error=True)
def work(payload: str) -> None:
    """One attempt. The middleware makes again what raises TransientError, at once."""
    kit.attempt(payload)
