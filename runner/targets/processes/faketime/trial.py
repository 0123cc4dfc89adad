"""How fast a fake clock really is on this machine, in every way that a program may wait."""

import subprocess
import sys
import threading
import time
from pathlib import Path

from msgspec import Struct

from soak.runner.targets.processes.faketime.clock import FakeClock

PROGRAM = Path(__file__).with_name("waits.py")
OFF = 0.1
"""A way is off when it is by more than this share: waking up costs something, the more so the faster the clock."""

REAL_S = 0.5
"""How long each way waits, in real seconds."""

_WITHIN_S = 20.0


class Measured(Struct, frozen=True):
    """A way to wait: how many times as fast as ours it ran, and how much of the time asked for it took by its own clock."""

    way: str
    factor: float
    of_asked: float

    def is_off(self, factor: float) -> bool:
        """Whether it does not run `factor` times as fast, or ended before its time."""
        return abs(self.factor / factor - 1) > OFF or self.of_asked < 1 - 1e-6


def measured(clock: FakeClock, python: str = sys.executable) -> list[Measured]:
    """Each way, by a program of `python` that has this clock; what did not end within 20 s is left out.

    The factor is what a line says has passed for the program, by what passed here until it came.
    """
    seconds = REAL_S * clock.factor
    environment = {"PATH": "/usr/bin:/bin", **clock.environment}
    found: list[Measured] = []
    with subprocess.Popen(
        [python, "-S", str(PROGRAM), f"{seconds:g}"], stdout=subprocess.PIPE, env=environment, text=True
    ) as child:
        assert child.stdout
        ended = threading.Timer(_WITHIN_S, child.kill)
        ended.start()
        began: dict[str, float] = {}
        for line in child.stdout:
            name, _, took = line.rstrip().partition("\t")
            if took:
                found.append(Measured(name, float(took) / (time.monotonic() - began[name]), float(took) / seconds))
            else:
                began[name] = time.monotonic()
        ended.cancel()
    return found
