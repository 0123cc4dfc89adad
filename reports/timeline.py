"""The timeline of the HTML report: success, latency, throughput, queue, faults and alerts on one time axis, as one SVG."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from markupsafe import Markup, escape

from soak.reports.data import RunData
from soak.reports.plots.canvas import BLUE, ORANGE, PALETTE, PURPLE, RED, bucketed, fault_windows, per_bucket
from soak.reports.plots.panels import TASKS_ON_PAGE, Panel
from soak.reports.plots.success import moving_rate
from soak.reports.room import ask, room_of
from soak.schemas.evidence.verdict import ObjectiveResult
from soak.schemas.stream.block import Floats, Ints
from soak.schemas.units import show_duration, show_ratio

WIDTH, LEFT, RIGHT = 1000, 104, 12
PANEL, GAP, LANE = 110, 34, 20
_MOST_TICKS = 12
_STEPS_S = (1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800)
_WINDOW_MINUTES = 30
_QUANTILES = (("p50", BLUE), ("p95", ORANGE), ("p99", PURPLE))
_LOWEST = 1e-3
"""A logarithmic scale has no zero."""


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    color: str
    values: Floats
    show: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class _Panel:
    """Lines over time, with limits; `log`: on a logarithmic scale. `word`: for those who do not see it."""

    title: str
    word: str
    lines: Sequence[_Line]
    limits: Sequence[tuple[str, float]] = ()
    log: bool = False
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The SVG, and the data of its cursor: JSON with a row per point in time."""

    svg: Markup
    data: Markup


def draw_timeline(run: RunData) -> Timeline | None:
    """The timeline of a run; None for one that failed at once."""
    if not len(run.metrics.t_s):
        return None
    edges_s, step = bucketed(run)
    panels = list(_panels(run, edges_s, step))
    span_s = run.verdict.ended_s or 60.0
    parts: list[str] = []
    top = 18.0
    for panel in panels:
        parts += _drawn(panel, edges_s, span_s, top)
        top += PANEL + GAP
    lanes = list(_lanes(run))
    lanes_top = top
    for name, color, spans in lanes:
        parts += _lane(name, color, spans, span_s, top)
        top += LANE
    top += 6
    parts += _axis(run, span_s, top)
    bands = [
        _rect(window.start_s, window.end_s, span_s, 8, top - 8, RED, 0.07, name) for name, window in fault_windows(run)
    ]
    marks = [
        _mark(_x(abort.held_at_s, span_s), top, f"abort: {abort.name}")
        for abort in run.verdict.aborts
        if abort.held_at_s is not None
    ]
    cursor = f'<line id="cursor" x1="0" x2="0" y1="8" y2="{top:.0f}" visibility="hidden"/>'
    height = top + 34
    label = f"{_listed([panel.word for panel in panels])} over scenario time, with faults and alerts"
    svg = (
        f'<svg id="timeline" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}" '
        f'data-left="{LEFT}" data-right="{WIDTH - RIGHT}" data-lanes="{lanes_top:.0f}">'
        + "".join([*bands, *parts, *marks, cursor])
        + "</svg>"
    )
    return Timeline(Markup(svg), _data(panels, edges_s, span_s))


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]])) or "events"


def _panels(run: RunData, edges_s: Floats, step: int) -> Iterator[_Panel]:
    last = np.minimum((edges_s / 60).astype(int), len(run.metrics.t_s)) - 1
    objectives = [each for each in run.verdict.objectives if each.limit is not None and not each.labels]
    if run.has("success_rate"):
        yield _success(run, objectives, last)
    if run.has(*(f"latency_{name}" for name, _ in _QUANTILES)):
        yield _latency(run, objectives, last)
    room = room_of(run.scenario.system)
    own = ask(run.scenario.system, "its panels", room.panels_of, run)
    for panel in (TASKS_ON_PAGE, *own, *(room.on_page or room.panels)):
        if panel.of(run.metrics):
            yield _by_minutes(panel.shown(run.metrics), run, step)


