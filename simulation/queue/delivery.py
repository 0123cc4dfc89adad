"""What a plan says of delivery: which attempts outlast a visibility timeout, what is lost, what can never be reached.

Pure functions of the scenario, without NumPy: `soak validate` asks them, too.
"""

import math
from collections.abc import Iterator

from soak.schemas.language.distributions import (
    Constant,
    Empirical,
    Exponential,
    LogNormal,
    Mixture,
    ServiceTime,
    Uniform,
)
from soak.schemas.language.expression import Op
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.language.schema import read_schema
from soak.schemas.language.slis import AT_THE_END
from soak.schemas.systems.queue.faults import QueueFault
from soak.schemas.systems.queue.settings import Queue, queue_of
from soak.schemas.units import show_duration
from soak.simulation.poisson import poisson_below
from soak.simulation.rate import rate_of
from soak.simulation.room import Doubt
from soak.simulation.shares import expected_arrivals, expected_shares

_MUCH = 0.01
"""Warn if more of the attempts than this outlast the visibility timeout."""

_HARDLY = 0.01
"""Warn if an objective on lost tasks holds in fewer runs than this."""

_MOST = (Op.LE, Op.LT, Op.EQ)


def share_above(distribution: ServiceTime, limit_s: float) -> float:
    """The probability that a duration is longer than `limit_s`."""
    match distribution:
        case Constant(value_s):
            return float(value_s > limit_s)
        case Exponential(mean_s):
            return math.exp(-limit_s / mean_s) if mean_s else 0.0
        case Uniform(low_s, high_s):
            return (
                min(1.0, max(0.0, (high_s - limit_s) / (high_s - low_s))) if high_s > low_s else float(low_s > limit_s)
            )
        case LogNormal(median_s, _):
            if not distribution.sigma:
                return float(median_s > limit_s)
            from statistics import NormalDist

            return NormalDist().cdf(math.log(median_s / limit_s) / distribution.sigma)
        case Empirical(_, values_s):
            return sum(value_s > limit_s for value_s in values_s) / len(values_s)
        case Mixture(parts):
            return math.fsum(share * share_above(part, limit_s) for share, part in parts)


def delivery_doubts(scenario: Scenario) -> Iterator[Doubt]:
    """What a scenario asks of delivery that comes out otherwise than it may seem."""
    queue = queue_of(scenario)
    yield from _timeout(scenario, queue)
    limit, attempts = queue.max_deliveries, queue.max_attempts
    if limit is not None and limit < attempts != _default_attempts():
        what = f"{attempts} attempts are never made: a task is dead-lettered after {limit} deliveries"
        yield Doubt(("queue", "retry", "max_attempts"), what, f"write {limit}, or raise max_deliveries")
    yield from _losses(scenario)


def _timeout(scenario: Scenario, queue: Queue) -> Iterator[Doubt]:
    share, hopeless = outlasting(scenario), _hopeless(scenario)
    if share <= _MUCH and not hopeless:
        return
    lease = show_duration(queue.lease_s)
    what = f"{_percent(share)} of attempts take longer than the visibility timeout of {lease}, and are delivered again meanwhile"
    if share == 1:
        what = f"every attempt takes longer than the visibility timeout of {lease}: no task can be DONE"
    elif hopeless:
        what = f"every attempt of {' and '.join(hopeless)} ({_percent(share)} of all attempts)"
        what = f"{what} takes longer than the visibility timeout of {lease}: no task of that kind can be DONE"
    yield Doubt(("queue", "lease", "duration"), what, "write a longer one, or a heartbeat")


def _losses(scenario: Scenario) -> Iterator[Doubt]:
    """Objectives on lost tasks that crashes by rate are sure to break, and users who wait for what is lost."""
    users, dies = scenario.workload.users, any(fault.spec.dies for fault in scenario.faults)
    if users and dies and queue_of(scenario).acks_early and math.isinf(users.timeout_s):
        what = "a user whose task is lost with its worker (ack: early) waits for ever"
        yield Doubt(("workload", "users"), what, "add timeout: 5m")
    lost = expected_lost(scenario)
    compared = [each.comparison for each in scenario.objectives if each.comparison.sli.name == AT_THE_END]
    for comparison in compared if lost else ():
        target = comparison.target
        if comparison.op in _MOST and isinstance(target, float) and _at_most(target, lost) < _HARDLY:
            what = (
                f"{comparison.text}: about {lost:,.0f} tasks are lost with their workers (ack: early): it will be FAIL"
            )
            yield Doubt(("slos",), what, "raise the target, or write ack: late")


