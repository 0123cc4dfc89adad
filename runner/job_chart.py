"""A chart for the page of a CI job: one indicator over the run with its limit, as a Mermaid diagram.

Pages of GitHub and GitLab draw such a block. They show no picture that is part of the text: SVG and `data:` URLs are removed.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from soak.reports.look.palette import Role, light
from soak.schemas.evidence.verdict import ObjectiveResult, Status, Verdict
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.margins import relative_margin

_FIRST = (Status.FAIL, Status.INCONCLUSIVE)

MOST_POINTS = 60
"""Points of a line: what a diagram of this width shows."""

_PALETTE = f"{light(Role.BLUE)}, {light(Role.BAD)}"
_COLOURS = '%%{init: {"themeVariables": {"xyChart": {"plotColorPalette": "' + _PALETTE + '"}}}}%%'
"""Of the line and of its limit: those that the diagram has by itself are too pale."""
_WORDS = (("<=", "≤"), (">=", "≥"), ("<", "below"), (">", "above"), ('"', "'"), ("`", "'"), ("\n", " "))
"""What a title cannot hold, and what is written for it."""


class _Shown(Struct, frozen=True):
    """What is drawn: values over scenario time, in hours; `limit`: None without one."""

    title: str
    hours: Sequence[float]
    values: Sequence[float]
    limit: float | None
    unit: str


def chart_of(verdict: Verdict, metrics: Path) -> str:
    """The chart of a run as Markdown, from its per-minute series; empty where there is nothing to draw, or nothing to read."""
    try:
        with metrics.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error):
        return ""
    shown = next(_candidates(verdict, rows), None) if len(rows) > 1 else None
    return _mermaid(shown) if shown else ""


def _candidates(verdict: Verdict, rows: Sequence[Mapping[str, str]]) -> Iterator[_Shown]:
    """What can be drawn: of what is broken, then what is in doubt, then the smallest margin; or else how much was done."""
    for objective in sorted(verdict.applicable, key=_urgency):
        if (values := _of_objective(objective, rows)) and not objective.labels:
            worst, unit = objective.op in {"<", "<="}, "share" if objective.sli == "success_rate" else "seconds"
            yield _reduced(objective.objective, rows, values, objective.limit, unit, worst=worst)
    if values := _column(rows, "done"):
        yield _reduced("tasks done a minute", rows, values, None, "tasks", worst=False)


def _urgency(objective: ObjectiveResult) -> tuple[int, float]:
    """What is drawn first: objectives that hold are ordered by their margins, relative to their limits."""
    if objective.status in _FIRST:
        return _FIRST.index(objective.status), 0.0
    margin = relative_margin(Op(objective.op), Unit(objective.unit), objective.target, objective.margin)
    return len(_FIRST), math.inf if margin is None else margin


def _of_objective(objective: ObjectiveResult, rows: Sequence[Mapping[str, str]]) -> list[float]:
    if objective.sli.startswith("latency_p"):
        return _column(rows, f"{objective.sli}_s")
    if objective.sli == "success_rate":
        done, failed = _column(rows, "done"), _column(rows, "failed")
        return [one / (one + other) if one + other else math.nan for one, other in zip(done, failed, strict=False)]
    return []


def _column(rows: Sequence[Mapping[str, str]], name: str) -> list[float]:
    """A column in time order, empty cells as nan; empty if there is no such column."""
    if name not in rows[0]:
        return []
    return [float(row[name]) if row.get(name) else math.nan for row in rows]


def _reduced(
    title: str,
    rows: Sequence[Mapping[str, str]],
    values: Sequence[float],
    limit: float | None,
    unit: str,
    *,
    worst: bool,
) -> _Shown:
    """At most MOST_POINTS values: of each part the largest, where `worst` is the largest, or else the mean."""
    times = _column(rows, "t_s")
    size = math.ceil(len(values) / MOST_POINTS)
    hours, reduced = [], []
    for start in range(0, len(values), size):
        part = [value for value in values[start : start + size] if math.isfinite(value)]
        if part:
            hours.append(times[min(start + size, len(times)) - 1] / 3600)
            reduced.append(max(part) if worst else sum(part) / len(part))
    beside = f", {'worst minute' if worst else 'mean'} of each {times[size - 1] / 60:g} min" if size > 1 else ""
    return _Shown(f"{title}{beside}", hours, reduced, limit, unit)


def _mermaid(shown: _Shown) -> str:
    if len(shown.values) < 2:
        return ""
    limits = [] if shown.limit is None else [shown.limit]
    low, high = min([*shown.values, *limits]), max([*shown.values, *limits])
    room = 0.05 * (high - low or abs(high) or 1.0)
    lowest = max(low - room, 0.0) if low >= 0 else low - room
    lines = [
        "```mermaid",
        _COLOURS,
        "xychart-beta",
        f'    title "{_quoted(shown.title)}"',
        f'    x-axis "hours" 0 --> {_number(shown.hours[-1])}',
        f'    y-axis "{shown.unit}" {_number(lowest)} --> {_number(high + room)}',
        f"    line [{', '.join(map(_number, shown.values))}]",
    ]
    lines += [f"    line [{', '.join([_number(limit)] * len(shown.values))}]" for limit in limits]
    return "\n".join([*lines, "```"])


def _number(value: float) -> str:
    """A number as the diagram reads it: without an exponent."""
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return text if text not in {"", "-0"} else "0"


def _quoted(text: str) -> str:
    for letters, word in _WORDS:
        text = text.replace(letters, word)
    return text
