"""arq: the function that soak plans, and the settings of its workers."""

import asyncio
import os
from typing import Any

from arq import Retry, func
from arq.connections import RedisSettings
from soak import kit

settings = kit.settings()
waits_s = settings["backoff_s"] or [0.0]


async def work(context: dict[str, Any], payload: str) -> None:
    """One attempt. arq makes again only what raises Retry, or is cancelled."""
    attempt = context["job_try"]
    try:
        await asyncio.to_thread(kit.attempt, payload, attempt=attempt)
    except kit.TransientError as error:
        if attempt >= settings["max_attempts"]:
            raise
        raise Retry(defer=waits_s[min(attempt, len(waits_s)) - 1]) from error


class Workers:
    """`arq app.Workers`."""

    functions = (func(work, name="work"),)
    redis_settings = RedisSettings.from_dsn(os.environ["REDIS_URL"])
    max_jobs = settings["concurrency"]
    max_tries = max(5, settings["max_attempts"])
    job_timeout = float(os.environ["JOB_TIMEOUT_S"])
