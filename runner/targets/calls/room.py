"""The system `calls` on a real clock: real dependencies, and a client made of libraries."""

import math
from collections.abc import Iterator

from soak.runner.targets.base import Target
from soak.runner.targets.room import Named, Need, Room
from soak.schemas.systems.calls.settings import Calls, Degrade, Fallback, Retry, Timeout, calls_of
from soak.simulation.plan import Plan

_FILES_PER_DEPENDENCY = 8


def _calls(speed: float) -> Target:
    from soak.runner.targets.calls.target import CallsTarget

    return CallsTarget(speed)


def calls_under_way(calls: Calls, peak_per_s: float) -> int:
    """Upper bound of concurrent calls, if every task uses all its attempts and timeouts."""
    limits = [policy.limit_s for policy in calls.policy if isinstance(policy, Timeout)]
    each_s = min(limits) if limits else 4 * max(dependency.latency.mean_s for dependency in calls.dependencies)
    attempts = math.prod(policy.max_attempts for policy in calls.policy if isinstance(policy, Retry))
    attempts += sum(isinstance(policy, Fallback | Degrade) for policy in calls.policy)
    return math.ceil(peak_per_s * each_s * attempts) + 1


def _needs(plan: Plan) -> Iterator[Need]:
    """A file for each call in flight, and a thread for each worker of a dependency."""
    calls = calls_of(plan.scenario)
    at_a_time = calls_under_way(calls, plan.rate.highest_per_s)
    if plan.users and math.isinf(plan.users.timeout_s):
        # Each of them waits for its task, which makes one call after the other.
        at_a_time = min(at_a_time, plan.users.count)
    files = at_a_time + len(calls.dependencies) * _FILES_PER_DEPENDENCY
    yield Need(open_files=files, who=f"up to {at_a_time} calls at a time")
    workers = sum(each.capacity.workers for each in calls.dependencies if each.capacity)
    yield Need(threads=workers + len(calls.dependencies) * 2, who=f"{workers} workers of dependencies")


ROOM = Room(named=(Named("calls", _calls),), needs=_needs, advice="--target calls")
