"""What a run of at most half an hour shows over time: not minutes but windows of seconds, from the event stream."""

import numpy as np
from msgspec import Struct

from soak.reports.look.ticks import STEPS_S
from soak.reports.run_page.ended import Ended
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration

LONGEST_S = 1800.0
"""Longer runs are shown by the minute, with what moves over the half hour before each."""
_MOST_WINDOWS = 120
_LEAST_ENDED = 10


class Windows(Struct, frozen=True):
    """Windows of `width_s` seconds that follow one another from 0; the last one may be shorter.

    t_s: their ends. due, done, failed: tasks that were due, and that ended so, in each. quantiles_s: p50, p95 and p99 of the
    latency of those that ended in it, NaN without any (the smallest latency that so large a share does not exceed).
    """

    width_s: float
    t_s: Floats
    due: Floats
    done: Floats
    failed: Floats
    quantiles_s: tuple[Floats, Floats, Floats]

    @property
    def words(self) -> str:
        """Their width, for titles."""
        return f"windows of {show_duration(self.width_s)}"

    @property
    def lengths_s(self) -> Floats:
        """How long each is."""
        return np.diff(self.t_s, prepend=0.0)

    @property
    def success(self) -> Floats:
        """The share of those that ended in each that are DONE; NaN without any."""
        ended = self.done + self.failed
        rate: Floats = np.where(ended > 0, self.done / np.maximum(ended, 1.0), np.nan)
        return rate


def windows_of(ended: Ended, ended_s: float) -> Windows | None:
    """The windows of a run of `ended_s` seconds; None of a longer one, or one in which hardly a task ended."""
    if not 1.0 <= ended_s <= LONGEST_S or len(ended.ended_s) < _LEAST_ENDED:
        return None
    width_s = float(next(step for step in STEPS_S if ended_s / step <= _MOST_WINDOWS))
    count = int(np.ceil(ended_s / width_s))
    edges = width_s * np.arange(count + 1)
    t_s = np.minimum(edges[1:], ended_s)

    def counts(at_s: Floats) -> Floats:
        return np.histogram(at_s, edges)[0].astype(np.float64)

    return Windows(
        width_s,
        t_s,
        counts(ended.all_due_s),
        counts(ended.ended_s[~ended.failed]),
        counts(ended.ended_s[ended.failed]),
        _quantiles(ended, width_s, count),
    )


def _quantiles(ended: Ended, width_s: float, count: int) -> tuple[Floats, Floats, Floats]:
    found = np.full((3, count), np.nan)
    places = np.clip((ended.ended_s / width_s).astype(np.int64), 0, count - 1)
    latency_s = ended.latency_s
    for place in np.unique(places).tolist():
        found[:, place] = np.quantile(latency_s[places == place], (0.5, 0.95, 0.99), method="inverted_cdf")
    return found[0], found[1], found[2]
