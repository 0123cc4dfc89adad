"""Ending a run once its verdict is known: arrivals end, the system drains, and its census is taken as in any other run."""

import contextlib
import math
from collections.abc import Callable

from soak.runner.judge.decide import decide
from soak.runner.judge.judge import Judge
from soak.runner.targets.base import Target
from soak.schemas.evidence.verdict import End, ReasonKind, Status
from soak.schemas.stream.block import tick
from soak.schemas.stream.identity import Identity
from soak.simulation.plan import Plan

ALL, DECIDABLE = "all", "decidable"
"""What is waited for: every objective, or all but those that only the end decides."""

_MARGIN_REAL_S = 2.0
"""Arrivals of a real run end this long after the events that decided: by then no submission has gone further."""


def end_simulation_early(plan: Plan, target: Target, identity: Identity, interrupted: Callable[[], bool]) -> None:
    """Let arrivals of a simulation end when its verdict is known, which takes a simulation to find out."""
    first = plan.again()
    judge = Judge.of(first.scenario, first.vocabulary, identity)
    with contextlib.closing(target.run(first)) as blocks:
        for block in blocks:
            for _ in judge.observe(block):
                pass
            if judge.aborted_by or interrupted() or _known_s(judge, identity) < math.inf:
                break
    plan.end_arrivals(_known_s(judge, identity))


def end_early(plan: Plan, judge: Judge, identity: Identity) -> None:
    """Let arrivals of a real run end if its verdict is known, and what was observed so far gives that verdict."""
    if plan.ends_s < plan.scenario.duration_s or _known_s(judge, identity) > judge.until_s:
        return
    verdict = decide(judge, identity, End.DECIDED, with_findings=False)
    statuses = [each.status for each in verdict.applicable]
    late = any(reason.kind is ReasonKind.LATENESS for reason in verdict.typed_reasons)
    failed = judge.deciding.failed_s <= judge.until_s
    if Status.FAIL in statuses if failed else not late and all(status is Status.PASS for status in statuses):
        plan.end_arrivals(tick(judge.until_s + _MARGIN_REAL_S * identity.speed))


def _known_s(judge: Judge, identity: Identity) -> float:
    return judge.deciding.stops_s(decidable=identity.stop == DECIDABLE)
