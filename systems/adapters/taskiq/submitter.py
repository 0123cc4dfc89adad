"""Sends a message for each submission, whatever its key: taskiq has none."""

import asyncio

from soak_taskiq import broker, work

from soak import kit


async def submit(_key, payload):
    """Every submission is a message."""
    await work.kiq(payload)


async def main():
    """Serve until soak has no more questions."""
    await broker.startup()
    await kit.serve_async(submit=submit)


asyncio.run(main())
