"""What the machine of a real run adds to times: how late its load generator was, and what its dispatching took.

A figure that differs by no more than that does not speak against the model, and does not speak for it either.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec
import numpy as np
from msgspec import Struct

from soak.runner.parity.figures import Pairs, kolmogorov_smirnov
from soak.schemas.evidence.parity import Agreement, Figure, Latencies
from soak.schemas.language.expression import Unit
from soak.schemas.stream.block import Floats

HOST_QUANTILE = 0.99
"""Of how late the load generator was: what any other hand-over between processes of this machine may have taken."""

Statistic = Callable[[Floats], float]


def _at(q: float) -> Statistic:
    return lambda values: float(np.quantile(values, q, method="inverted_cdf"))


def _mean(values: Floats) -> float:
    return float(values.mean())


_LATENCY: Mapping[str, Statistic] = {
    **{f"task_latency_p{q}": _at(q / 100) for q in (50, 90, 95, 99)},
    **{f"latency_p{q}": _at(q / 100) for q in (50, 90, 95, 99)},
    "latency_mean": _mean,
    "latency_max": _at(1.0),
}
_WAIT: Mapping[str, Statistic] = {
    **{f"wait_p{q}": _at(q / 100) for q in (50, 90, 95, 99)},
    "wait_mean": _mean,
    "wait_max": _at(1.0),
    "oldest_pending": _at(1.0),
}
_DISTANCE, _MEDIAN, _LAG = "latency_distance_beyond_overhead", "latency_paired_median", "submission_lag_p99"


class HostOverhead(Struct, frozen=True):
    """By task that ended in both runs: what the machine added, in seconds of scenario time. host_s: the HOST_QUANTILE.

    Of a task that was submitted `l` late, this is `min(w, l + 2 n h) + min(s, n h) + min(b, n h) + min(e, n h)`. In its `n`
    attempts it waited `w` longer than in the base (two processes hand it on: the one that finds it due, the one that dispatches),
    it took `s` longer to start the body, `b` longer in the body, whose length is planned, and `e` longer from its end to the
    result. `h` is how late the load generator was at the HOST_QUANTILE: a process
    of the system waits for the processor as the generator does. What a system adds beyond that is its own.
    """

    lag_s: Floats
    waiting_s: Floats
    own_s: Floats
    host_s: float
    latency_s: Floats
    wait_s: Floats
    base_latency_s: Floats

    @classmethod
    def of(cls, pairs: Pairs) -> "HostOverhead":
        """What the machine added in the run, over the base."""
        base, run = pairs.base, pairs.run
        both = ~np.isnan(run.latency_s - base.latency_s)
        lags_s = run.lag_s[~np.isnan(run.lag_s)]
        host_s = max(0.0, float(np.quantile(lags_s, HOST_QUANTILE))) if len(lags_s) else 0.0
        lag_s = np.maximum(np.nan_to_num(run.lag_s[both]), 0.0)
        most_s = run.attempts[both] * host_s
        waiting_s = np.clip(run.wait_s[both] - base.wait_s[both], 0.0, lag_s + 2 * most_s)
        spans = ((run.starting_s, base.starting_s), (run.ran_s, base.ran_s), (run.closing_s, base.closing_s))
        own_s = sum((np.clip((one - other)[both], 0.0, most_s) for one, other in spans), np.zeros(int(both.sum())))
        latencies = run.latency_s[both], run.wait_s[both], base.latency_s[both]
        return cls(lag_s, waiting_s, own_s, host_s, *latencies)

    def explains(self, name: str) -> float | None:
        """How much of a figure's difference it explains, in base units of the figure; None where it says nothing of it."""
        if name == _LAG:
            return float(np.quantile(self.lag_s, HOST_QUANTILE))
        if statistic := _LATENCY.get(name):
            return self._less(statistic, self.latency_s, self.waiting_s + self.own_s)
        if statistic := _WAIT.get(name):
            return self._less(statistic, self.wait_s, self.waiting_s)
        return None

    @staticmethod
    def _less(statistic: Statistic, observed_s: Floats, added_s: Floats) -> float:
        return max(0.0, statistic(observed_s) - statistic(observed_s - added_s))

    def without(self) -> Latencies:
        """The latencies as they were without it."""
        rest_s = self.latency_s - self.waiting_s - self.own_s
        order = np.sort(self.base_latency_s), np.sort(rest_s)
        return Latencies(*order, due_s=np.zeros(len(rest_s)), difference_s=rest_s - self.base_latency_s)

    def words(self) -> str:
        """What was measured."""
        middle_s, most_s = np.quantile(self.lag_s, (0.5, 0.95))
        show = Unit.DURATION.show
        own_s = float(np.quantile(self.own_s, 0.95))
        late = f"submissions were {show(middle_s)} late at the median and {show(most_s)} at p95"
        return f"{late}, dispatch, body and result of a task took {show(own_s)} longer at p95"


def explained(figures: Sequence[Figure], overhead: HostOverhead, allowed_s: float) -> Iterator[Figure]:
    """The figures; those that differ by no more than what is allowed and what the machine added are explained by it."""
    for figure in figures:
        yield _explained(figure, overhead, allowed_s) if figure.status is Agreement.DIFFERS else figure


def _explained(figure: Figure, overhead: HostOverhead, allowed_s: float) -> Figure:
    if figure.difference is None or figure.allowed is None or not len(overhead.lag_s):
        return figure
    if figure.name in {_DISTANCE, _MEDIAN}:
        rest = overhead.without()
        distance = kolmogorov_smirnov(rest.base_s, rest.run_s, allowed_s)
        left = distance if figure.name == _DISTANCE else float(np.median(rest.difference_s))
        return _marked(figure, "") if figure.difference > 0 and abs(left) <= figure.allowed else figure
    share = overhead.explains(figure.name)
    # A machine that is late makes nothing shorter.
    if share is None or not 0 < figure.difference <= figure.allowed + share:
        return figure
    return _marked(figure, f"{Unit(figure.unit).show(share)} of it ")


def _marked(figure: Figure, how_much: str) -> Figure:
    detail = f"{how_much}explained by this host's overhead"
    return msgspec.structs.replace(figure, status=Agreement.EXPLAINED, detail=detail)
