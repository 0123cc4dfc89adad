"""The system `pipeline` for real: the bundled processes, and whatever a target file describes."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from soak.runner.targets.base import Target
from soak.runner.targets.room import Named, Need, Room
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.simulation.plan import Plan

if TYPE_CHECKING:
    from soak.runner.targets.trials import Trials
    from soak.schemas.target.load import LoadedTarget

_FILE = Path(__file__).parents[3] / "systems" / "pipeline" / "target.yaml"
_FILES_PER_PROCESS = 8


def _bundled(speed: float) -> Target:
    from soak.runner.targets.pipeline.target import PipelineTarget
    from soak.schemas.target.load import load_target

    return PipelineTarget(load_target(_FILE), speed, bundled=True)


def _of_file(loaded: "LoadedTarget", speed: float, bundled: bool) -> Target:
    from soak.runner.targets.pipeline.target import PipelineTarget

    return PipelineTarget(loaded, speed, bundled=bundled)


def _trials() -> "Trials":
    from soak.runner.targets.pipeline.trials import TRIALS

    return TRIALS


def _needs(plan: Plan) -> Iterator[Need]:
    processes = len(pipeline_of(plan.scenario).processes)
    yield Need(open_files=processes * _FILES_PER_PROCESS, who=f"{processes} processes")


ROOM = Room(
    named=(Named("pipeline", _bundled, resumable=True, trials=_trials),),
    from_file=_of_file,
    needs=_needs,
    advice="--target pipeline, or a target file of your own",
)
