"""What is expected of a plan's arrivals by kind of work, those at set times included.

Without NumPy: `soak validate` asks it, too.
"""

import math
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.language.expression import Selector
from soak.schemas.language.model import Scenario, Scheduled, Workload
from soak.simulation.rate import ArrivalRate, rate_of


class AtOnce(Struct, frozen=True):
    """Tasks that arrive at one instant: the entry of `workload.scheduled` they are of, and their kind (empty: drawn)."""

    t_s: float
    name: str
    kind: str
    count: float


def expected_arrivals(scenario: Scenario, rate: ArrivalRate) -> float:
    """Expected arrivals in the run: the integral of the rate, and at most workload.tasks."""
    by_rate = rate.expected(scenario.duration_s)
    return by_rate if scenario.workload.tasks is None else min(by_rate, float(scenario.workload.tasks))


def at_set_times(scenario: Scenario, rate: ArrivalRate) -> list[AtOnce]:
    """What arrives at set times, in order, as long as the workload has tasks left."""
    workload = scenario.workload
    entries = ((t_s, each) for each in workload.scheduled for t_s in each.times_s if t_s < scenario.duration_s)
    most, before, found = math.inf if workload.tasks is None else workload.tasks, 0.0, []
    for t_s, each in sorted(entries, key=lambda entry: entry[0]):
        count = min(float(each.count), most - before - rate.flow(t_s))
        if count > 0:
            found.append(AtOnce(t_s, each.name, each.kind, count))
            before += count
    return found


def expected_shares(scenario: Scenario) -> list[float]:
    """The shares of the kinds in all arrivals that are expected, those at set times included that say their kind."""
    workload, rate = scenario.workload, rate_of(scenario.workload)
    said = {kind.name: 0.0 for kind in workload.kinds}
    for each in at_set_times(scenario, rate):
        if each.kind:
            said[each.kind] += each.count
    total = expected_arrivals(scenario, rate)
    drawn = max(0.0, total - sum(said.values()))
    return [(drawn * kind.share + said[kind.name]) / total if total else kind.share for kind in workload.kinds]


def service_mean_s(scenario: Scenario) -> float:
    """How long an attempt at any of the tasks takes on average."""
    kinds = scenario.workload.kinds
    if len({kind.service for kind in kinds}) < 2:
        return scenario.workload.service.mean_s
    return math.fsum(share * kind.service.mean_s for share, kind in zip(expected_shares(scenario), kinds, strict=True))


def most_selected(workload: Workload, selector: Selector, length_s: float) -> float:
    """The most arrivals of those that labels select to be expected in any interval of this length."""
    share = workload.share_of(selector)
    if not workload.scheduled or not workload.kinds:
        return share * rate_of(workload).most_within(length_s)
    return rate_of(_selected(workload, selector, share)).most_within(length_s)


def _selected(workload: Workload, selector: Selector, share: float) -> Workload:
    """The workload of these tasks alone."""
    shape, burst = workload.shape, workload.burst
    return replace(
        workload,
        rate_per_s=workload.rate_per_s * share,
        shape=shape
        and replace(
            shape,
            pieces=tuple(
                replace(each, from_per_s=each.from_per_s * share, to_per_s=each.to_per_s * share)
                for each in shape.pieces
            ),
        ),
        burst=burst and replace(burst, rate_per_s=burst.rate_per_s * share),
        scheduled=tuple(_thinned(workload, selector, share)),
    )


def _thinned(workload: Workload, selector: Selector, share: float) -> Iterator[Scheduled]:
    """Arrivals at set times that labels select, in their expected number."""
    wanted = dict(selector)
    of_tenants = replace(workload, kinds=()).share_of(selector)
    kinds = {kind.name: kind for kind in workload.kinds}
    for each in workload.scheduled:
        part = of_tenants * kinds[each.kind].has(wanted) if each.kind else share
        if part:
            yield replace(each, count=each.count * part)
