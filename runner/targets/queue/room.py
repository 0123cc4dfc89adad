"""The system `queue` on a real clock: the bundled orchestrator, and classes of a user's own."""

from collections.abc import Iterator
from typing import cast

from soak.contract import Queue, System
from soak.runner.targets.base import Target
from soak.runner.targets.room import Named, Need, Room
from soak.runner.targets.trials import Trials
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan

_FILES_PER_WORKER = 4


def _orchestrator(speed: float) -> Target:
    from soak.runner.targets.queue.orchestrator.target import Orchestrator

    return Orchestrator(speed)


def _trials() -> Trials:
    from soak.runner.targets.queue.orchestrator.trials import TRIALS

    return TRIALS


def _attach(name: str, kind: type[Queue] | type[System], speed: float, patience_s: float | None) -> Target:
    from soak.runner.targets.locate import owns_workers

    if owns_workers(kind):
        from soak.runner.targets.queue.system_adapter.target import SystemAdapter

        return SystemAdapter(name, kind, speed, patience_s)
    from soak.runner.targets.queue.queue_adapter.target import QueueAdapter

    return QueueAdapter(name, cast("type[Queue]", kind), speed, patience_s)


def _needs(plan: Plan) -> Iterator[Need]:
    workers = queue_of(plan.scenario).workers
    yield Need(open_files=workers * _FILES_PER_WORKER, who=f"{workers} workers")


ROOM = Room(
    named=(Named("orchestrator", _orchestrator, resumable=True, trials=_trials),),
    attach=_attach,
    needs=_needs,
    advice="--target orchestrator, or your own queue as package.module:Class",
)
