"""Submits tasks, and counts those that are open, for soak."""

import asyncio
import os

from app import Workers
from arq import create_pool
from arq.connections import ArqRedis
from arq.constants import default_queue_name, in_progress_key_prefix
from soak import kit

loop = asyncio.new_event_loop()
pool: ArqRedis = loop.run_until_complete(create_pool(Workers.redis_settings))
with_keys = os.environ["KEYS"] == "yes"


def submit(key: str, payload: str) -> bool:
    """With a key as its `_job_id`, a job is refused while another with this key is queued, or its result is kept."""
    return loop.run_until_complete(pool.enqueue_job("work", payload, _job_id=key if with_keys else None)) is not None


async def counts() -> dict[str, int]:
    """Jobs by state. Those that are done are not counted: arq forgets them after an hour."""
    running = len([key async for key in pool.scan_iter(f"{in_progress_key_prefix}*", count=1000)])
    return {"pending": await pool.zcard(default_queue_name) - running, "in_progress": running}


kit.serve(submit=submit, census=lambda: loop.run_until_complete(counts()))
