"""A dependency as a process: `python -m soak.systems.calls.dependency SETTINGS`, with the settings as JSON. SIGTERM ends it
when the calls in flight have ended.
"""

import asyncio
import signal
import sys

from soak.systems.calls.server import Server
from soak.systems.calls.settings import Settings, read_settings

_LOOK_EVERY_S = 0.01


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = await Server(settings).start()
    await ended.wait()
    server.close()
    # Calls in flight are finished; the parent kills this process if one never ends.
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(_LOOK_EVERY_S)


if __name__ == "__main__":
    asyncio.run(serve(read_settings(sys.argv[1])))