def _success(run: RunData, objectives: list[ObjectiveResult], last: Ints) -> _Panel:
    rate = moving_rate(run.metrics.get("done"), run.metrics.get("failed"), _WINDOW_MINUTES)[last]
    limits = [(each.objective, float(each.limit or 0)) for each in objectives if each.sli == "success_rate"]
    limits += [(f"abort {each.when}", float(each.target or 0)) for each in run.aborts_of("success_rate")]
    known = rate[np.isfinite(rate)]
    low = min([limit for _, limit in limits] + ([float(known.min())] if len(known) else []) + [0.99])
    lines = [_Line("success", BLUE, rate, show_ratio)]
    return _Panel(
        f"Success rate, {_window(run)}", "success", lines, limits, low=max(0.0, low - 0.2 * (1 - low)), high=1.0
    )


def _window(run: RunData) -> str:
    """Over what a value is taken; a run that is shorter is all before it."""
    return f"{_WINDOW_MINUTES} min window" if run.verdict.ended_s > _WINDOW_MINUTES * 60 else "since the start"


def _latency(run: RunData, objectives: list[ObjectiveResult], last: Ints) -> _Panel:
    lines = [
        _Line(name, color, run.metrics.get(f"latency_{name}_s")[last], show_duration) for name, color in _QUANTILES
    ]
    limits = [(each.objective, float(each.limit or 0)) for each in objectives if each.is_of_latency]
    return _Panel(f"Latency, {_window(run)}", "latency", lines, [limit for limit in limits if limit[1]], log=True)


def _by_minutes(panel: Panel, run: RunData, step: int) -> _Panel:
    lines = [_Line(line.name, line.color, line.values(run.metrics, step), line.over.show) for line in panel.lines]
    word = "throughput" if panel is TASKS_ON_PAGE else panel.title.lower()
    return _Panel(panel.title, word, lines, low=0.0)


_Span: TypeAlias = tuple[float, float, str, float]
"""Start, end, description, and opacity."""


def _lanes(run: RunData) -> Iterator[tuple[str, str, list[_Span]]]:
    """Faults and alerts: a name, a colour, and spans."""
    ended_s, injected = run.verdict.ended_s, run.metrics.named("injected")
    edges_s, step = bucketed(run)
    for place, fault in enumerate(run.scenario.faults):
        color = PALETTE[place % len(PALETTE)]
        if fault.name in injected and not fault.windows:
            counts = per_bucket(injected[fault.name], step)
            width_s, most = step * 60.0, max(float(counts.max()), 1.0)
            yield (
                fault.name,
                color,
                [
                    (edge - width_s, edge, f"{count:.0f} times", 0.25 + 0.75 * count / most)
                    for edge, count in zip(edges_s.tolist(), counts.tolist(), strict=True)
                    if count > 0
                ],
            )
        else:
            windows = [window for window in fault.windows if window.start_s < ended_s]
            yield fault.name, RED, [(window.start_s, min(window.end_s, ended_s), "", 0.85) for window in windows]
    for alert in run.verdict.alerts:
        firings = [
            (each.fired_s, ended_s if each.resolved_s is None else each.resolved_s, "fired", 0.85)
            for each in alert.firings
        ]
        yield f"alert {alert.name}", ORANGE, firings
    system = run.scenario.system
    for name, spans in ask(system, "its lanes of the timeline", room_of(system).lanes, run).items():
        yield name, PURPLE, [(from_s, min(to_s, ended_s), "", 0.85) for from_s, to_s in spans]


def _x(t_s: float, span_s: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(max(t_s / span_s, 0.0), 1.0)


def _rect(
    from_s: float, to_s: float, span_s: float, top: float, height: float, color: str, opacity: float, what: str
) -> str:
    left, right = _x(from_s, span_s), _x(to_s, span_s)
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 1.5):.1f}" height="{height:.1f}" fill="{color}" '
        f'opacity="{opacity:.2g}"><title>{escape(what)}: {escape(show_duration(round(from_s)))}'
        f" to {escape(show_duration(round(to_s)))}</title></rect>"
    )


def _mark(x: float, bottom: float, what: str) -> str:
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="8" y2="{bottom:.0f}" class="abort"><title>{escape(what)}</title></line>'
    )


