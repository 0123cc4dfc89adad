"""A taskiq broker on Redis with the settings of the options, and a task whose body is soak's.

With APP (`module:name`) the broker is one's own.
"""

import os
from importlib import import_module

from taskiq import SimpleRetryMiddleware
from taskiq_redis import ListQueueBroker, RedisStreamBroker

from soak import kit

SETTINGS = kit.settings()
URL = os.environ["REDIS_URL"]


def made():
    """One's own broker, or one with the settings of the options."""
    if own := os.environ["APP"]:
        module, _, name = own.partition(":")
        return getattr(import_module(module), name)
    if os.environ["BROKER"] == "list":
        return ListQueueBroker(URL)
    return RedisStreamBroker(URL, idle_timeout=int(float(os.environ["IDLE_TIMEOUT"]) * 1000))


broker = made().with_middlewares(
    SimpleRetryMiddleware(SETTINGS["max_attempts"], types_of_exceptions=(kit.TransientError,))
)


@broker.task("soak", retry_on_error=True)
async def work(payload):
    """An attempt. The middleware makes again what raises a TransientError, at once."""
    await kit.attempt_async(payload)
