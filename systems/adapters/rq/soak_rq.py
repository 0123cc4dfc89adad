"""An RQ queue with the settings of the options, and a function whose body is soak's.

With APP (`module:name`) the queue is one's own, with TASK the function.
"""

import math
import os
from importlib import import_module

from redis import Redis
from rq import Queue, Retry, get_current_job

from soak import kit

SETTINGS = kit.settings()
RETRIES = SETTINGS["max_attempts"] - 1
SCHEDULED = "--with-scheduler" in os.environ["WORKER_OPTIONS"]
"""Whether retries can wait: without a scheduler, nobody would ever take up one that waits."""


def named(place):
    """The object at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def work(payload):
    """An attempt. RQ has no exception for errors that stay, so a job gives up the retries that it has left."""
    try:
        kit.attempt(payload)
    except kit.PermanentError:
        get_current_job().retries_left = 0
        raise


def retry():
    """As many retries as the scenario has attempts, or none."""
    waits = [math.ceil(each) for each in SETTINGS["backoff_s"]] if SCHEDULED else []
    return Retry(RETRIES, interval=waits or 0) if RETRIES else None


queue = (
    named(os.environ["APP"])
    if os.environ["APP"]
    else Queue(os.environ["QUEUE"], Redis.from_url(os.environ["REDIS_URL"]))
)
task = named(os.environ["TASK"]) if os.environ["TASK"] else work
