"""When a verdict was known, in words: for the reports and the terminal."""

from collections.abc import Mapping

from msgspec import Struct

from soak.schemas.evidence.decided import Decided, DecidedObjective
from soak.schemas.evidence.verdict import Verdict
from soak.schemas.units import show_duration, show_ratio


def summary(verdict: Verdict) -> str:
    """A sentence for a terminal; empty where the verdict was not known before the end."""
    known = verdict.decided
    if known is None:
        return ""
    if known.stopped:
        at_s = known.at_s if known.at_s is not None else known.decidable_at_s
        but = "" if known.at_s is not None else " but for what only the end decides"
        of = f"{show_duration(verdict.duration_s)} of arrivals"
        return f"ended early, of {of}: decided at {_at(at_s)}{but}, wrongly with at most {show_ratio(known.error)}"
    if known.at_s is not None and known.at_s < min(verdict.duration_s, verdict.ended_s):
        return f"{known.status} was known at {_at(known.at_s)} (--stop-when-decided ends a run there)"
    if known.decidable_at_s is not None and known.decidable_at_s < verdict.duration_s:
        return f"known at {_at(known.decidable_at_s)}, but for what only the end decides (--stop-when-decidable)"
    return ""


class Known(Struct, frozen=True):
    """The section of a report: what it says first, a row for each objective, how often it was looked."""

    sentence: str
    rows: list[tuple[str, str]]
    looked: str


def section(verdict: Verdict) -> Known | None:
    """The section of a report; None where the verdict was not known before the end, or the evidence does not say."""
    known, said = verdict.decided, summary(verdict)
    if known is None or not said:
        return None
    limit = f"an error of at most {show_ratio(known.error)}, of all objectives in all looks together"
    error = f"Known means: with {limit}, if the system goes on as it was seen."
    first = f"{said[0].upper()}{said[1:]}. {error}{_unseen(known)}"
    return Known(
        first, _rows(known, {each.objective: each.status.value for each in verdict.objectives}), _looked(known)
    )


def _rows(known: Decided, ended: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(each.objective, _found(each, ended.get(each.objective, ""))) for each in known.objectives]


def _unseen(known: Decided) -> str:
    """What may have been missed: with 5 % nothing was seen yet of what comes at random that often (exp(-3) = 0.05)."""
    at_s = known.at_s if known.at_s is not None else known.decidable_at_s
    if at_s is None or known.status == "FAIL":
        return ""
    return f" What happens less often than every {show_duration(round(at_s / 3))}, such as a rare outage, may not have been seen."


def _found(objective: DecidedObjective, ended: str) -> str:
    """As what and since when an objective is known, or what kept it from being known. ended: its result."""
    if objective.at_s is None:
        return objective.waits
    bounds = objective.bounds
    within = f", a share from {show_ratio(bounds[0])} to {show_ratio(bounds[1])}" if bounds else ""
    if ended in {"PASS", "FAIL"} and objective.status in {"PASS", "FAIL"} and ended != objective.status:
        looked = f"looked like {objective.status} at {_at(objective.at_s)}{within}"
        return f"{looked}, and ended as {ended}: something changed after that"
    return f"{objective.status} at {_at(objective.at_s)}{within}"


def _looked(known: Decided) -> str:
    """How often it was looked, and what had not happened yet."""
    cycle = f" (whole cycles of {show_duration(known.cycle_s)})" if known.cycle_s else ""
    waits = f" Waited for: {', '.join(known.waits)}." if known.waits else ""
    return f"Looked at after whole steps of {show_duration(known.every_s)}{cycle}.{waits}"


def _at(t_s: float | None) -> str:
    return "the end" if t_s is None else show_duration(t_s)
