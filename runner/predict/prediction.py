"""From replications to a prediction: a pure function of the scenario and the replications.

Shares have Wilson's intervals; quantiles are those of Hyndman and Fan (1996), definition 7.
"""

from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version

from soak.runner.predict import early
from soak.runner.predict.figures import CONFIDENCE, distribution_of, share_of
from soak.runner.predict.request import Request
from soak.runner.predict.table import column
from soak.runner.replications.replication import Replication
from soak.schemas.evidence.prediction import (
    SCHEMA_VERSION,
    AbortPrediction,
    Decision,
    Doubt,
    First,
    FirstToBreak,
    ObjectivePrediction,
    Observed,
    OutcomeShare,
    Prediction,
    Share,
    Stopped,
)
from soak.schemas.evidence.verdict import Outcome, Status
from soak.schemas.language.conditions import Objective
from soak.schemas.language.load import Loaded
from soak.schemas.language.model import Scenario


def predict(loaded: Loaded, request: Request, made: Sequence[Replication], stopped: Stopped) -> Prediction:
    """The prediction that the replications give; their order does not matter."""
    scenario = loaded.scenario
    passed = share_of(sum(each.verdict is Outcome.PASS for each in made), len(made))
    objectives = [_objective(each, number, made) for number, each in enumerate(scenario.objectives)]
    aborts = [_abort(condition.name, condition.text, made) for condition in scenario.aborts]
    return Prediction(
        schema_version=SCHEMA_VERSION,
        scenario=scenario.name,
        title=scenario.title,
        scenario_sha256=loaded.sha256,
        version=version("soak-runner"),
        seed=scenario.seed,
        duration_s=scenario.duration_s,
        asked=request.replications,
        made=len(made),
        stopped=stopped,
        confidence=CONFIDENCE,
        precision=request.precision,
        required=request.required,
        decision=None if request.required is None else decide(passed, request.required),
        pass_probability=passed,
        verdicts=[OutcomeShare(each, _verdict_share(made, each)) for each in Outcome],
        objectives=objectives,
        first_to_break=first_to_break(objectives, aborts, len(made) - passed.count),
        aborts=aborts,
        doubts=_doubts(made),
        decided=early.decided(made, scenario.duration_s),
        decidable=early.decidable(made, scenario.duration_s),
    )


def decide(passed: Share, required: float) -> Decision:
    """MET when the whole interval is at or above what is required, MISSED when it is below, else UNDECIDED."""
    low, high = passed.interval
    if low >= required:
        return Decision.MET
    return Decision.MISSED if high < required else Decision.UNDECIDED


def observed(scenario: Scenario, made: Sequence[Replication]) -> Observed:
    """The values that plots are drawn from."""
    pairs = [[each.objectives[number] for each in made] for number in range(len(scenario.objectives))]
    return Observed(
        values=[[each.value for each in row if each.value is not None] for row in pairs],
        margins=[[each.margin for each in row if each.margin is not None] for row in pairs],
        statuses=[[each.status for each in row if each.margin is not None] for row in pairs],
        abort_times_s={each.name: _abort_times(each.name, made) for each in scenario.aborts},
    )


def _verdict_share(made: Sequence[Replication], verdict: Outcome) -> Share:
    return share_of(sum(each.verdict is verdict for each in made), len(made))


def _objective(objective: Objective, number: int, made: Sequence[Replication]) -> ObjectivePrediction:
    outcomes = [each.objectives[number] for each in made]
    counts = Counter(each.status for each in outcomes)
    margins = [each.margin for each in outcomes if each.margin is not None]
    margin = distribution_of(margins)
    varies = margin is not None and margin.max > margin.min
    comparison = objective.comparison
    return ObjectivePrediction(
        objective=comparison.text,
        column=column(number),
        sli=comparison.sli.name,
        op=objective.op.value,
        unit=objective.unit.value,
        target=objective.comparison.limit if objective.share is None else objective.share,
        holds=share_of(counts[Status.PASS], len(made)),
        broken=share_of(counts[Status.FAIL], len(made)),
        inconclusive=share_of(counts[Status.INCONCLUSIVE], len(made)),
        unobserved=sum(each.value is None for each in outcomes),
        value=distribution_of([each.value for each in outcomes if each.value is not None]),
        margin=margin,
        margin_varies=varies,
        deviations=margin.mean / margin.sd if margin and margin.sd and varies else None,
    )


def first_to_break(
    objectives: Sequence[ObjectivePrediction], aborts: Sequence[AbortPrediction], not_passed: int
) -> FirstToBreak:
    """What breaks first (see `FirstToBreak`); of equal ones an abort condition, which ended the run, and the first of a kind."""
    worst = max(objectives, key=lambda each: each.broken.count, default=None)
    ending = max(aborts, key=lambda each: each.share.count, default=None)
    if ending and ending.share.count >= max(1, worst.broken.count if worst else 0):
        return FirstToBreak(None, First.ABORTED, ending.share.count, not_passed, None, ending.name)
    if worst and worst.broken.count:
        return FirstToBreak(worst.objective, First.BROKEN, worst.broken.count, not_passed, worst.deviations)
    withheld = max(objectives, key=lambda each: each.inconclusive.count, default=None)
    if withheld and withheld.inconclusive.count and not_passed:
        count = withheld.inconclusive.count
        return FirstToBreak(withheld.objective, First.WITHHELD, count, not_passed, withheld.deviations)
    distances = [(abs(each.deviations), each) for each in objectives if each.deviations is not None]
    if not distances:
        return FirstToBreak(None, First.NONE, 0, not_passed, None)
    nearest = min(distances, key=lambda each: each[0])[1]
    return FirstToBreak(nearest.objective, First.MARGIN, 0, not_passed, nearest.deviations)


def _abort(name: str, when: str, made: Sequence[Replication]) -> AbortPrediction:
    times_s = _abort_times(name, made)
    return AbortPrediction(name, when, share_of(len(times_s), len(made)), distribution_of(times_s))


def _abort_times(name: str, made: Sequence[Replication]) -> list[float]:
    return [each.ended_s for each in made if each.aborted_by == name]


def _doubts(made: Sequence[Replication]) -> list[Doubt]:
    """Most frequent first."""
    counts = Counter(what for each in made if each.verdict is not Outcome.PASS for what in set(each.doubts))
    return [Doubt(what, count) for what, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
