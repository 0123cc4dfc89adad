"""Submits tasks for soak."""

import asyncio

from app import broker, work
from soak import kit

loop = asyncio.new_event_loop()
loop.run_until_complete(broker.startup())


def submit(_key: str, payload: str) -> None:
    """taskiq has no keys: every submission is a message."""
    loop.run_until_complete(work.kiq(payload))


kit.serve(submit=submit)
