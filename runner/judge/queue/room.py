"""The system `queue` in the judge."""

from msgspec.structs import replace

from soak.runner.judge.queue.compiled import followed
from soak.runner.judge.queue.compiled_exposure import attempts
from soak.runner.judge.queue.exposure import Duplicates
from soak.runner.judge.queue.tracker import QueueTracker
from soak.runner.judge.room import Busy, Room
from soak.schemas.language.model import Scenario
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.systems.queue.indicators import WORKERS_ALIVE
from soak.schemas.systems.queue.settings import queue_of
from soak.schemas.target.model import Promise


def _busy(scenario: Scenario) -> tuple[Busy, ...]:
    queue = queue_of(scenario)
    if queue.fleet.varies:
        return Busy("busy_workers", "workers busy"), Busy(WORKERS_ALIVE, "workers up"), Busy("queue_depth", "queued")
    return Busy("busy_workers", "workers busy", queue.workers), Busy("queue_depth", "queued")


def _seen(scenario: Scenario, identity: Identity) -> Scenario:
    """Who promises no leases shows the crash of a worker by what ended with it: its process, the line of the body."""
    if identity.promises is None or Promise.LEASES in identity.promises:
        return scenario
    faults = (
        replace(each, spec=replace(each.spec, seen_by=(Kind.EXECUTION_ENDED,)))
        if Kind.LEASE_EXPIRED in each.spec.seen_by
        else each
        for each in scenario.faults
    )
    return replace(scenario, faults=tuple(faults))


ROOM = Room(
    tracker=QueueTracker,
    exposed=lambda scenario, vocabulary: [Duplicates(scenario, vocabulary), attempts(scenario, vocabulary)],
    busy=_busy,
    seen=_seen,
    followed=followed,
)
