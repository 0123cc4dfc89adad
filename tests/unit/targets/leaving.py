"""Classes that leave processes behind, of every kind that can get away from who started it."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"
if str(EXAMPLES) not in sys.path:
    sys.path.insert(0, str(EXAMPLES))

from memory_queue import MemoryQueue  # noqa: E402
from thread_system import ThreadSystem  # noqa: E402

PIDS = "SOAK_TEST_PIDS"
"""The environment variable that names the file for the process ids."""

SLEEP = ["sleep", "600"]
KEPT: list[subprocess.Popen[bytes]] = []


def start_some() -> None:
    """A child; one in a session of its own without an environment; an orphan; one that is forked and runs nothing else."""
    KEPT.append(subprocess.Popen(SLEEP))
    KEPT.append(subprocess.Popen(SLEEP, env={"PATH": os.environ["PATH"]}, start_new_session=True))
    orphan = subprocess.run(
        ["setsid", "sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"], capture_output=True, check=True, text=True
    )
    forked = os.fork()
    if not forked:
        time.sleep(600)
        os._exit(0)
    pids = [*(each.pid for each in KEPT), int(orphan.stdout), forked]
    whole = Path(f"{os.environ[PIDS]}.part")
    whole.write_text(" ".join(map(str, pids)))
    whole.rename(os.environ[PIDS])


class Leaving(MemoryQueue):
    """Its `close` ends nothing."""

    def __init__(self, settings: object) -> None:
        super().__init__(settings)
        start_some()


class LeavingSystem(ThreadSystem):
    """Its `close` ends nothing."""

    def __init__(self, settings: object) -> None:
        super().__init__(settings)
        start_some()


class RaisesWhenMade(MemoryQueue):
    def __init__(self, settings: object) -> None:
        start_some()
        raise ConnectionError("no server")


class SystemRaisesWhenMade(ThreadSystem):
    def __init__(self, settings: object) -> None:
        start_some()
        raise ConnectionError("no server")


class HangsWhenMade(MemoryQueue):
    def __init__(self, settings: object) -> None:
        start_some()
        threading.Event().wait(600)


class StartsMoreWhileItHangs(MemoryQueue):
    """A supervisor that starts again whatever is ended."""

    def __init__(self, settings: object) -> None:
        while True:
            if not KEPT or all(each.poll() is not None for each in KEPT):
                start_some()
            time.sleep(0.005)


class RaisesLater(Leaving):
    def claim(self, worker: str) -> None:
        raise KeyError("no such row")


class HangsLater(Leaving):
    def claim(self, worker: str) -> None:
        threading.Event().wait(600)
