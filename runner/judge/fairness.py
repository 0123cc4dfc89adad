"""How evenly tenants get what they are entitled to: Jain's index of their throughput.

R. Jain, D. Chiu and W. Hawe, A quantitative measure of fairness and discrimination for resource allocation in shared computer
systems, DEC TR-301, 1984: (sum x)^2 / (n sum x^2), of x the throughput of each tenant / the one it is entitled to. It is 1
where all are as well off, and k / n where k of n tenants get all there is.

Entitled is the max-min fair share of what was achieved in all (D. Bertsekas and R. Gallager, Data Networks, 2nd ed. 1992,
6.5.2): each tenant what it asks for, at most an equal part of what the others leave. What a tenant asks for are its requests
that were due; of users who wait for answers, who ask for less the longer they wait, what they would send if every answer came
at once: their time at work / the mean time between an answer and the next request.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.samples import Samples
from soak.schemas.language.model import Scenario
from soak.schemas.language.slis import Sli
from soak.schemas.language.users import Levels, Users
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Floats, Ints


def jain_index(throughput: Floats, asked: Floats) -> float:
    """Jain's index of throughput / max-min fair share, of the tenants that ask for something; NaN of fewer than two."""
    some = asked > 0
    throughput, asked = throughput[some], asked[some]
    total = float(throughput.sum())
    if len(throughput) < 2 or total <= 0:
        return math.nan
    share = throughput / max_min(asked, total)
    return float(share.sum() ** 2 / (len(share) * (share**2).sum()))


def max_min(asked: Floats, total: float) -> Floats:
    """The max-min fair shares of `total` among those that ask for so much (inf: any amount), all above 0."""
    if float(asked.sum()) <= total:
        return asked
    shares, left = np.zeros(len(asked)), total
    order = np.argsort(asked, kind="stable")
    for place, number in enumerate(order.tolist()):
        shares[number] = min(float(asked[number]), left / (len(order) - place))
        left -= shares[number]
    return shares


class Evenness:
    """Jain's index of tenants in some phases of a run, from what was due (weights) and what succeeded (values)."""

    def __init__(self, scenario: Scenario, labels: LabelNumbers, chosen: frozenset[int] | None) -> None:
        """chosen: label numbers; None: the whole run, without the warm-up and what comes after the last arrivals."""
        self.samples = 0
        self._scenario, self._tenants = scenario, labels.tenants(scenario)
        phases = range(labels.phases - 1) if chosen is None else sorted({each % labels.phases for each in chosen})
        run = Window(scenario.warmup_s, scenario.duration_s)
        self._windows = (run,) if chosen is None else tuple(scenario.phases[each].window for each in phases)
        self._due, self._done = (np.zeros(len(self._tenants) + 1, dtype=np.int64) for _ in range(2))

    def observe(self, samples: Samples) -> None:
        """Process more of the series."""
        if samples.label is None:
            return
        size = len(self._due)
        self._due += np.bincount(samples.label, samples.weights, size).astype(np.int64)
        self._done += np.bincount(samples.label, samples.value, size).astype(np.int64)
        self.samples = int(self._done.sum())

    def value(self, sli: Sli, elapsed_s: float) -> float:
        """Jain's index after `elapsed_s` seconds."""
        until_s = self._scenario.warmup_s + elapsed_s
        return jain_index(self._by_tenant(self._done), self._asked(until_s))

    def extremes(self, sli: Sli, unfinished: int) -> tuple[float, float]:
        """Anything: what is not yet done may be of any tenant."""
        return 0.0, 1.0

    def _by_tenant(self, counts: Ints) -> Floats:
        tenants = self._scenario.workload.tenants
        known = self._tenants >= 0
        found: Floats = np.bincount(self._tenants[known], counts[:-1][known], len(tenants)).astype(np.float64)
        return found

    def _asked(self, until_s: float) -> Floats:
        users = self._scenario.workload.users
        if users is None:
            return self._by_tenant(self._due)
        windows = [
            Window(max(each.start_s, self._scenario.warmup_s), min(each.end_s, until_s)) for each in self._windows
        ]
        time_s = np.array([sum(user_seconds(each, window) for window in windows) for each in self._levels(users)])
        # Who is never at work asks for nothing, and who never thinks for any amount.
        return time_s / users.between_s if users.between_s else np.where(time_s > 0, math.inf, 0.0)

    def _levels(self, users: Users) -> Iterator[Levels]:
        """The users of each tenant over time."""
        groups = {group.tenant: group.levels for group in users.groups}
        for tenant in self._scenario.workload.tenants:
            shared = tuple((t_s, number * tenant.share) for t_s, number in users.levels)
            yield groups.get(tenant.name, ()) if groups else shared


def user_seconds(levels: Levels, window: Window) -> float:
    """The integral of a number of users over a window, in seconds; after its last time the number stays."""
    if not levels or window.end_s <= window.start_s:
        return 0.0
    total = 0.0
    for (start_s, before), (end_s, after) in pairwise((*levels, (max(window.end_s, levels[-1][0]), levels[-1][1]))):
        low, high = max(start_s, window.start_s), min(end_s, window.end_s)
        if high > low:
            slope = (after - before) / (end_s - start_s)
            total += (high - low) * (before + slope * ((low + high) / 2 - start_s))
    return total
