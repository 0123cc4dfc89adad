"""Integrity laws: what must be true of every run, whatever the scenario."""

import math
from collections.abc import Iterator

from soak.runner.judge.judge import Judge
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.systems.calls import CallTracker
from soak.schemas.evidence.verdict import LawResult, Status
from soak.schemas.units import show_duration

_TOLERANCE = 1e-6


def judge_laws(judge: Judge) -> list[LawResult]:
    """Every law; one that is broken while events are known to be lost is INCONCLUSIVE, since the loss could explain it."""
    lost = judge.telemetry.lost_events
    results = []
    for name, description, broken, detail in _laws(judge):
        if lost and broken != 0:
            results.append(
                LawResult(name, description, Status.INCONCLUSIVE, broken, f"{detail}; {lost} events were lost")
            )
        else:
            status = Status.INCONCLUSIVE if broken is None else Status.FAIL if broken else Status.PASS
            results.append(LawResult(name, description, status, broken, detail))
    return results


def _laws(judge: Judge) -> Iterator[tuple[str, str, float | None, str]]:
    lifecycle = judge.lifecycle
    lost = lifecycle.uncounted_tasks()
    yield (
        "conservation",
        "every accepted task is in exactly one state at the end",
        None if lost is None else float(abs(lost)),
        "the system reported no census of its tasks"
        if lost is None
        else f"{lifecycle.accepted} accepted, {lifecycle.accepted - lost} in the census"
        if lost
        else "",
    )
    illegal = judge.sli_value(judge.scenario.slis["illegal_transitions"])
    yield (
        "legal_transitions",
        "no task changes state outside the state machine",
        illegal,
        f"{illegal:.0f} illegal transitions" if illegal else "",
    )
    if judge.calls:
        yield _answers(judge.calls)
    else:
        yield _ledger_agreement(lifecycle)
        yield _redelivery(lifecycle, complete=not judge.telemetry.lost_events)
    if judge.scenario.repeat > 1:
        yield _consistency(judge)
    yield _littles_law(judge)


def _ledger_agreement(lifecycle: Lifecycle) -> tuple[str, str, float | None, str]:
    mismatches = lifecycle.ledger_mismatches
    return (
        "ledger_agreement",
        "no task is DONE by an attempt that failed according to the execution ledger",
        float(mismatches),
        f"{mismatches} tasks DONE contrary to the ledger" if mismatches else "",
    )


def _redelivery(lifecycle: Lifecycle, *, complete: bool) -> tuple[str, str, float | None, str]:
    stranded = lifecycle.stranded()
    name, description = "redelivery", "work whose worker died is started again"
    allowed = show_duration(stranded.allowed_s)
    if stranded.lost:
        detail = f"{stranded.lost} tasks were never started again, although nothing else ran for longer than {allowed}"
        return name, description, float(stranded.lost), detail
    if stranded.waiting:
        lacking = show_duration(math.ceil(stranded.lacking_s) or 1)
        not_yet = f"{stranded.waiting} tasks had not been started again; that may take {allowed}"
        remedy = f" (raise drain by {lacking})" if complete else ""
        return name, description, None, f"{not_yet} once nothing else runs{remedy}"
    return name, description, 0.0, ""


def _answers(calls: CallTracker) -> tuple[str, str, float | None, str]:
    return (
        "answers",
        "no task is DONE without a successful call",
        float(calls.unanswered),
        f"{calls.unanswered} tasks DONE without a successful call" if calls.unanswered else "",
    )


def _consistency(judge: Judge) -> tuple[str, str, float | None, str]:
    """Repeated simulations are identical."""
    made, asked, differing = len(judge.repeats), judge.scenario.repeat - 1, sum(judge.repeats)
    what = f"{asked + 1} runs of the scenario are identical"
    if made < asked:
        return "consistency", what, None, f"only {made + 1} of {asked + 1} were made"
    return "consistency", what, float(differing), f"{differing} events differ" if differing else ""


def _littles_law(judge: Judge) -> tuple[str, str, float | None, str]:
    area, sojourn = judge.lifecycle.littles_law()
    apart = abs(area - sojourn) > _TOLERANCE * max(1.0, area)
    return (
        "littles_law",
        "the time-averaged number in the system is the arrival rate times the mean time in it",
        float(apart),
        f"{area:.1f} task-seconds as area under the number in the system, {sojourn:.1f} summed over tasks"
        if apart
        else "",
    )
