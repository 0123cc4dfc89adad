"""How fast work may be dispatched from a queue."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """At most `rate_per_s` dispatches a second, evenly spaced; up to `at_once` at a time after a pause.

    The generic cell rate algorithm (ITU-T I.371, 2004): in any time t there are at most `at_once` + rate * t.
    """

    every_s: float
    slack_s: float
    _due_s: float = 0.0

    @classmethod
    def of(cls, rate_per_s: float, at_once: int) -> "Pace":
        """The pace of a rate."""
        return cls(1 / rate_per_s, (at_once - 1) / rate_per_s)

    @property
    def opens_s(self) -> float:
        """From when on the next dispatch is allowed."""
        return self._due_s - self.slack_s

    def take(self, now: float) -> None:
        """Something is dispatched."""
        self._due_s = max(self._due_s, now) + self.every_s


def at_once(rate_per_s: float, poll_interval_s: float) -> int:
    """How many may be dispatched at a time: as many as the rate allows between two polls, so that polls do not lower it."""
    return max(1, int(rate_per_s * poll_interval_s + 1e-9))
