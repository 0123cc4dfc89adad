"""The clock of a real run: scenario time is real time since the start, `speed` times as fast.

The runner uses the monotonic clock, which cannot be set. Other processes use timestamps since the epoch, and that clock
may be set meanwhile: timestamps are converted with the offset of the two clocks when they are read.
"""

import time
from collections.abc import Callable

from soak.schemas.errors import SoakError
from soak.schemas.units import show_duration

_NOISE_S = 0.001
"""The two clocks are read one after the other: a reading must take less than this, and only larger offsets count."""
_READINGS = 5
"""How often they are read at the start; the quickest reading counts."""

_LEAST_STEP_S, _STEP_SCENARIO_S = 0.05, 1.0
"""A step of the machine's clock beyond both limits, in real seconds and in scenario time, ends the run."""


class ClockSetError(SoakError):
    """The machine's clock was set during a run: leases and backoffs of the system depend on it."""


class Clock:
    """One clock for the runner and the system. `started_at`: seconds since the epoch at which scenario time is 0.

    `held_s`: the scenario time at which it is held until `go`.
    """

    def __init__(
        self,
        speed: float,
        started_at: float,
        held_s: float | None = None,
        *,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.speed = speed
        self.held_s = held_s
        self._wall, self._steady = wall, steady
        self._apart_s = min((self._read() for _ in range(_READINGS)), key=lambda each: each[1])[0]
        self._began_s = started_at - self._apart_s
        self._stepped_s = 0.0

    @property
    def started_at(self) -> float:
        """Seconds since the epoch at which scenario time was 0, by the machine's clock as it is set now."""
        return self._began_s + self._apart_s

    def now(self) -> float:
        """Scenario time in seconds."""
        return max(0.0, (self._steady() - self._began_s) * self.speed) if self.held_s is None else self.held_s

    @property
    def began_s(self) -> float:
        """When scenario time was 0, or will be, on the monotonic clock."""
        return self._began_s

    def go(self, *, after_s: float = 0.0) -> None:
        """Start the clock, now or `after_s` real seconds from now, until which scenario time is 0."""
        assert self.held_s is not None
        self._compare()
        self._stepped_s = 0.0
        self._began_s, self.held_s = self._steady() + after_s - self.held_s / self.speed, None

    def scenario(self, at: float) -> float:
        """The scenario time of a time since the epoch that was stamped just now, not before the start."""
        self._compare()
        return max(0.0, (at - self.started_at) * self.speed) if self.held_s is None else self.held_s

    def real(self, scenario_s: float) -> float:
        """Scenario seconds converted to real seconds."""
        return scenario_s / self.speed

    def refuse_step(self) -> None:
        """Raise SoakError if the machine's clock was set meanwhile: leases and the like cannot be judged then."""
        self._compare()
        if abs(self._stepped_s) >= max(_LEAST_STEP_S, _STEP_SCENARIO_S / self.speed):
            way = "set back" if self._stepped_s < 0 else "set forward, or the machine was suspended,"
            by = show_duration(round(abs(self._stepped_s), 3))
            remedy = "do not set the clock during a run, only slew it, and run it again"
            raise ClockSetError(f"the clock of this machine was {way} by {by} during the run ({remedy})")

    def _compare(self) -> None:
        apart_s, took_s = self._read()
        if took_s < _NOISE_S and abs(apart_s - self._apart_s) > 2 * _NOISE_S:
            self._stepped_s += apart_s - self._apart_s
            self._apart_s = apart_s

    def _read(self) -> tuple[float, float]:
        """How far the machine's clock is ahead of the monotonic one, and how long it took to look at both."""
        before_s = self._steady()
        apart_s = self._wall() - before_s
        return apart_s, self._steady() - before_s
