"""A program under the fake clock whose waits are measured while a run goes on: what a busy machine does to them."""

import os
import selectors
import subprocess
import sys
from pathlib import Path

from msgspec import Struct

from soak.runner.targets.processes.faketime.clock import FakeClock
from soak.schemas.units import show_duration

PROGRAM = Path(__file__).with_name("beat.py")
EVERY_REAL_S = 1.0
OFF = 0.01
"""The clock is off when waits take longer than they should by more than this share."""

BUSY = 0.9
"""Share of the processors' time from which on the machine, not the clock, says how long work takes."""

_LEAST = 5
"""Of fewer waits nothing is said."""


class Beats(Struct, frozen=True):
    """Waits of a run: how many, the mean and the longest by the fake clock, as shares of what was asked for; busy: see `BUSY`."""

    count: int
    mean: float
    longest: float
    seconds: float
    busy: float

    def doubts(self, factor: float) -> list[str]:
        """What of a run is not `factor` times as fast."""
        found = []
        if self.count >= _LEAST and self.mean - 1 > OFF:
            late = show_duration(round((self.mean - 1) * self.seconds, 3))
            found.append(
                f"waits of {self.seconds:g} s by the clock x{factor:g} were {late} late on average (lower clock: faketime)"
            )
        if self.busy > BUSY:
            found.append(
                f"the processors were busy for {self.busy:.0%} of the time: what computes is not {factor:g} times as fast"
                " (lower clock: faketime, or the load)"
            )
        return found

    def words(self, factor: float) -> str:
        """One line: what was measured."""
        late_s = (self.longest - 1) * self.seconds
        late = (
            f"{(self.mean - 1):.2%} late on average, {show_duration(round(late_s, 2))} at most by the programs' clock"
        )
        return f"clock x{factor:g}: {self.count} waits, {late}; processors {self.busy:.0%} busy"


class Pulse:
    """Measures from its start until `close`; its output is read by the selector that drives the run, and never waited for."""

    def __init__(self, clock: FakeClock, selector: selectors.BaseSelector) -> None:
        self._seconds = EVERY_REAL_S * clock.factor
        self._child = subprocess.Popen(
            [sys.executable, "-S", str(PROGRAM), f"{self._seconds:g}"],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", **clock.environment},
        )
        assert self._child.stdout
        os.set_blocking(self._child.stdout.fileno(), False)
        self._selector, self._rest = selector, b""
        selector.register(self._child.stdout, selectors.EVENT_READ, self._read)
        self._count, self._total, self._longest = 0, 0.0, 0.0
        self._asked = 0, 0.0
        """Count and total when `pace` was asked last."""
        self._began = _ticks()

    def _read(self) -> None:
        assert self._child.stdout
        data = os.read(self._child.stdout.fileno(), 65536)
        if not data:
            self._selector.unregister(self._child.stdout)
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            share = float(line) / self._seconds
            self._count, self._total, self._longest = self._count + 1, self._total + share, max(self._longest, share)

    def beats(self) -> Beats:
        """What was measured so far."""
        busy, all_of_it = (after - before for after, before in zip(_ticks(), self._began, strict=True))
        mean = self._total / self._count if self._count else 1.0
        return Beats(self._count, mean, max(1.0, self._longest), self._seconds, busy / all_of_it if all_of_it else 0.0)

    def pace(self) -> float | None:
        """How many times as fast as ours waits ended since it was asked last; None if none did."""
        count, total = self._count - self._asked[0], self._total - self._asked[1]
        self._asked = self._count, self._total
        return self._seconds / EVERY_REAL_S / (total / count) if count else None

    def close(self) -> None:
        """End it."""
        assert self._child.stdout
        if self._child.stdout in {key.fileobj for key in self._selector.get_map().values()}:
            self._selector.unregister(self._child.stdout)
        self._child.kill()
        self._child.wait()
        self._child.stdout.close()


def _ticks() -> tuple[int, int]:
    """Of all processors since the machine started: busy, and all.

    Fields of /proc/stat (proc(5)): user nice system idle iowait irq softirq steal.
    """
    fields = [int(each) for each in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)