def _lane(name: str, color: str, spans: list[_Span], span_s: float, top: float) -> list[str]:
    label = escape(name if len(name) <= 14 else f"{name[:13]}…")
    return [
        f'<text x="{LEFT - 6}" y="{top + 12:.0f}" class="tick" text-anchor="end"><title>{escape(name)}</title>{label}</text>',
        *(
            _rect(from_s, to_s, span_s, top + 3, LANE - 6, color, strength, f"{name} {what}".strip())
            for from_s, to_s, what, strength in spans
        ),
    ]


def _drawn(panel: _Panel, edges_s: Floats, span_s: float, top: float) -> list[str]:
    values = np.concatenate([line.values[np.isfinite(line.values)] for line in panel.lines])
    targets = [target for _, target in panel.limits]
    low = panel.low if panel.low is not None else float(min([*values.tolist(), *targets], default=0.0))
    high = panel.high if panel.high is not None else float(max([*values.tolist(), *targets], default=1.0))
    if panel.log:
        low, high = max(low, _LOWEST), max(high, _LOWEST)

    def scale(value: float) -> float:
        """Where a value lies between the lowest and the highest, from 0 to 1."""
        if panel.log:
            return float(np.log(max(value, low) / low) / max(np.log(high / low), 1e-9))
        return (value - low) / max(high - low, 1e-9)

    def y(value: float) -> float:
        return top + PANEL * (1 - min(max(scale(value), 0.0), 1.05))

    show = panel.lines[0].show
    middle = float(np.sqrt(low * high)) if panel.log else (low + high) / 2
    parts = [f'<text x="{LEFT}" y="{top - 6:.0f}" class="title">{escape(panel.title)}</text>']
    for value in (low, middle, high):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" class="grid"/>')
        parts.append(
            f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" class="tick" text-anchor="end">{escape(show(value))}</text>'
        )
    place = WIDTH - RIGHT
    for line in reversed(panel.lines):
        parts.append(
            f'<text x="{place}" y="{top - 6:.0f}" class="legend" text-anchor="end" fill="{line.color}">{escape(line.name)}</text>'
        )
        place -= 9 * len(line.name) + 14
    for text, target in panel.limits:
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(target):.1f}" y2="{y(target):.1f}" class="limit">'
            f"<title>{escape(text)}</title></line>"
        )
    for line in panel.lines:
        parts += _path(line, edges_s, span_s, y)
    return parts


def _path(line: _Line, edges_s: Floats, span_s: float, y: Callable[[float], float]) -> Iterator[str]:
    """A line with gaps where data is missing."""
    words, pen_down = [], False
    for edge, value in zip(edges_s.tolist(), line.values.tolist(), strict=True):
        if value != value:
            pen_down = False
            continue
        words.append(f"{'L' if pen_down else 'M'}{_x(edge, span_s):.1f} {y(value):.1f}")
        pen_down = True
    if words:
        yield f'<path d="{"".join(words)}" stroke="{line.color}"/>'


def _axis(run: RunData, span_s: float, top: float) -> Iterator[str]:
    step_s = next((step for step in _STEPS_S if span_s / step <= _MOST_TICKS), _STEPS_S[-1])
    for number in range(int(span_s // step_s) + 1):
        x = _x(number * step_s, span_s)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top:.0f}" y2="{top + 4:.0f}" class="grid"/>'
        text = show_duration(float(number * step_s)) if number else "0"
        yield f'<text x="{x:.1f}" y="{top + 17:.0f}" class="tick" text-anchor="middle">{escape(text)}</text>'


def _data(panels: list[_Panel], edges_s: Floats, span_s: float) -> Markup:
    rows = [
        [
            round(min(edge / span_s, 1.0), 5),
            show_duration(round(min(edge, span_s), 1 if span_s < 60 else 0)),
            *(
                f"{line.name} {'–' if line.values[place] != line.values[place] else line.show(float(line.values[place]))}"
                for panel in panels
                for line in panel.lines
            ),
        ]
        for place, edge in enumerate(edges_s.tolist())
    ]
    # Inside <script>, only the closing tag could break out.
    return Markup(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c"))
