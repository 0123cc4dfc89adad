"""Since when an objective was broken: found by replaying the stream with the objective turned into an alert."""

from msgspec.structs import replace

from soak.runner.evidence.directory import RunDirectory
from soak.runner.evidence.stream import StreamReader
from soak.runner.evidence.verify import load_stored
from soak.runner.judge.judge import Judge
from soak.schemas.evidence.verdict import Status, Verdict
from soak.schemas.language.comparison import is_known_at_the_end
from soak.schemas.language.conditions import Alert, Condition, Objective, Severity
from soak.schemas.language.expression import AT_LEAST, OPPOSITE, Op
from soak.schemas.language.slis import Aggregate
from soak.simulation.plan import Plan


def broken_since(directory: RunDirectory, verdict: Verdict) -> dict[str, float]:
    """By the text of a failed objective: since when it was broken, in seconds of scenario time.

    Objectives whose result is only known at the end are left out. Raises EvidenceError.
    """
    failed = {each.objective for each in verdict.objectives if each.status is Status.FAIL}
    scenario = load_stored(directory).scenario
    alerts = tuple(
        _alert(each) for each in scenario.objectives if each.comparison.text in failed and _can_be_watched(each)
    )
    if not alerts:
        return {}
    plan = Plan(scenario)
    reader = StreamReader(directory.stream(scenario.name), plan.vocabulary)
    # What counts as broken may depend on the target and its speed.
    judge = Judge(replace(scenario, alerts=alerts), plan.vocabulary, abort=False, identity=reader.identity)
    for block in reader.blocks():
        for _ in judge.observe(block):
            pass
    return {
        alert.condition.name: guard.timer.firings[-1].fired_s for alert, guard in judge.alerts if guard.timer.firing
    }


def _can_be_watched(objective: Objective) -> bool:
    comparison = objective.comparison
    if objective.window_s is not None:
        return False
    # A count that must reach a number falls short of it from the start: not informative.
    to_be_reached = comparison.sli.aggregate is Aggregate.COUNT and comparison.op in AT_LEAST
    return (
        isinstance(comparison.target, float)
        and comparison.sli.aggregate is not Aggregate.RATE
        and not is_known_at_the_end(comparison.sli)
        and not to_be_reached
        and comparison.op is not Op.ABOUT
    )


def _alert(objective: Objective) -> Alert:
    comparison = objective.comparison
    breach = replace(comparison, op=OPPOSITE[comparison.op])
    condition = Condition(comparison.text, breach, window_s=None, for_s=0.0, min_samples=objective.min_samples)
    return Alert(condition, Severity.INFO, keep_firing_for_s=0.0, expect=None)
