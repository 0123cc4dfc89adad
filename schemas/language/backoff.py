"""Waits between attempts: how they grow, and what jitter makes of them.

Jitter after Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015): with b the wait without it, full is
U(0, b), equal is b/2 + U(0, b/2), decorrelated is min(max, U(initial, 3 * the wait before)), beginning with initial.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from soak.schemas import units

DECORRELATED = "decorrelated"
SHARES = {"none": 0.0, "full": 1.0, "equal": 0.5}
"""Kinds of jitter that take away up to a share of a wait, uniformly."""

GROWTH = 3.0
"""How many times the wait before decorrelated jitter reaches."""


class Backoff(Struct, frozen=True):
    """The wait after attempt n, in seconds: `listed_s[n-1]`, whose last value repeats, or else initial * factor^(n-1) up to max.

    jitter: the share of a wait that is drawn, from 0 to 1; `decorrelated` waits depend on each other instead.
    """

    initial_s: float
    factor: float
    max_s: float
    jitter: float = 0.0
    decorrelated: bool = False
    listed_s: tuple[float, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether a wait depends on chance."""
        return self.decorrelated or self.jitter > 0

    def full_s(self, attempt: int) -> float:
        """The wait after attempt `attempt` (from 1) without jitter."""
        if self.listed_s:
            return self.listed_s[min(attempt, len(self.listed_s)) - 1]
        # A product of factors first: the power of a large attempt overflows before the bound is applied.
        return min(self.max_s, self.initial_s * min(self.factor ** min(attempt - 1, 64), 1e12))

    def least_s(self, attempt: int) -> float:
        """The shortest wait after an attempt that jitter allows."""
        return min(self.initial_s, self.max_s) if self.decorrelated else self.full_s(attempt) * (1 - self.jitter)

    def wait_s(self, attempt: int, uniform: Callable[[int], float]) -> float:
        """The wait after an attempt; `uniform(n)` is the draw from 0 to 1 of attempt n."""
        if not self.decorrelated:
            return self.full_s(attempt) * (1 - self.jitter * uniform(attempt) if self.jitter else 1)
        wait_s = self.initial_s
        for each in range(1, attempt + 1):
            wait_s = min(self.max_s, self.initial_s + (GROWTH * wait_s - self.initial_s) * uniform(each))
        return wait_s


def build_backoff(backoff: Any, jitter: Any) -> Backoff:
    """From checked data, defaults filled in: a list of waits or a mapping, and a kind of jitter or a share."""
    decorrelated = jitter == DECORRELATED
    share = 0.0 if decorrelated else SHARES.get(jitter, -1.0)
    share = units.ratio(jitter) if share < 0 else share
    if isinstance(backoff, Mapping):
        initial_s, max_s = units.duration(backoff["initial"]), units.duration(backoff["max"])
        return Backoff(initial_s, float(backoff["factor"]), max_s, share, decorrelated)
    listed_s = tuple(units.duration(each) for each in backoff)
    return Backoff(listed_s[0], 1.0, max(listed_s), share, decorrelated, listed_s)
