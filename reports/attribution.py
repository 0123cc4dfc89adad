"""What each fault did and what it cost, in words: the rows of the tables of both reports."""

from collections.abc import Iterator

from msgspec import Struct

from soak.schemas.evidence.attribution import Cost, FaultAttribution, Occasion, Spread
from soak.schemas.language.room import Work
from soak.schemas.units import show_duration, show_ratio

MOST_ROWS = 20
"""The number of windows of a fault that are shown."""


class OccasionRow(Struct, frozen=True):
    """A window of a fault, as cells."""

    fault: str
    injected: str
    lasted: str
    detected: str
    alert: str
    recovered: str
    cost: str


class AttributionTables(Struct, frozen=True):
    """The tables on the faults of a run, and what stands below them.

    occasions: a row for each window. more: by fault how many windows are not shown. spreads: the delays of faults with several
    windows, as sentences. bin_s, breach_otherwise: see `FaultAttribution`. alerts: whether the scenario has any.
    """

    faults: list[FaultAttribution]
    occasions: list[OccasionRow]
    more: dict[str, int]
    spreads: list[str]
    bin_s: float | None
    breach_otherwise: float | None


def attribution_tables(faults: list[FaultAttribution], work: Work | None = None) -> AttributionTables | None:
    """The tables; None for a run without faults, or one of an earlier release. work: of a system without tasks."""
    if not faults:
        return None
    in_windows = [fault for fault in faults if fault.windows]
    return AttributionTables(
        faults=faults,
        occasions=[_row(fault, each, work) for fault in in_windows for each in fault.occasions[:MOST_ROWS]],
        more={fault.fault: fault.windows - MOST_ROWS for fault in in_windows if fault.windows > MOST_ROWS},
        spreads=[f"{fault.fault}: {_spreads(fault)}" for fault in in_windows if fault.windows > 1],
        bin_s=next((fault.bin_s for fault in in_windows), None),
        breach_otherwise=next((fault.breach_otherwise for fault in in_windows), None),
    )


def _row(fault: FaultAttribution, occasion: Occasion, work: Work | None) -> OccasionRow:
    since_s = occasion.injected_s
    if since_s is None:
        return OccasionRow(fault.fault, f"not (planned for {show_duration(occasion.start_s)})", "", "", "", "", "")
    ended_s = occasion.cleared_s
    return OccasionRow(
        fault=fault.fault,
        injected=show_duration(since_s),
        lasted="to the end" if ended_s is None else show_duration(ended_s - since_s),
        detected=_detected(occasion, since_s),
        alert=_alert(fault, occasion, since_s),
        recovered=_recovered(occasion),
        cost=", ".join(_costs(occasion, work)) or "none counted",
    )


def _detected(occasion: Occasion, since_s: float) -> str:
    if occasion.detected_s is None:
        return "never"
    return f"after {show_duration(occasion.detected_s - since_s)} ({occasion.detected_by})"


def _alert(fault: FaultAttribution, occasion: Occasion, since_s: float) -> str:
    if occasion.alerted_s is None:
        return "none fired" if fault.alerts else "no alerts"
    until = "" if occasion.resolved_s is None else f", resolved at {show_duration(occasion.resolved_s)}"
    if occasion.alerted_s < occasion.start_s:
        return f"{occasion.alert} fired already{until}"
    return f"{occasion.alert} after {show_duration(max(0.0, occasion.alerted_s - since_s))}{until}"


def _recovered(occasion: Occasion) -> str:
    if occasion.recovered_s is None:
        return f"not seen: {occasion.not_recovered}"
    since_s = occasion.cleared_s if occasion.cleared_s is not None else occasion.start_s
    return f"after {show_duration(max(0.0, occasion.recovered_s - since_s))}"


def _costs(occasion: Occasion, work: Work | None) -> Iterator[str]:
    yield from cost_words(occasion.cost, work)
    if occasion.still_open:
        yield f"{occasion.still_open:,} task{'' if occasion.still_open == 1 else 's'} open at the end"
    if occasion.late:
        yield f"{occasion.late:,} of {occasion.ended:,} {work.units if work else 'tasks'} late"
    if occasion.breach_s:
        yield f"{show_duration(occasion.breach_s)} in breach"
    if occasion.shared_with and (occasion.late or occasion.breach_s):
        yield f"shared with {' and '.join(occasion.shared_with)}"


def cost_words(cost: Cost, work: Work | None = None) -> Iterator[str]:
    """What carries the cause of a fault, as far as there is any. work: of a system without tasks."""
    words = {
        "lost": (cost.lost, work.unit if work else "task", "lost"),
        "failed": (cost.failed, "task", "failed"),
        "blocked": (cost.blocked, "task", "blocked"),
        "duplicated": (cost.duplicated, work.unit if work else "execution", "too many"),
        "retried": (cost.retried, "attempt", "retried"),
    }
    for count, what, happened in words.values():
        if count:
            yield f"{count:,} {what}{'' if count == 1 else 's'} {happened}"


def _spreads(fault: FaultAttribution) -> str:
    parts = [
        _spread("detected", fault.detected, fault.windows),
        _spread("an alert", fault.alerted, fault.windows) if fault.alerts else "",
        _spread("recovered", fault.recovered, fault.windows),
    ]
    return "; ".join(part for part in parts if part)


def _spread(what: str, spread: Spread | None, windows: int) -> str:
    if spread is None:
        return f"{what} in none of {windows} windows"
    delays = f"after {show_duration(spread.median_s)} (median), at most {show_duration(spread.longest_s)}"
    return f"{what} in {spread.windows} of {windows} windows {delays}"


def breach_words(tables: AttributionTables) -> str:
    """What a time in breach is, of a run that can have any; otherwise empty."""
    if tables.bin_s is None:
        return ""
    share = tables.breach_otherwise
    beside = "" if share is None else f" Of the rest of the run {show_ratio(round(share, 4))} is in breach."
    return (
        f"In breach is the time in bins of {show_duration(tables.bin_s)} in which the indicator of an objective, over the bin "
        f"alone, is on the wrong side.{beside}"
    )
