"""Checks of an objective that is a mapping: its confidence level, windows and warning level."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from soak.schemas import units
from soak.schemas.errors import Problem, Where
from soak.schemas.language.comparison import CONFIDENT, Context
from soak.schemas.language.conditions import Comparison
from soak.schemas.language.expression import UnclearError
from soak.schemas.language.slis import Sli
from soak.schemas.language.view import View
from soak.schemas.language.windowed import in_windows, warning_levels

MAX_WINDOWS = 1_000_000
"""Windows that follow one another in a run, at most."""


def entry_problems(
    view: View, where: Where, entry: Mapping[str, Any], comparisons: Sequence[Comparison], context: Context
) -> Iterator[Problem]:
    """What is wrong with an entry of `slos:` beside its objective, which is that of `comparisons`."""
    windows = "window" in entry
    if windows:
        yield from _windows(view, where, entry, comparisons[0])
    elif "in" in entry:
        yield view.problem((*where, "in"), "is a share of windows, but there is no window", "add window: 1m")
    if windows and "in" not in entry and "confidence" in entry:
        what = "an objective in every window has no confidence interval"
        yield view.problem((*where, "confidence"), what, "remove confidence, or add in: 99%")
    elif not windows:
        yield from _confidence(view, where, comparisons[0].sli)
    else:
        yield from _level(view, where)
    if isinstance(warn := entry.get("warn"), str) and warn:
        yield from _warning(view, where, entry, warn, context)


def _windows(view: View, where: Where, entry: Mapping[str, Any], comparison: Comparison) -> Iterator[Problem]:
    window_s = view.duration(*where, "window")
    share = view.parse(units.ratio, *where, "in") if "in" in entry else None
    if share == 0:
        yield view.problem((*where, "in"), "is met by any run", "write a share above 0%, such as 99%")
    run_s = sum(view.duration(key) or 0.0 for key in ("duration", "drain"))
    if window_s and run_s / window_s > MAX_WINDOWS:
        what = f"the run has {run_s / window_s:,.0f} windows of this length ({MAX_WINDOWS:,} at most)"
        yield view.problem((*where, "window"), what, "write a longer window")
    try:
        in_windows(comparison, window_s or 1.0, share)
    except UnclearError as error:
        yield view.problem((*where, "window"), error.what, error.remedy)


def _warning(view: View, where: Where, entry: Mapping[str, Any], warn: str, context: Context) -> Iterator[Problem]:
    if "in" in entry:
        what = "a share of windows has no warning level"
        yield view.problem((*where, "warn"), what, "write a second objective")
        return
    try:
        warning_levels(warn, entry["objective"], context)
    except UnclearError as error:
        yield view.problem((*where, "warn"), error.what, error.remedy)


def _confidence(view: View, where: Where, sli: Sli) -> Iterator[Problem]:
    if view.get(*where, "confidence") is None:
        return
    if sli.aggregate not in CONFIDENT:
        remedy = "remove confidence; ratios, quantiles, means and growth have intervals"
        yield view.problem((*where, "confidence"), f"{sli.name} has no confidence interval", remedy)
    else:
        yield from _level(view, where)


def _level(view: View, where: Where) -> Iterator[Problem]:
    confidence = view.parse(units.ratio, *where, "confidence")
    if confidence is not None and not 0 < confidence < 1:
        yield view.problem((*where, "confidence"), "is not a possible confidence", "write a value such as 95%")
