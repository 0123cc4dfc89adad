"""Warnings about a valid scenario: what in it can never happen, or happens by chance. They change no exit code."""

from soak.runner.console import remark
from soak.schemas.errors import Problem, ScenarioError
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import OURS, BrokenSystemError
from soak.schemas.language.systems import problem_of_system
from soak.schemas.stream.vocabulary import Vocabulary
from soak.simulation.doubts import doubts


def cautions(loaded: Loaded) -> tuple[Problem, ...]:
    """What in a scenario can never happen, or happens by chance, each with its line and what to write instead.

    Raises ScenarioError for a scenario of a system of another package of which a room is broken.
    """
    system = loaded.scenario.system
    try:
        if system not in OURS:
            _enter_rooms(loaded.scenario)
    except BrokenSystemError as error:
        raise ScenarioError([problem_of_system(loaded.document, error)]) from error
    return tuple(loaded.document.problem(each.where, each.what, each.remedy) for each in doubts(loaded.scenario))


def _enter_rooms(scenario: Scenario) -> None:
    """Raises UsageError for a room that is not there or is broken, which would come to light in the middle of a run."""
    from soak.reports.room import room_of as report_of
    from soak.runner.judge.faults import FaultCounts
    from soak.runner.judge.room import room_of as judge_of
    from soak.runner.targets.room import room_of as targets_of
    from soak.simulation.room import room_of as model_of

    for room_of in (model_of, judge_of, targets_of, report_of):
        room_of(scenario.system)
    FaultCounts(scenario, Vocabulary())


def warn(loaded: Loaded) -> None:
    """Print the warnings on standard error."""
    for each in cautions(loaded):
        remark(f"warning: {each}")
