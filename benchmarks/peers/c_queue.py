"""The queue as a loop in C of our own (queue.c): the lower bound. It is compiled here with the machine's `cc`."""

import ctypes
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from queue_model import (
    BACKOFF_S,
    BLOCKED,
    BURST_PER_S,
    BURST_S,
    BUSY_TIMEOUT_S,
    DB_LOCK,
    RATE_PER_S,
    SERVICE_MU,
    SERVICE_SIGMA,
    TRANSIENT,
    Setting,
    Tally,
    main,
)

SOURCE = Path(__file__).with_name("queue.c")


@cache
def library() -> ctypes.CDLL:
    """The compiled loop."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "queue.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", path, SOURCE, "-lm"], check=True)
        return ctypes.CDLL(str(path))


def run(setting: Setting) -> Tally:
    """Simulate it."""
    given = (
        *(setting.seed, setting.until_s, setting.drain_s, setting.times, setting.plain, setting.workers),
        *(SERVICE_MU, SERVICE_SIGMA, RATE_PER_S, BURST_PER_S, BURST_S, *BACKOFF_S, BUSY_TIMEOUT_S),
        *(TRANSIENT, DB_LOCK, BLOCKED),
    )
    told = (ctypes.c_double * 5)()
    library().simulate((ctypes.c_double * len(given))(*given), told)
    return Tally(*(int(count) for count in told[:4]), latency_s=told[4])


if __name__ == "__main__":
    compiler = subprocess.run(["cc", "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    library()
    main("C loop", "", run, note=f"{compiler}, -O2")
