"""What went on around the lines of any chart of a run: shaded faults, bursts, phases and alerts, and marked moments."""

from collections.abc import Iterator

import numpy as np

from soak.reports.data import MINUTE_S, RunData
from soak.reports.look.charts import Band, Kind, Lane, Mark
from soak.reports.look.palette import SERIES, Role
from soak.reports.room import ask, room_of
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.language.rhythms import burst_windows
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration

_MOST_BURSTS = 200
"""More of them shade everything, and are left to the lanes."""
_MOST_FIRINGS = 50
_MOST_CELLS = 400


def bands(run: RunData) -> list[Band]:
    """Windows of faults, bursts, phases, alerts, and time that was not observed, as far as the run went."""
    ended_s = run.verdict.ended_s
    found = [
        Band(window.start_s, min(window.end_s, ended_s), f"fault {fault.name}", Kind.FAULT)
        for fault in run.scenario.faults
        for window in fault.windows
        if window.start_s < ended_s
    ]
    bursts = [
        Band(window.start_s, min(window.end_s, ended_s), "burst", Kind.BURST)
        for window in burst_windows(run.scenario)
        if window.start_s < ended_s
    ]
    found += bursts if len(bursts) <= _MOST_BURSTS else []
    # Every second phase, so that neighbours differ.
    found += [
        Band(phase.window.start_s, min(phase.window.end_s, ended_s), f"phase {phase.name}", Kind.PHASE)
        for place, phase in enumerate(run.scenario.phases)
        if place % 2 and phase.window.start_s < ended_s
    ]
    firings = [band for lane in _alerts(run) for band in lane.bands]
    found += firings if len(firings) <= _MOST_FIRINGS else []
    found += [Band(each.at_s, each.at_s + each.gap_s, "not observed", Kind.GAP) for each in run.verdict.resumes]
    return found


def marks(run: RunData) -> list[Mark]:
    """Where an abort condition ended the run."""
    return [
        Mark(abort.held_at_s, f"abort: {abort.name}") for abort in run.verdict.aborts if abort.held_at_s is not None
    ]


def steps(run: RunData, indicator: str) -> list[Mark]:
    """Where an indicator stepped, all tasks together."""
    return [
        Mark(point.at_s, f"step of {entry.indicator}", Role.PURPLE)
        for entry in run.verdict.change_points
        if entry.indicator.startswith(indicator) and not entry.labels
        for point in entry.points
        if point.kind is ChangeKind.STEP
    ]


def lanes(run: RunData) -> list[Lane]:
    """Faults, alerts and phases, a row each: faults by rate as strong as they were frequent."""
    return [*_phases(run), *_faults(run), *_alerts(run), *_own(run)]


def _phases(run: RunData) -> Iterator[Lane]:
    ended_s = run.verdict.ended_s
    if run.scenario.phases:
        found = [
            Band(each.window.start_s, min(each.window.end_s, ended_s), each.name, Kind.PHASE, 0.35 + 0.45 * (place % 2))
            for place, each in enumerate(run.scenario.phases)
            if each.window.start_s < ended_s
        ]
        yield Lane("phases", Role.BLUE, found)


def _faults(run: RunData) -> Iterator[Lane]:
    ended_s, injected = run.verdict.ended_s, run.metrics.named("injected")
    for place, fault in enumerate(run.scenario.faults):
        if fault.name in injected and not fault.windows:
            yield Lane(fault.name, SERIES[place % len(SERIES)], list(_cells(run, injected[fault.name])))
        else:
            windows = [window for window in fault.windows if window.start_s < ended_s]
            found = [Band(each.start_s, min(each.end_s, ended_s), fault.name, Kind.FAULT, 0.85) for each in windows]
            yield Lane(fault.name, Role.BAD, found)


def _cells(run: RunData, counts: Floats) -> Iterator[Band]:
    """How often a fault struck in each stretch of time, the strongest where it was most."""
    step = -(-len(counts) // _MOST_CELLS) or 1
    padded = np.zeros(-(-len(counts) // step) * step)
    padded[: len(counts)] = counts
    sums = padded.reshape(-1, step).sum(axis=1)
    most = max(float(sums.max(initial=0.0)), 1.0)
    for place in np.flatnonzero(sums).tolist():
        end_s = min((place + 1) * step * MINUTE_S, run.verdict.ended_s)
        count = float(sums[place])
        yield Band(place * step * MINUTE_S, end_s, f"{count:.0f} times", Kind.FAULT, 0.25 + 0.75 * count / most)


def _alerts(run: RunData) -> Iterator[Lane]:
    ended_s = run.verdict.ended_s
    for alert in run.verdict.alerts:
        firings = [
            Band(
                each.fired_s,
                ended_s if each.resolved_s is None else each.resolved_s,
                f"alert {alert.name}",
                Kind.ALERT,
                0.9,
            )
            for each in alert.firings
        ]
        yield Lane(f"alert {alert.name}", Role.DOUBT, firings)


def _own(run: RunData) -> Iterator[Lane]:
    system, ended_s = run.scenario.system, run.verdict.ended_s
    for name, spans in ask(system, "its lanes of the timeline", room_of(system).lanes, run).items():
        yield Lane(
            name, Role.PURPLE, [Band(start_s, min(end_s, ended_s), name, Kind.ALERT, 0.85) for start_s, end_s in spans]
        )


def resolution(minutes: int) -> str:
    """What a point of a chart stands for, in words."""
    return "one-minute data" if minutes == 1 else f"points of {show_duration(minutes * MINUTE_S)}"
