"""A Huey on Redis with its default settings, and a task whose body is soak's.

With APP (`module:name`) the Huey is one's own, with TASK the task.
"""

import os
from importlib import import_module

from huey import CancelExecution, RedisHuey

from soak import kit

SETTINGS = kit.settings()
RETRIES = int(os.environ["RETRIES"] or SETTINGS["max_attempts"] - 1)


def named(place):
    """The object at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


huey = named(os.environ["APP"]) if os.environ["APP"] else RedisHuey("soak", url=os.environ["REDIS_URL"])


@huey.task(retries=RETRIES, context=True)
def work(payload, task):
    """An attempt. Huey retries whatever a task raises, except for CancelExecution."""
    waits = SETTINGS["backoff_s"]
    task.retry_delay = waits[min(RETRIES - task.retries, len(waits) - 1)] if waits else 0
    try:
        kit.attempt(payload, attempt=RETRIES - task.retries + 1)
    except kit.PermanentError as error:
        raise CancelExecution(retry=False) from error


task = named(os.environ["TASK"]) if os.environ["TASK"] else work
