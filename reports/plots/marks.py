"""What is marked in plots over time: faults and bursts, limits with their words, where the run was ended, and steps."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from soak.reports.data import RunData
from soak.reports.look.palette import Role, light
from soak.reports.plots.canvas import BURST, GREY, PURPLE, RED
from soak.reports.plots.frame import SMALL_PT, fitted, width_of
from soak.schemas.evidence.changepoints import ChangeKind
from soak.schemas.language.rhythms import burst_windows
from soak.schemas.language.windows import Window

_MOST_NAMED = 3
"""Of more faults than these the legend says only how many there are: faults.svg has a lane for each."""
_ACROSS = 430.0
"""About the width of axes, in points."""
_SIDES = ((0.995, "right"), (0.005, "left"))
BEHIND = {"facecolor": light(Role.PAPER), "alpha": 0.7, "lw": 0, "pad": 0.5}
"""A box of paper behind words that are written on lines."""


def fault_windows(run: RunData) -> list[tuple[str, Window]]:
    """Scheduled faults and rates with windows, with the windows reached by the run."""
    ended_s = run.verdict.ended_s
    return [
        (fault.name, window) for fault in run.scenario.faults for window in fault.windows if window.start_s < ended_s
    ]


def shade(
    axes: Axes, windows: Sequence[Window], color: str, label: str | None, *, low: float = 0.0, height: float = 1.0
) -> None:
    """Windows of time as one patch of colour, from `low` and so high, in shares of the axes."""
    if windows:
        spans = [(window.start_s, window.end_s - window.start_s) for window in windows]
        alpha = 0.14 if height == 1.0 else 1.0
        axes.broken_barh(
            spans, (low, height), transform=axes.get_xaxis_transform(), color=color, alpha=alpha, lw=0, label=label
        )


def fault_names(names: Sequence[str]) -> str:
    """What the legend says of faults: each once."""
    different = list(dict.fromkeys(names))
    if len(different) > _MOST_NAMED:
        return f"{len(different)} faults"
    return f"{'fault' if len(different) == 1 else 'faults'} {', '.join(different)}"


def bands(axes: Axes, run: RunData, *, labelled: bool = True) -> None:
    """Shade fault windows, and mark bursts in a strip along the top."""
    found = fault_windows(run)
    shade(axes, [window for _, window in found], RED, fault_names([name for name, _ in found]) if labelled else None)
    # What a fault of the source makes of the load is its own window.
    shaded = [window for fault in run.scenario.faults for window in fault.windows]
    bursts = [
        window
        for window in burst_windows(run.scenario)
        if window.start_s < run.verdict.ended_s and window not in shaded
    ]
    shade(axes, bursts, BURST, "burst" if labelled else None, low=0.97, height=0.03)


def limits(axes: Axes, found: Sequence[tuple[float, str, str]]) -> None:
    """Lines at (value, words, colour), each with its words on it: neighbours at different sides."""
    for place, (value, words, color) in enumerate(sorted(found)):
        axes.axhline(value, color=color, ls=(0, (5, 2)), lw=1.1)
        x, side = _SIDES[place % len(_SIDES)]
        across = axes.get_yaxis_transform()
        note = axes.annotate(
            fitted(words, 0.47 * _ACROSS, SMALL_PT),
            (x, value),
            (0, 2.5),
            xycoords=across,
            textcoords="offset points",
            ha=side,
            va="bottom",
            color=color,
            fontsize=SMALL_PT,
            bbox=BEHIND,
        )
        note.set_zorder(3)


def phase_names(axes: Axes, phases: Sequence[tuple[str, float]], ended_s: float) -> None:
    """Where phases begin, by (name, start), with their names along the top as far as there is space for them."""
    free_s = 0.0
    for name, start_s in phases:
        if start_s >= ended_s:
            continue
        axes.axvline(start_s, color=GREY, lw=0.8, ls=(0, (2, 2)))
        width_s = width_of(name, SMALL_PT) / _ACROSS * ended_s
        if start_s >= free_s and start_s + width_s <= ended_s:
            place = (start_s, 0.96)
            transform = axes.get_xaxis_transform()
            axes.text(*place, f" {name}", transform=transform, va="top", fontsize=SMALL_PT, color=GREY)
            free_s = start_s + width_s


def end_mark(axes: Axes, run: RunData) -> None:
    """Mark where an abort condition ended the run."""
    for abort in run.verdict.aborts:
        if abort.held_at_s is not None:
            axes.axvline(abort.held_at_s, color=RED, lw=1.6, label=f"abort: {abort.name}")


def change_marks(axes: Axes, run: RunData, indicator: str) -> None:
    """Mark where indicators whose names begin so stepped, all tasks together."""
    for entry in run.verdict.change_points:
        steps = [each for each in entry.points if each.kind is ChangeKind.STEP]
        if entry.indicator.startswith(indicator) and not entry.labels:
            for number, point in enumerate(steps):
                label = None if number else f"steps of {entry.indicator}"
                axes.axvline(point.at_s, color=PURPLE, lw=1.2, ls="-.", label=label)
