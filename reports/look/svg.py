"""A chart as an SVG without scripts: what is printed, and what a reader sees who lets no script run.

Colours are variables of the style sheet, so that it follows the paper. It has no size of its own: 1000 units are its width.
"""

from collections.abc import Callable, Iterator

import numpy as np
from markupsafe import Markup, escape

from soak.reports.look.charts import Band, Chart, Fold, Form, Line, folded
from soak.reports.look.palette import DASHES
from soak.reports.look.ticks import STEPS_S, extent, linear, logarithmic, show
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration

WIDTH, LEFT, RIGHT, TOP, HEIGHT, FOOT, LANE = 1000, 108, 12, 22, 150, 24, 20
_MOST_POINTS = 240
_MOST_TICKS = 12
_MOST_BANDS = 200


def draw(chart: Chart) -> Markup:
    """The chart as `<svg>`, with its description as label."""
    height = (TOP + LANE * len(chart.lanes) if chart.lanes else TOP + HEIGHT) + FOOT
    bottom = height - FOOT
    x = _across(chart.span)
    parts = [*_bands(chart, x, bottom)]
    parts += _lanes(chart, x) if chart.lanes else _lines(chart, x)
    for mark in chart.marks:
        at = x(mark.at_s)
        parts.append(
            f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="var(--{mark.role.value})" '
            f'stroke-width="1.5"><title>{escape(mark.words)}</title></line>'
        )
    parts += _time_axis(chart.span, x, bottom)
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(chart.described)}">{"".join(parts)}</svg>'
    )


def _across(span: tuple[float, float]) -> Callable[[float], float]:
    low, high = span
    scale = (WIDTH - LEFT - RIGHT) / max(high - low, 1e-9)
    return lambda t_s: LEFT + min(max((t_s - low) * scale, 0.0), float(WIDTH - LEFT - RIGHT))


def _bands(chart: Chart, x: Callable[[float], float], bottom: int) -> Iterator[str]:
    for band in chart.bands[:_MOST_BANDS]:
        yield _rect(band, x, TOP, bottom - TOP, f"band {band.kind.value}", 1.0)


def _rect(band: Band, x: Callable[[float], float], top: float, height: float, name: str, opacity: float) -> str:
    left, right = x(band.start_s), x(band.end_s)
    seen = f"{band.name}: {show_duration(round(band.start_s))} to {show_duration(round(band.end_s))}"
    strength = "" if opacity == 1.0 else f' opacity="{opacity:.2g}"'
    return (
        f'<rect class="{name}" x="{left:.1f}" y="{top:.0f}" width="{max(right - left, 1.0):.1f}" height="{height:.0f}"{strength}>'
        f"<title>{escape(seen)}</title></rect>"
    )


def _lanes(chart: Chart, x: Callable[[float], float]) -> Iterator[str]:
    for place, lane in enumerate(chart.lanes):
        top = TOP + place * LANE
        label = lane.name if len(lane.name) <= 15 else f"{lane.name[:14]}…"
        yield f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end" class="tick">'
        yield f"<title>{escape(lane.name)}</title>{escape(label)}</text>"
        yield f'<g fill="var(--{lane.role.value})">'
        for band in lane.bands:
            yield _rect(band, x, top + 3, LANE - 6, "", band.strength)
        yield "</g>"


def _lines(chart: Chart, x: Callable[[float], float]) -> Iterator[str]:
    thinned = [_thin(chart, line) for line in chart.lines]
    values = [value for _, found in thinned for value in found[np.isfinite(found)].tolist()]
    low, high = extent(chart.low, chart.high, [*values, *(limit.value for limit in chart.limits)], log=chart.log)

    def y(value: float) -> float:
        part = (value - low) / (high - low)
        share = np.log(max(value, low) / low) / np.log(high / low) if chart.log else part
        return float(TOP + HEIGHT * (1 - min(max(share, 0.0), 1.0)))

    for value in logarithmic(low, high, chart.form) if chart.log else linear(low, high, chart.form):
        at = y(value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>'
        yield f'<text x="{LEFT - 6}" y="{at + 4:.1f}" class="tick" text-anchor="end">{escape(show(value, chart.form))}</text>'
    yield from _legend(chart)
    for place, (line, (t_s, found)) in enumerate(zip(chart.lines, thinned, strict=True)):
        yield from _path(line, place, t_s, found, x, y)
    for limit in chart.limits:
        at = y(limit.value)
        color = f"var(--{limit.role.value})"
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" class="limit" stroke="{color}"/>'
        yield f'<text x="{LEFT + 4}" y="{at - 3:.1f}" class="tick" fill="{color}">{escape(limit.words)}</text>'


def _thin(chart: Chart, line: Line) -> tuple[Floats, Floats]:
    """Neighbours as one, where there are more than can be seen."""
    fold = -(-len(chart.t_s) // _MOST_POINTS) or 1
    return folded(chart.t_s, fold, Fold.LAST), folded(line.values, fold, line.fold)


def _legend(chart: Chart) -> Iterator[str]:
    """Names with their strokes, from the right."""
    place = float(WIDTH - RIGHT)
    for number, line in reversed(list(enumerate(chart.lines))):
        yield f'<text x="{place:.0f}" y="{TOP - 9}" class="tick" text-anchor="end">{escape(line.name)}</text>'
        place -= 7 * len(line.name) + 8
        yield (
            f'<line x1="{place - 22:.0f}" x2="{place:.0f}" y1="{TOP - 13}" y2="{TOP - 13}" stroke="var(--{line.role.value})" '
            f'stroke-width="2"{_dashed(number)}/>'
        )
        place -= 38


def _dashed(number: int) -> str:
    dash = DASHES[number % len(DASHES)]
    return f' stroke-dasharray="{" ".join(map(str, dash))}"' if dash else ""


def _path(
    line: Line, place: int, t_s: Floats, values: Floats, x: Callable[[float], float], y: Callable[[float], float]
) -> Iterator[str]:
    """A line with gaps where nothing is known; a point between two gaps is a dot."""
    words: list[str] = []
    known = np.isfinite(values).tolist()
    for number, (at, value) in enumerate(zip(t_s.tolist(), values.tolist(), strict=True)):
        if not known[number]:
            continue
        before = number > 0 and known[number - 1]
        after = number + 1 < len(known) and known[number + 1]
        words.append(f"{'L' if before else 'M'}{x(at):.1f} {y(value):.1f}{'' if before or after else 'h.1'}")
    if words:
        yield f'<path d="{"".join(words)}" stroke="var(--{line.role.value})"{_dashed(place)}/>'


def _time_axis(span: tuple[float, float], x: Callable[[float], float], bottom: int) -> Iterator[str]:
    low, high = span
    step = next((step for step in STEPS_S if (high - low) / step <= _MOST_TICKS), STEPS_S[-1])
    for number in range(int(np.ceil(low / step)), int(high // step) + 1):
        at = x(number * step)
        yield f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{bottom}" y2="{bottom + 4}" class="axis"/>'
        text = show(float(number * step), Form.SECONDS) if number else "0"
        yield f'<text x="{at:.1f}" y="{bottom + 17}" class="tick" text-anchor="middle">{escape(text)}</text>'
