"""The system `calls` in the judge."""

from collections.abc import Sequence

from soak.runner.judge.calls.exposure import exposed
from soak.runner.judge.calls.tracker import CallTracker
from soak.runner.judge.room import Busy, Room
from soak.schemas.language.model import Scenario
from soak.schemas.systems.calls.settings import Bulkhead, Fallback, Pool, calls_of


def busy(scenario: Scenario) -> Sequence[Busy]:
    """Calls in flight, limited by bulkheads and pools where every call goes through them; and tasks that wait."""
    policy = calls_of(scenario).policy
    limits = [each.max_concurrent for each in policy if isinstance(each, Bulkhead)]
    limits += [each.size for each in policy if isinstance(each, Pool)]
    elsewhere = any(isinstance(each, Fallback) for each in policy)
    return (
        Busy("in_flight", "calls in flight", min(limits) if limits and not elsewhere else None),
        Busy("queue_depth", "tasks waiting"),
    )


ROOM = Room(tracker=CallTracker, exposed=exposed, busy=busy)
