"""`for:` and `keep_firing_for:`: when a condition has held for long enough, and when it no longer counts as holding."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from soak.schemas.stream.block import tick


class Transition(NamedTuple):
    """From `t_s` on the condition holds, or does not; `value` is the SLI at that time (NaN when it is not known)."""

    t_s: float
    holds: bool
    value: float


@dataclass(slots=True)
class Firing:
    """A condition that held for long enough: when it fired and with which value, and when it resolved (None: not yet)."""

    fired_s: float
    value: float
    resolved_s: float | None = None


class Timer:
    """`for:` and `keep_firing_for:`: from changes to firings."""

    def __init__(self, for_s: float, keep_firing_for_s: float = 0.0) -> None:
        self._for_s = for_s
        self._keep_s = keep_firing_for_s
        self._holds = False
        self._since_s = 0.0
        self._value = math.nan
        self.firings: list[Firing] = []

    @property
    def firing(self) -> bool:
        """Whether it fires now."""
        return bool(self.firings) and self.firings[-1].resolved_s is None

    def feed(self, changes: list[Transition], until_s: float) -> None:
        """Process changes up to `until_s`."""
        for change in changes:
            if change.t_s > until_s:
                break
            # Changes at an instant are applied before what is due then.
            self._pass_time(math.nextafter(change.t_s, -math.inf))
            if change.holds != self._holds:
                self._holds, self._since_s, self._value = change.holds, change.t_s, change.value
        self._pass_time(until_s)

    def _pass_time(self, t_s: float) -> None:
        fires_s, resolves_s = tick(self._since_s + self._for_s), tick(self._since_s + self._keep_s)
        if self._holds and not self.firing and fires_s <= t_s:
            self.firings.append(Firing(fires_s, self._value))
        elif not self._holds and self.firing and resolves_s <= t_s:
            self.firings[-1].resolved_s = resolves_s

    def forget_after(self, t_s: float) -> None:
        """Drop what happened after `t_s`: the run ended there."""
        self.firings = [firing for firing in self.firings if firing.fired_s <= t_s]
