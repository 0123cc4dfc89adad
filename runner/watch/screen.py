"""The state of a run as a table for a terminal: `soak watch` shows it, and `soak run` while it runs."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from soak.runner.margin_bar import margin_bar, share_words
from soak.schemas.errors import printable
from soak.schemas.units import show_duration

if TYPE_CHECKING:
    from rich.console import RenderableType

    from soak.runner.watch.state import Objective, State

_COLORS = {"PASS": "green", "FAIL": "red", "ABORTED": "red", "INCONCLUSIVE": "yellow"}
_OTHER_LINES, _ABOVE = 11, 6
"""Lines of the screen beside the objectives; those of them that are not about work, load, faults and alerts."""

WIDE, MEDIUM = 92, 60
"""Columns of the terminal from which on margin bars are shown, and margins."""

_BLOCKS, _ASCII = ("█", "·"), ("#", ".")


def screen(state: "State", width: int = WIDE, height: int = 60, *, ascii_only: bool = False) -> "RenderableType":
    """The state in at most `height` lines; in a narrow terminal without bars, then without limits and margins."""
    color = _COLORS.get(state.verdict, "cyan")
    head = Text.assemble(
        (state.verdict, f"bold {color}"), " ", (printable(state.title), "bold"), "  ", (printable(state.target), "dim")
    )
    bar = Table.grid()
    completed = min(state.t_s, state.duration_s)
    bar.add_row(ProgressBar(total=state.duration_s, completed=completed, width=max(10, min(60, width - 2))))
    lines = [head, Text(_time(state)), bar, *_objectives(state, width, height, ascii_only)]
    below = [*_figures(state), *(f"  {printable(reason)}" for reason in state.reasons)]
    room = height - _ABOVE - min(len(state.objectives), _room(height))
    lines += [Text(line) for line in below[: max(0, room)]]
    for line in lines:
        if isinstance(line, Text):
            line.no_wrap, line.overflow = width < WIDE, "ellipsis"
    return Group(*lines)


def _objectives(state: "State", width: int, height: int, ascii_only: bool) -> "list[Table | Text]":
    shown = _tightest(state.objectives, _room(height))
    table = Table(box=None, padding=(0, 2 if width >= WIDE else 1, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("objective", no_wrap=True, overflow="ellipsis", ratio=None)
    table.add_column("so far", justify="right", no_wrap=True)
    if width >= MEDIUM:
        table.add_column("limit", justify="right", no_wrap=True)
        table.add_column("margin", justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("used of its limit", no_wrap=True)
    for each in shown:
        table.add_row(*_cells(each, width, ascii_only))
    left = len(state.objectives) - len(shown)
    return [table, *([Text(f"  … and {left} more that use less of their limit")] if left else [])]


def _room(height: int) -> int:
    """How many objectives are shown."""
    return max(1, height - _OTHER_LINES)


def _cells(each: "Objective", width: int, ascii_only: bool) -> "Iterator[Text]":
    color = _COLORS.get(each.status, "")
    yield Text(each.status, color)
    yield Text(printable(each.objective))
    yield Text(each.value)
    if width >= MEDIUM:
        yield Text(each.target)
        yield Text(each.margin)
    if width >= WIDE:
        full, empty = _ASCII if ascii_only else _BLOCKS
        share = each.used
        bar = "" if share is None else f"{margin_bar(share, full=full, empty=empty)} {share_words(share):>4}"
        yield Text(bar, color)


def _tightest(objectives: "Sequence[Objective]", most: int) -> "list[Objective]":
    """Those that are shown, in their order: what does not hold, then what uses most of its limit."""
    ranked = sorted(objectives, key=lambda each: (each.status == "PASS", -(each.used or 0.0)))
    kept = {id(each) for each in ranked[:most]}
    return [each for each in objectives if id(each) in kept]


def _time(state: "State") -> str:
    eta = "" if state.eta_s is None else f", {show_duration(round(state.eta_s))} to go"
    return f"{state.shown_t} of {state.shown_duration}{f', {state.ended}' if state.ended else eta}"


def _rate(per_min: float) -> str:
    return f"{per_min:,.0f}" if per_min >= 1000 else f"{per_min:.3g}"


def _figures(state: "State") -> list[str]:
    tasks = ", ".join(f"{count:,} {name}" for name, count in state.tasks.items())
    levels = ", ".join(f"{name} {value:g}" for name, value in state.levels.items())
    rate = "" if state.throughput_per_min is None else f"{_rate(state.throughput_per_min)} {state.units} per minute"
    return [
        f"{state.units:8} {tasks}",
        f"load     {state.offered:,} offered, {state.answered:,} answered",
        f"now      {', '.join(filter(None, [levels, rate]))}",
        f"faults   {printable(', '.join(state.faults)) or 'no scheduled fault active'}",
        f"alerts   {printable(', '.join(state.alerts)) or 'none firing'}",
    ]
