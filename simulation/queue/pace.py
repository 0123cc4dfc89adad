"""How fast work may be dispatched from a queue."""

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """Dispatches at most every `every_s`, evenly spaced, `slack_s` earlier at most.

    The generic cell rate algorithm (ITU-T I.371, 2004): in any time t there are at most 1 + (slack_s + t) / every_s.
    """

    every_s: float
    slack_s: float
    _due_s: float = 0.0

    @property
    def opens_s(self) -> float:
        """From when on the next dispatch is allowed."""
        return self._due_s - self.slack_s

    def take(self, now: float) -> None:
        """Something is dispatched."""
        self._due_s = max(self._due_s, now) + self.every_s


def at_once(rate_per_s: float, poll_interval_s: float) -> float:
    """How many may be dispatched after a pause: one, and what the rate allows between two polls.

    What may come a poll interval early does not come late, however polls fall: they do not lower the rate.
    """
    return 1 + rate_per_s * poll_interval_s
