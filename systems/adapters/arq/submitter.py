"""Enqueues a job for each submission, by default with its key as job id, which is taken while a job or its result is there."""

import asyncio
import os

from arq import create_pool
from arq.constants import default_queue_name, in_progress_key_prefix
from soak_arq import Workers

from soak import kit

QUEUE = getattr(Workers, "queue_name", default_queue_name)
KEYS = os.environ["KEYS"] == "yes"


async def main():
    """Serve until soak has no more questions."""
    pool = await create_pool(Workers.redis_settings)

    async def submit(key, payload):
        """False: a job with this id waits or runs, or was done less than an hour ago."""
        job = await pool.enqueue_job("soak", payload, _job_id=key if KEYS else None, _queue_name=QUEUE)
        return job is not None

    async def census():
        """Jobs that wait, and those that arq takes for running: of those that are queued, which also the latter are."""
        jobs = [each.decode() for each in await pool.zrange(QUEUE, 0, -1)]
        running = await pool.exists(*(in_progress_key_prefix + each for each in jobs)) if jobs else 0
        return {"pending": len(jobs) - running, "in_progress": running}

    await kit.serve_async(submit=submit, census=census)


asyncio.run(main())
