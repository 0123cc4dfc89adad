"""Warning levels: objectives that hold, and a stricter target beside them that does not."""

import math
from collections.abc import Iterable, Sequence

import msgspec

from soak.runner.judge.compared import shown
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import ObjectiveResult, Status
from soak.schemas.language.conditions import Objective
from soak.schemas.language.expression import Unit


def with_warnings(judge: Judge, results: Iterable[ObjectiveResult]) -> list[ObjectiveResult]:
    """The results of all objectives, those with a warning level with what it says. The observed value decides."""
    pairs = zip(judge.scenario.objectives, results, strict=True)
    return [_with_warning(judge, objective, result) for objective, result in pairs]


def _with_warning(judge: Judge, objective: Objective, result: ObjectiveResult) -> ObjectiveResult:
    level = objective.warn
    if level is None:
        return result
    target, unit = shown(judge, level)[1], Unit(result.unit)
    if math.isnan(target):
        return result
    if result.status is not Status.PASS or result.value is None or level.op.holds(result.value, target):
        return msgspec.structs.replace(result, warn=target)
    observed = unit.show_beside(result.value, target)
    text = f"objective {result.objective} holds, but not {level.op.value} {unit.show(target)}: {observed} observed"
    return msgspec.structs.replace(result, warn=target, warning=text)


def warnings_of(objectives: Sequence[Objective], results: Sequence[ObjectiveResult]) -> list[str] | msgspec.UnsetType:
    """What is said of all of them; nothing at all where no objective has a warning level."""
    if all(objective.warn is None for objective in objectives):
        return msgspec.UNSET
    return [each.warning for each in results if isinstance(each.warning, str)]
