"""The system `queue` on a real clock: the bundled orchestrator, and classes of a user's own."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from soak.contract import Queue, System
from soak.runner.targets.base import Target
from soak.runner.targets.room import Named, Need, Room
from soak.runner.targets.trials import Trials
from soak.schemas.errors import ScenarioError
from soak.schemas.systems.queue.settings import queue_of
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.runner.targets.profiling import Profiling
    from soak.schemas.target.load import LoadedTarget

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


def _of_file(loaded: "LoadedTarget", speed: float, bundled: bool) -> Target:
    from soak.runner.targets.queue.foreign.target import ForeignTarget

    if not loaded.file.submit:
        what = "does not say how a task is given to the system"
        raise ScenarioError([loaded.document.problem((), what, "add submit: {command: submit.sh {key} {payload}}")])
    if loaded.file.account:
        from soak.runner.targets.queue.foreign.spoken_target import SpokenTarget

        return SpokenTarget(loaded, speed, bundled=bundled)
    return ForeignTarget(loaded, speed, bundled=bundled)


def _profiling(loaded: "LoadedTarget") -> "Profiling":
    from soak.runner.targets.queue.foreign.profiling import profiling

    return profiling(loaded)


def _needs(plan: Plan) -> Iterator[Need]:
    workers = queue_of(plan.scenario).workers
    yield Need(open_files=workers * _FILES_PER_WORKER, who=f"{workers} workers")


ROOM = Room(
    named=(Named("orchestrator", _orchestrator, resumable=True, trials=_trials),),
    attach=_attach,
    from_file=_of_file,
    told_by="submit",
    files_resumable=False,
    profiling=_profiling,
    needs=_needs,
    advice="--target orchestrator, an adapter such as --target celery, a target file, or your own queue as package.module:Class",
)
