"""The clock of a real run: scenario time is real time since the start, `speed` times as fast."""

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Clock:
    """`started_at`: seconds since the epoch at which scenario time is 0. One clock for the runner and the system.

    `held_s`: the scenario time at which it is held until `go`.
    """

    speed: float
    started_at: float
    held_s: float | None = None

    def now(self) -> float:
        """Scenario time in seconds."""
        return self.scenario(time.time()) if self.held_s is None else self.held_s

    def go(self) -> None:
        """Let time pass from where it is held."""
        assert self.held_s is not None
        self.started_at, self.held_s = time.time() - self.held_s / self.speed, None

    def scenario(self, at: float) -> float:
        """The scenario time of a time since the epoch, not before the start."""
        return max(0.0, (at - self.started_at) * self.speed)

    def real(self, scenario_s: float) -> float:
        """How many real seconds so many seconds of scenario time take."""
        return scenario_s / self.speed
