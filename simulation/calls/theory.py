"""What the faults and policies of a scenario come to by the laws of probability, where calls have nothing in common.

Faults by rate strike calls independently, the first in the file that hits decides; a retry is a geometric series cut off at
its last attempt, a fallback a second chance. What couples calls (a circuit breaker, a bulkhead, a pool, a rate limit, capacity,
memory, a store) or comes and goes (windows, crashes, releases) has no such closed form here.
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from schemas.calls import HOPELESS, Calls, Dependency, Fallback, Policy, Retry, Timeout
from schemas.distributions import Constant, Distribution, Empirical, Exponential, LogNormal, Uniform
from schemas.faults import OF_CALLS, FaultType
from schemas.model import Scenario

_APART = (Timeout, Retry, Fallback)
"""Policies that look at nothing but their own task."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Probabilities of one task: that its first call goes well, that it is DONE; how many calls it takes on average."""

    first_call: float
    success: float
    calls: float


@dataclass(frozen=True, slots=True)
class _Tried:
    """How a try comes out: with which probability it fails, by error class, and how many calls it takes on average."""

    failures: Mapping[str, float]
    calls: float

    @property
    def success(self) -> float:
        return 1 - math.fsum(self.failures.values())


def expected(scenario: Scenario) -> Expected | None:
    """The expectation for a task of the system `calls`; None where calls have something in common, or faults come and go."""
    calls = scenario.calls
    if not _independent(scenario, calls):
        return None
    limit_s = calls.policy[0].limit_s if calls.policy and isinstance(calls.policy[0], Timeout) else math.inf
    first = tried = _call(scenario, calls.primary, limit_s)
    for policy in calls.policy:
        tried = _wrapped(scenario, policy, tried)
    return Expected(first.success, tried.success, tried.calls)


def _independent(scenario: Scenario, calls: Calls) -> bool:
    limits = any((d.capacity, d.quota, d.memory_bytes, d.store) != (None,) * 4 for d in calls.dependencies)
    steady = all(f.type in OF_CALLS and not f.windows for f in scenario.faults)
    outer = any(isinstance(policy, Timeout) for policy in calls.policy[1:])
    return steady and not limits and not outer and all(isinstance(policy, _APART) for policy in calls.policy)


def _call(scenario: Scenario, dependency: Dependency, limit_s: float) -> _Tried:
    failures: dict[str, float] = defaultdict(float)
    left, delayed = 1.0, False
    for fault in scenario.faults:
        if fault.dependency != dependency.name:
            continue
        delayed |= fault.type is FaultType.DELAY
        if fault.type is not FaultType.DELAY:
            failures[fault.errors[0]] += left * fault.rate
            left *= 1 - fault.rate
    if not delayed:
        failures["timeout"] += left * _beyond(dependency.latency, limit_s)
    return _Tried(failures, 1.0)


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
        other = next(d for d in scenario.calls.dependencies if d.name == policy.to)
        second = _call(scenario, other, math.inf)
        lost = 1 - inner.success
        failures = {error: lost * share for error, share in second.failures.items()}
        return _Tried(failures, inner.calls + lost * second.calls)
    return inner


def _retried(policy: Retry, inner: _Tried) -> _Tried:
    again = {error: share for error, share in inner.failures.items() if _tried_again(policy, error)}
    ratio = math.fsum(again.values())
    rounds = math.fsum(ratio**n for n in range(policy.max_attempts))
    last = ratio ** (policy.max_attempts - 1)
    failures = {e: share * (last if e in again else rounds) for e, share in inner.failures.items()}
    return _Tried(failures, inner.calls * rounds)


def _tried_again(policy: Retry, error: str) -> bool:
    return error not in HOPELESS if policy.errors is None else error in policy.errors
