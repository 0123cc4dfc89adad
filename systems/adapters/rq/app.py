"""An RQ queue on Redis, and the task that soak plans. `APP` and `TASK` name a queue and a task of your own instead."""

import os
from importlib import import_module
from math import ceil
from typing import Any

from redis import Redis
from rq import Queue, Retry, get_current_job
from soak import kit


def named(place: str) -> Any:
    """The object at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def work(payload: str) -> None:
    """One attempt. RQ has no exception for errors that stay: the task gives up the retries it has left."""
    try:
        kit.attempt(payload)
    except kit.PermanentError:
        get_current_job().retries_left = 0
        raise


def enqueue(payload: str) -> None:
    """Put a task into the queue, with as many retries as the scenario has attempts."""
    waits = [ceil(each) for each in settings["backoff_s"]] if os.environ["SCHEDULER"] == "--with-scheduler" else [0]
    queue.enqueue(task, payload, retry=Retry(max=settings["max_attempts"] - 1, interval=waits) if settings["max_attempts"] > 1 else None)


settings = kit.settings()
queue = named(os.environ["APP"]) if os.environ.get("APP") else Queue(connection=Redis.from_url(os.environ["REDIS_URL"]))
task = named(os.environ["TASK"]) if os.environ.get("TASK") else work
