"""When a process that ended is started again: a pure function of times."""

from soak.schemas.systems.pipeline.settings import Restart, RestartWhen


class Restarts:
    """The restarts of one process. total: how many there were."""

    def __init__(self, settings: Restart) -> None:
        self._settings = settings
        self._in_a_row = 0
        self._times_s: list[float] = []
        self.total = 0

    @property
    def wanted(self) -> bool:
        """Whether a process that ended by a signal, or with another status than 0, is started again at all."""
        return self._settings.when is not RestartWhen.NEVER

    def ended(self, now_s: float, healthy_s: float) -> float | None:
        """The wait in seconds before the next restart, after having been healthy for so long; None: there are no more."""
        if healthy_s >= self._settings.reset_after_s:
            self._in_a_row = 0
        self._times_s = [each for each in self._times_s if each > now_s - self._settings.within_s]
        if len(self._times_s) >= self._settings.max_restarts:
            return None
        self._times_s.append(now_s)
        self._in_a_row += 1
        return self._settings.backoff.full_s(self._in_a_row)
