"""Settings of arq's workers with the options, and a function whose body is soak's.

With APP (`module:class`) the settings are one's own; what the options say comes before them.
"""

import os
from importlib import import_module

from arq import Retry, func
from arq.connections import RedisSettings

from soak import kit

SETTINGS = kit.settings()


def own():
    """The class at `module:class`, or an empty one."""
    module, _, name = os.environ["APP"].partition(":")
    return getattr(import_module(module), name) if module else object


async def work(context, payload):
    """An attempt. arq makes again what raises Retry, and what is cancelled; any other exception fails the job."""
    attempt, waits = context["job_try"], SETTINGS["backoff_s"]
    try:
        await kit.attempt_async(payload, attempt=attempt)
    except kit.TransientError as error:
        if attempt >= SETTINGS["max_attempts"]:
            raise
        raise Retry(defer=waits[min(attempt, len(waits)) - 1] if waits else 0) from error


class Workers(own()):
    """What `arq soak_arq.Workers` runs."""

    functions = (
        *getattr(own(), "functions", ()),
        func(work, name="soak", timeout=float(os.environ["JOB_TIMEOUT"]), max_tries=SETTINGS["max_attempts"]),
    )
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    max_jobs = SETTINGS["concurrency"]
