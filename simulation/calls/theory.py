"""Expected outcomes under the faults and policies of a scenario in closed form, where calls are independent.

Faults by rate strike calls independently, the first in the file that hits decides; a retry is a geometric series cut off at
its last attempt, a fallback a second chance. What couples calls (a circuit breaker, a bulkhead, a pool, a rate limit,
capacity, memory, a store) or comes and goes (windows, crashes, releases) has no such closed form here.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from soak.schemas.language.distributions import Constant, Distribution, Empirical, Exponential, LogNormal, Uniform
from soak.schemas.language.faults import Fault
from soak.schemas.language.model import Scenario
from soak.schemas.systems.calls.faults import STRIKES_CALLS, CallFault
from soak.schemas.systems.calls.settings import HOPELESS, Calls, Dependency, Fallback, Policy, Retry, Timeout, calls_of
from soak.simulation.calls.dependency import AT_ONCE
from soak.simulation.distributions import spread

_APART = (Timeout, Retry, Fallback)
"""Policies whose state is per task."""

_POINTS, _SHUFFLE = 1 << 12, 2_531
"""Number of points for averages over a distribution; multiples of an odd number visit all of them."""


class Expected(Struct, frozen=True):
    """Probabilities of one task: that its first call succeeds, that it is DONE; and the mean number of calls."""

    first_call: float
    success: float
    calls: float


class _Tried(Struct, frozen=True):
    """How a try comes out: with which probability it fails, by error class, and what it takes on average.

    calls: how many. under_way_s: how long they are, summed. served_s: how long the first dependency works for them: also on
    after the client has given up, and not at all where a fault answers.
    """

    failures: Mapping[str, float]
    calls: float
    under_way_s: float
    served_s: float

    @property
    def success(self) -> float:
        return 1 - math.fsum(self.failures.values())


def expected(scenario: Scenario) -> Expected | None:
    """The expectation for a task of the system `calls`; None if calls are coupled, or faults have windows."""
    if not _independent(scenario, calls_of(scenario)):
        return None
    tried = _task(scenario)
    return Expected(_first(scenario).success, tried.success, tried.calls)


class Demand(Struct, frozen=True):
    """Load of one task: seconds its calls are in flight, and seconds the first dependency works on them."""

    under_way_s: float
    served_s: float


def demand(scenario: Scenario, faults: tuple[Fault, ...]) -> Demand:
    """The demand of a task while these faults by rate hold, as if calls were independent."""
    tried = _task(replace(scenario, faults=faults))
    return Demand(tried.under_way_s, tried.served_s)


def _first(scenario: Scenario) -> _Tried:
    """The first call of a task."""
    policy = calls_of(scenario).policy
    limit_s = policy[0].limit_s if policy and isinstance(policy[0], Timeout) else math.inf
    return _call(scenario, calls_of(scenario).primary, limit_s)


def _task(scenario: Scenario) -> _Tried:
    """A whole task."""
    tried = _first(scenario)
    for policy in calls_of(scenario).policy:
        tried = _wrapped(scenario, policy, tried)
    return tried


def _independent(scenario: Scenario, calls: Calls) -> bool:
    limits = any((d.capacity, d.quota, d.memory_bytes, d.store) != (None,) * 4 for d in calls.dependencies)
    steady = all(f.type in STRIKES_CALLS and not f.windows and not f.kinds for f in scenario.faults)
    outer = any(isinstance(policy, Timeout) for policy in calls.policy[1:])
    return steady and not limits and not outer and all(isinstance(policy, _APART) for policy in calls.policy)


def _call(scenario: Scenario, dependency: Dependency, limit_s: float) -> _Tried:
    failures: dict[str, float] = defaultdict(float)
    left, delayed = 1.0, False
    for fault in scenario.faults:
        if fault.dependency != dependency.name:
            continue
        delayed |= fault.type == CallFault.DELAY
        if fault.type != CallFault.DELAY:
            failures[fault.errors[0]] += left * fault.rate
            left *= 1 - fault.rate
    if not delayed:
        failures["timeout"] += left * _beyond(dependency.latency, limit_s)
    return _Tried(failures, 1.0, *_times(scenario, dependency, limit_s))


def _times(scenario: Scenario, dependency: Dependency, limit_s: float) -> tuple[float, float]:
    """Mean time a call is in flight, and mean time the dependency works on it."""
    latency_s = spread(dependency.latency, _POINTS)
    place = np.arange(_POINTS)
    under_way_s, served_s, left = 0.0, 0.0, 1.0
    for fault in (each for each in scenario.faults if each.dependency == dependency.name):
        chance = left * fault.rate
        left -= chance
        if fault.type == CallFault.DELAY:
            # Every delay meets every latency: the places of one are those of the other in another order.
            late_s = latency_s + spread(fault.delay, _POINTS)[place * _SHUFFLE % _POINTS]
            under_way_s += chance * float(np.minimum(late_s, limit_s).mean())
            served_s += chance * float(late_s.mean())
        elif fault.type == CallFault.TIMEOUT:
            under_way_s += chance * limit_s if chance else 0.0
        elif fault.type == CallFault.CONNECTION_RESET:
            struck_s = latency_s * ((place * _SHUFFLE % _POINTS + 0.5) / _POINTS)
            under_way_s += chance * float(np.minimum(struck_s, limit_s).mean())
        elif fault.type not in AT_ONCE:
            under_way_s += chance * float(np.minimum(latency_s, limit_s).mean())
    under_way_s += left * float(np.minimum(latency_s, limit_s).mean())
    return under_way_s, served_s + left * dependency.latency.mean_s


def _beyond(latency: Distribution, limit_s: float) -> float:
    """The probability that a call takes `limit_s` or longer."""
    match latency:
        case Constant(value_s):
            return float(value_s >= limit_s)
        case Exponential(mean_s):
            return math.exp(-limit_s / mean_s)
        case Uniform(low_s, high_s):
            return min(1.0, max(0.0, (high_s - limit_s) / (high_s - low_s)))
        case LogNormal(median_s, _):
            if not latency.sigma or math.isinf(limit_s):
                return float(median_s >= limit_s)
            return 1 - NormalDist().cdf(math.log(limit_s / median_s) / latency.sigma)
        case Empirical(_, values_s):
            return sum(value >= limit_s for value in values_s) / len(values_s)


def _wrapped(scenario: Scenario, policy: Policy, inner: _Tried) -> _Tried:
    if isinstance(policy, Retry):
        return _retried(policy, inner)
    if isinstance(policy, Fallback):
        other = next(d for d in calls_of(scenario).dependencies if d.name == policy.to)
        second = _call(scenario, other, math.inf)
        lost = 1 - inner.success
        failures = {error: lost * share for error, share in second.failures.items()}
        calls, under_way_s = inner.calls + lost * second.calls, inner.under_way_s + lost * second.under_way_s
        return _Tried(failures, calls, under_way_s, inner.served_s)
    return inner


def _retried(policy: Retry, inner: _Tried) -> _Tried:
    again = {error: share for error, share in inner.failures.items() if _tried_again(policy, error)}
    ratio = math.fsum(again.values())
    rounds = math.fsum(ratio**n for n in range(policy.max_attempts))
    last = ratio ** (policy.max_attempts - 1)
    failures = {e: share * (last if e in again else rounds) for e, share in inner.failures.items()}
    return _Tried(failures, inner.calls * rounds, inner.under_way_s * rounds, inner.served_s * rounds)


def _tried_again(policy: Retry, error: str) -> bool:
    return error not in HOPELESS if policy.errors is None else error in policy.errors