def _at_most(count: float, mean: float) -> float:
    """The probability that a Poisson count of this mean is `count` at most."""
    return poisson_below(math.floor(count) + 1, mean)


def outlasting(scenario: Scenario) -> float:
    """The share of attempts that take longer than the visibility timeout; 0 where leases are renewed.

    What outlasts it is tried again: kinds count by their attempts, as far as these follow from the timeout alone.
    """
    queue, kinds = queue_of(scenario), scenario.workload.kinds
    if not queue.times_out:
        return 0.0
    if not kinds:
        return _outlasts(scenario.workload.service, queue)
    late = attempts = 0.0
    for place, share in enumerate(expected_shares(scenario)):
        chance, last = _outlasts(kinds[place].service, queue.of_kind(place)), queue.of_kind(place).last_attempt
        tried = share * (last if chance == 1 else (1 - chance**last) / (1 - chance))
        late, attempts = late + tried * chance, attempts + tried
    return late / attempts if attempts else 0.0


def _outlasts(service: ServiceTime, queue: Queue) -> float:
    """The probability that an attempt takes longer than the visibility timeout, and is not ended by its time limit before."""
    return share_above(service, queue.lease_s) if queue.time_limit_s > queue.lease_s else 0.0


def _hopeless(scenario: Scenario) -> list[str]:
    """The kinds of work that arrive, and of which every attempt takes longer than the visibility timeout."""
    queue, kinds = queue_of(scenario), scenario.workload.kinds
    return [
        kinds[place].name
        for place, share in enumerate(expected_shares(scenario))
        if share and queue.times_out and _outlasts(kinds[place].service, queue.of_kind(place)) == 1
    ]


def expected_lost(scenario: Scenario) -> float:
    """How many first attempts are expected to crash and to lose their tasks with that, by faults without windows.

    Of a closed workload, whose tasks depend on how quick the system is, none.
    """
    if not queue_of(scenario).acks_early or scenario.workload.users:
        return 0.0
    crashes = [fault for fault in scenario.faults if fault.type == QueueFault.WORKER_CRASH and not fault.windows]
    tasks = expected_arrivals(scenario, rate_of(scenario.workload))
    kinds = [*zip((kind.name for kind in scenario.workload.kinds), expected_shares(scenario), strict=True)] or [
        ("", 1.0)
    ]
    survive = math.fsum(share * math.prod(1 - _struck(fault, kind) for fault in crashes) for kind, share in kinds)
    return tasks * (1 - survive)


def _struck(fault: Fault, kind: str) -> float:
    """The probability that a fault strikes an attempt at a task of a kind."""
    return fault.rate if not fault.kinds or kind in fault.kinds else 0.0


def delivery_figures(scenario: Scenario) -> list[str]:
    """How tasks are delivered, where that is not the usual way: a line for `soak plan`."""
    queue = queue_of(scenario)
    words = []
    if queue.times_out:
        share = _percent(outlasting(scenario))
        words.append(f"visibility timeout {show_duration(queue.lease_s)}, outlasted by {share} of attempts")
    if queue.acks_early:
        lost = expected_lost(scenario)
        words.append(f"acknowledged when handed out{f', about {lost:,.0f} tasks lost in crashes' if lost else ''}")
    if queue.max_deliveries is not None:
        words.append(f"dead-lettered after {queue.max_deliveries} deliveries")
    return [f"  delivery    {'; '.join(words)}"] if words else []


def _percent(share: float) -> str:
    return f"{share:.2%}" if share < 0.1 else f"{share:.1%}"


def _default_attempts() -> int:
    """What `max_attempts` is where nobody wrote it: that is not to be warned of."""
    retry = read_schema("scenario")["$defs"]["queue"]["properties"]["retry"]
    return int(retry["properties"]["max_attempts"]["default"])
