"""Integrity laws: what must be true of every run, whatever the scenario."""

from collections.abc import Iterator

from soak.runner.judge.judge import Judge
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.room import Law
from soak.schemas.evidence.verdict import LawResult, Status
from soak.schemas.language.registry import language_of
from soak.schemas.language.slis import ILLEGAL_TRANSITIONS

_TOLERANCE = 1e-6


def judge_laws(judge: Judge) -> list[LawResult]:
    """Every law; one that is broken while events are known to be lost is INCONCLUSIVE, since the loss could explain it."""
    lost = judge.telemetry.lost_events
    results = []
    for law in _laws(judge):
        if not law.applies:
            results.append(LawResult(law.name, law.description, Status.NOT_APPLICABLE, None, law.detail))
            continue
        status = Status.INCONCLUSIVE if law.broken is None else Status.FAIL if law.broken else Status.PASS
        detail = law.detail
        if lost and law.broken != 0:
            status, detail = Status.INCONCLUSIVE, f"{detail}; {lost} events were lost"
        results.append(LawResult(law.name, law.description, status, law.broken, detail))
    return results


def _laws(judge: Judge) -> Iterator[Law]:
    lifecycle, has_tasks = judge.lifecycle, language_of(judge.scenario.system).work is None
    if has_tasks:
        yield _conservation(lifecycle)
        illegal = judge.sli_value(ILLEGAL_TRANSITIONS)
        yield Law(
            "legal_transitions",
            "no task changes state outside the state machine",
            illegal,
            f"{illegal:.0f} illegal transitions" if illegal else "",
        )
    yield from lifecycle.tracker.laws(lifecycle, complete=not judge.telemetry.lost_events)
    if judge.scenario.repeat > 1:
        yield _consistency(judge)
    if has_tasks:
        yield _littles_law(judge)


def _conservation(lifecycle: Lifecycle) -> Law:
    """A task that was acknowledged early and died with its worker may be in no state: the scenario allows that."""
    if own := lifecycle.tracker.conservation(lifecycle):
        return own
    uncounted, allowed = lifecycle.uncounted_tasks(), lifecycle.known_lost
    what = "every accepted task is in exactly one state at the end"
    if allowed:
        what = f"{what}, or died with its worker after it had been acknowledged"
    if uncounted is None:
        return Law("conservation", what, None, "the system reported no census of its tasks")
    broken = uncounted - min(max(uncounted, 0), allowed)
    known = f", {allowed} known to be lost" if allowed else ""
    detail = f"{lifecycle.accepted} accepted, {lifecycle.accepted - uncounted} in the census{known}"
    return Law("conservation", what, float(abs(broken)), detail if broken or allowed else "")


def _consistency(judge: Judge) -> Law:
    """Repeated simulations are identical."""
    made, asked, differing = len(judge.repeats), judge.scenario.repeat - 1, sum(judge.repeats)
    what = f"{asked + 1} runs of the scenario are identical"
    if made < asked:
        return Law("consistency", what, None, f"only {made + 1} of {asked + 1} were made")
    return Law("consistency", what, float(differing), f"{differing} events differ" if differing else "")


def _littles_law(judge: Judge) -> Law:
    area, sojourn = judge.lifecycle.littles_law()
    apart = abs(area - sojourn) > _TOLERANCE * max(1.0, area)
    return Law(
        "littles_law",
        "the time-averaged number in the system is the arrival rate times the mean time in it",
        float(apart),
        f"{area:.1f} task-seconds as area under the number in the system, {sojourn:.1f} summed over tasks"
        if apart
        else "",
    )
