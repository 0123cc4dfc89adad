"""The clock of a real run: scenario time is real time since the start, `speed` times as fast."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`started_at`: seconds since the epoch at which scenario time is 0. One clock for the runner and the system."""

    speed: float
    started_at: float

    def now(self) -> float:
        """Scenario time in seconds."""
        return self.scenario(time.time())

    def scenario(self, at: float) -> float:
        """The scenario time of a time since the epoch, not before the start."""
        return max(0.0, (at - self.started_at) * self.speed)

    def real(self, scenario_s: float) -> float:
        """How many real seconds so many seconds of scenario time take."""
        return scenario_s / self.speed
