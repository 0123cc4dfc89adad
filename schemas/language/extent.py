"""Limits on the size of a scenario: a run that would never end or not fit is refused before it starts."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from soak.schemas import units
from soak.schemas.errors import Problem
from soak.schemas.language.arrival_checks import MAX_OCCURRENCES, MOST_PIECES, planned_arrivals
from soak.schemas.language.view import View
from soak.schemas.units import show_duration

MAX_RUN_S = 366 * 86_400.0
MAX_ARRIVALS = 120_000_000
MAX_SAMPLES = 2_000_000
MAX_STATUS_ROWS = 1_000


_FIT: tuple[tuple[str, str, int, tuple[str, ...]], ...] = (
    ("checkpoints", "every", MAX_STATUS_ROWS, ("12h", "1d", "2d")),
    ("telemetry", "sample_interval", MAX_SAMPLES, ("2m", "5m", "10m")),
)
"""Intervals whose defaults grow with the run: how often they may come round, and to what the default then grows."""


def fitted(filled: Any, data: Any) -> Any:
    """`filled`, with what depends on more than one key: an interval that `data` does not write at the smallest of its defaults
    that the run has room for, and phases that begin when the one before ends."""
    run_s, filled = _run_s(filled), _one_after_the_other(filled)
    for section, key, most, longer in _FIT:
        written = data.get(section) if isinstance(data, dict) else None
        inner = filled.get(section)
        if run_s is None or not isinstance(inner, dict) or (isinstance(written, dict) and key in written):
            continue
        choices = [inner[key], *longer]
        fits = (each for each in choices if run_s / units.duration(each) <= most)
        chosen = next(fits, longer[-1])
        if chosen != inner[key]:
            filled = {**filled, section: {**inner, key: chosen}}
    return filled


def _one_after_the_other(filled: Any) -> Any:
    """With a start of every phase that has none, as far as those before it have a length."""
    phases, end = filled.get("phases") if isinstance(filled, dict) else None, "0s"
    if not isinstance(phases, list) or all(isinstance(each, dict) and "at" in each for each in phases):
        return filled
    found = []
    for phase in phases:
        if not isinstance(phase, dict):
            return filled
        found.append({**phase, "at": phase.get("at", end)})
        try:
            end_s = units.duration(found[-1]["at"]) + units.duration(phase["for"])
        except (KeyError, TypeError, ValueError, AttributeError):
            return {**filled, "phases": [*found, *phases[len(found) :]]}
        end = f"{end_s:.6f}".rstrip("0").rstrip(".") + "s"
    return {**filled, "phases": found}


def _run_s(filled: Any) -> float | None:
    """How long a run takes, with its drain; None where that is not known or not allowed."""
    try:
        run_s = units.duration(filled["duration"]) + units.duration(filled["drain"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return run_s if run_s <= 2 * MAX_RUN_S else None


def _run_length(view: View) -> Iterator[Problem]:
    for key in ("duration", "drain"):
        length_s = view.duration(key)
        if length_s is not None and length_s > MAX_RUN_S:
            yield view.problem(
                (key,), f"is longer than the maximum of {show_duration(MAX_RUN_S)}", "write a shorter one"
            )


def _arrivals(view: View) -> Iterator[Problem]:
    arrivals = ("workload", "arrivals")
    duration_s, base, burst = (
        view.duration("duration"),
        view.rate(*arrivals, "rate"),
        view.rate(*arrivals, "burst", "rate"),
    )
    every_s, for_s = view.duration(*arrivals, "burst", "every"), view.duration(*arrivals, "burst", "for")
    if duration_s is None or view.get("workload", "tasks") is not None:
        return
    if (planned := planned_arrivals(view)) is not None:
        if math.isinf(planned):
            what = f"changes the rate more than {MOST_PIECES:,} times"
            yield view.problem((*arrivals, "stages"), what, "write longer stages, or repeat: false", at_key=True)
        elif planned > MAX_ARRIVALS:
            what = _asks_for(planned, MAX_ARRIVALS, "arrivals")
            yield view.problem(arrivals, what, "lower the rate, or shorten the run")
        return
    if base is None:
        return
    burst_s = _time_in_bursts(duration_s, every_s, for_s) if every_s and for_s and burst is not None else 0.0
    in_bursts, between = burst_s * (burst or 0.0), (duration_s - burst_s) * base
    if in_bursts + between > MAX_ARRIVALS:
        where = (*arrivals, "burst", "rate") if in_bursts > between else (*arrivals, "rate")
        what = _asks_for(in_bursts + between, MAX_ARRIVALS, "arrivals")
        yield view.problem(where, what, "lower the rate, or shorten the run")


def _time_in_bursts(duration_s: float, every_s: float, for_s: float) -> float:
    whole, rest = divmod(duration_s, every_s)
    return min(duration_s, whole * for_s + min(rest, for_s))


def _observations(view: View) -> Iterator[Problem]:
    duration_s, drain_s = view.duration("duration"), view.duration("drain")
    sample_s, row_s = view.duration("telemetry", "sample_interval"), view.duration("checkpoints", "every")
    if duration_s is None or drain_s is None or duration_s + drain_s > 2 * MAX_RUN_S:
        return
    run_s = duration_s + drain_s
    if sample_s and run_s / sample_s > MAX_SAMPLES:
        what = _asks_for(run_s / sample_s, MAX_SAMPLES, "samples")
        yield view.problem(("telemetry", "sample_interval"), what, "write a longer interval")
    if row_s and run_s / row_s > MAX_STATUS_ROWS:
        what = _asks_for(run_s / row_s, MAX_STATUS_ROWS, "status rows")
        yield view.problem(("checkpoints", "every"), what, "write a longer time")


def _occurrences(view: View) -> Iterator[Problem]:
    duration_s = view.duration("duration")
    arrivals = ("workload", "arrivals")
    recurring = (
        where
        for key in (("faults",), (*arrivals, "bursts"), (*arrivals, "scheduled"))
        for where, _ in view.entries(*key)
    )
    for where in ((*arrivals, "burst"), *recurring):
        every_s = view.duration(*where, "every")
        if duration_s and every_s and duration_s / every_s > MAX_OCCURRENCES:
            what = _asks_for(duration_s / every_s, MAX_OCCURRENCES, "occurrences")
            yield view.problem((*where, "every"), what, "write a longer time")


def _asks_for(count: float, most: int, what: str) -> str:
    return f"needs about {math.ceil(count):,} {what}, and the maximum is {most:,}"


EXTENT_CHECKS: tuple[Callable[[View], Iterator[Problem]], ...] = (_run_length, _arrivals, _observations, _occurrences)
