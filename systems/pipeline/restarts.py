"""When a process that has ended is started again: backoff, a limit within a time, and a reset. A pure function of times."""

from dataclasses import dataclass, field

from soak.systems.pipeline.settings import Backoff, Restart


def backoff_s(backoff: Backoff, number: int) -> float:
    """The wait before restart `number` in a row, from 1: initial * factor ** (number - 1), at most max."""
    wait = backoff.initial
    for _ in range(number - 1):
        wait *= backoff.factor
        if wait >= backoff.max:
            break
    return min(wait, backoff.max)


@dataclass
class Restarts:
    """The restarts of one process. Times are of any one clock, in seconds."""

    settings: Restart
    forgets: bool = False
    """The defect: the count is set to 0 after it was raised."""

    total: int = 0
    in_a_row: int = 0
    waits: list[float] = field(default_factory=list)
    _times: list[float] = field(default_factory=list)

    def wanted(self, exit_code: int) -> bool:
        """Whether the policy has a process that ended like this started again."""
        return self.settings.when == "always" or (self.settings.when == "failure" and exit_code != 0)

    def ended(self, now_s: float, healthy_s: float) -> float | None:
        """The wait before the next restart, after having been healthy for that long; None: no more restarts."""
        if healthy_s >= self.settings.reset_after:
            self.in_a_row = 0
        self._times = [each for each in self._times if each > now_s - self.settings.within]
        if len(self._times) >= self.settings.max_restarts:
            return None
        self._times.append(now_s)
        self.total += 1
        self.in_a_row += 1
        wait = backoff_s(self.settings.backoff, self.in_a_row)
        self.waits.append(wait)
        if self.forgets:
            self.total = self.in_a_row = 0
            self._times.clear()
        return wait
