"""A Huey on Redis, and the task that soak plans. `APP` and `TASK` name an instance and a task of your own instead."""

import os
from importlib import import_module
from typing import Any

from huey import CancelExecution, RedisHuey
from soak import kit


def named(place: str) -> Any:
    """The object at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


settings = kit.settings()
huey = named(os.environ["APP"]) if os.environ.get("APP") else RedisHuey("soak", url=os.environ["REDIS_URL"], results=False)


@huey.task(retries=settings["max_attempts"] - 1, retry_delay=settings["backoff_s"][0] if settings["backoff_s"] else 0)
def work(payload: str) -> None:
    """One attempt. Huey retries whatever a task raises, except for CancelExecution."""
    try:
        kit.attempt(payload)
    except kit.PermanentError as error:
        raise CancelExecution(retry=False) from error


task = named(os.environ["TASK"]) if os.environ.get("TASK") else work
