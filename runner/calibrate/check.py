"""The held-back part of a run against replications of the calibrated model, over the whole run and looked at in that part."""

import math
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from msgspec.structs import replace

from soak.runner.interruption import listening
from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.runner.replications.replication import jobs_in_turn
from soak.runner.replications.series import series
from soak.runner.replications.worker_pool import WorkerPool
from soak.schemas.evidence.calibration import Answer, Check, SliPrediction
from soak.schemas.evidence.verdict import End
from soak.schemas.language.conditions import Comparison, Objective
from soak.schemas.language.expression import Op
from soak.schemas.language.model import Phase, Scenario
from soak.schemas.language.windows import Window
from soak.schemas.stream.block import Block, Floats
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.vocabulary import Vocabulary

SLIS = ("success_rate", "latency_mean", "latency_p50", "latency_p95", "wait_mean", "recovery_rate", "throughput")
LEAST_TASKS = 20
"""Tasks of the held-back part that must have ended: of fewer, nearly every model could be right."""
LEAST_REPLICATIONS = 40
"""With fewer, no observation is outside of 95 % of them."""
_ALPHA = 0.05
_PHASE = "held-back"


def looked_at(scenario: Scenario, held: Window, *, whole: bool) -> Scenario:
    """The scenario with the SLIs of the held-back part for objectives, and nothing that would end a run early.

    A run that ended before its time is one without a drain.
    """
    objectives = tuple(
        Objective(
            Comparison(name, scenario.slis[name], (("phase", _PHASE),), Op.GE, 0.0), min_samples=1, confidence=None
        )
        for name in SLIS
    )
    return replace(
        scenario,
        phases=(Phase(_PHASE, held),),
        objectives=objectives,
        alerts=(),
        aborts=(),
        duration_s=scenario.duration_s if whole else held.end_s,
        drain_s=scenario.drain_s if whole else 0.0,
    )


def observe(
    scenario: Scenario, vocabulary: Vocabulary, identity: Identity, blocks: Iterable[Block]
) -> tuple[Floats, int]:
    """What was observed: each of SLIS over the held-back part (NaN: nothing), and how many of its tasks ended."""
    judge = Judge(scenario, vocabulary, abort=False)
    for block in blocks:
        for _ in judge.observe(block):
            pass
    verdict = decide(judge, identity, End.COMPLETED, with_findings=False)
    values = [each.value for each in verdict.objectives]
    return _numbers(values), verdict.objectives[0].samples


def replicate(
    scenarios: Sequence[Scenario], count: int, base: int, arrivals_seed: int | None, pool: WorkerPool
) -> Floats:
    """The SLIs of `count` replications, a row for each; the scenarios take turns: they differ in what is not sure.

    Raises KeyboardInterrupt when they are interrupted.
    """
    rows: list[Floats] = []
    wanted = islice(jobs_in_turn(scenarios, base, arrivals_seed), count)
    with listening() as interrupted, series(pool, wanted, count, interrupted=interrupted) as (results, show):
        for result in results:
            rows.append(_numbers([each.value for each in result.objectives]))
            show(len(rows), "")
    if len(rows) < count:
        raise KeyboardInterrupt
    return np.array(rows)


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([math.nan if value is None else value for value in values])


def judge_predictions(scenario: Scenario, observed: Floats, tasks: int, rows: Floats, least: float) -> Check:
    """Whether what was observed could be one of the replications, over all SLIs together.

    What lies outside by no more than `least`, relative to the nearer bound, does not matter.
    """
    count = len(rows)
    apart, apart_rows = _deviations(observed, rows)
    farthest = apart_rows.max(axis=1)
    predictions = []
    for place, name in enumerate(SLIS):
        known = rows[:, place][~np.isnan(rows[:, place])]
        value = float(observed[place])
        comparable = not math.isnan(value) and len(known) > count / 2
        # One more replication is below the k-th of n with a probability of k / (n + 1): Weibull's places of quantiles.
        shares = [_ALPHA / 2, 0.5, 1 - _ALPHA / 2]
        low, middle, high = np.quantile(known, shares, method="weibull") if len(known) else [math.nan] * 3
        predictions.append(
            SliPrediction(
                sli=name,
                unit=scenario.slis[name].unit.value,
                observed=_number(value),
                median=_number(middle),
                low=_number(low),
                high=_number(high),
                inside=bool(_just_below(low) <= value <= _just_above(high)) if comparable else None,
                p=float((np.count_nonzero(farthest >= apart[place]) + 1) / (count + 1)) if comparable else None,
            )
        )
    return _answered(predictions, tasks, count, least)


def _just_below(value: float) -> float:
    return value - 1e-9 * abs(value)


def _just_above(value: float) -> float:
    return value + 1e-9 * abs(value)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _deviations(observed: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """How far each value is from the middle of all, in units of how far they spread to its side.

    The observation is one among them, so that under the model every row is as likely to be the farthest (the step-down
    max-T of Westfall and Young, 1993, in its single step).
    """
    every = np.vstack([rows, observed])
    result = np.zeros(every.shape)
    for place in range(every.shape[1]):
        column = every[:, place]
        known = column[~np.isnan(column)]
        if len(known) and float(np.ptp(known)) > 0:
            low, middle, high = np.quantile(known, [_ALPHA / 2, 0.5, 1 - _ALPHA / 2])
            spread = float(known.std())
            scale = np.where(column >= middle, max(high - middle, spread / 2), max(middle - low, spread / 2))
            result[:, place] = np.nan_to_num(np.abs(column - middle) / scale)
    return result[-1], result[:-1]


def _beyond(each: SliPrediction) -> float:
    """How far an observation lies outside, relative to the bound that it is beyond."""
    assert each.observed is not None and each.low is not None and each.high is not None
    bound = each.high if each.observed > each.high else each.low
    return abs(each.observed - bound) / abs(bound) if bound else math.inf


def _answered(predictions: list[SliPrediction], tasks: int, count: int, least: float) -> Check:
    compared = [each for each in predictions if each.inside is not None]
    outside = [each for each in compared if not each.inside]
    wrong = [each for each in outside if each.p is not None and each.p <= _ALPHA and _beyond(each) > least]
    answer, reasons = Answer.PREDICTS, []
    if tasks < LEAST_TASKS:
        answer = Answer.TOO_LITTLE
        reasons = [f"{tasks} of at least {LEAST_TASKS} tasks ended in the held-back part"]
    elif count < LEAST_REPLICATIONS:
        answer = Answer.TOO_LITTLE
        reasons = [f"{count} of at least {LEAST_REPLICATIONS} replications were made"]
    elif wrong:
        answer = Answer.DOES_NOT
        reasons = [f"{each.sli} is farther out than chance explains (p = {each.p:.2g})" for each in wrong]
    return Check(
        answer=answer,
        reasons=reasons,
        tasks=tasks,
        replications=count,
        predictions=predictions,
        compared=len(compared),
        outside=len(outside),
        least=least,
        expected=_ALPHA * len(compared),
    )
