"""A chart as an SVG without scripts: what is printed, and what a reader sees who lets no script run.

Its box is the room of the lines, of whatever width; places in it are per cent, and what is written beside them is as large as
the text of the page. The style sheet gives it its height and its margins, those of the chart that a script draws in its place.
"""

import re
from collections.abc import Iterator

import numpy as np
from markupsafe import Markup, escape

from soak.reports.look.charts import Band, Chart, Form, Kind, Line
from soak.reports.look.palette import DASHES
from soak.reports.look.scale import FEW_TICKS, Scale
from soak.reports.look.thin import ends_of, folded
from soak.reports.look.ticks import clock, labels, linear, logarithmic, scale_of, times
from soak.schemas.stream.block import Floats

MOST_POINTS = 480
MOST_FULL_BURSTS = 12
"""More bursts than these are a strip along the top: full stripes would shade everything."""
_SMALL_POINTS = 200
_MOST_TICKS = 12
_SMALL_TICKS = 5
_MOST_BANDS = 200
_LONGEST_LANE = 15
_NEAR = 9.0
"""Names of limits are this far apart, in per cent of the height."""
_WORDS = {
    Kind.FAULT: "fault",
    Kind.BURST: "burst",
    Kind.PHASE: "phase (every second one)",
    Kind.ALERT: "alert",
    Kind.GAP: "not observed",
}


def draw(chart: Chart) -> Markup:
    """The chart as `<svg>`, with its description as label."""
    x = Scale(*chart.span)
    parts = [*_bands(chart, x)]
    parts += _lanes(chart, x) if chart.lanes else _lines(chart, x)
    for mark in chart.marks:
        at = x(mark.at_s)
        parts.append(
            f'<line x1="{at:.2f}%" x2="{at:.2f}%" y1="0" y2="100%" stroke="var(--{mark.role.value})" '
            f'stroke-width="1.5"><title>{escape(mark.words)}</title></line>'
        )
    parts += _time_axis(chart, x)
    rows = f' style="--rows:{len(chart.lanes)}"' if chart.lanes else ""
    return Markup(f'<svg role="img" aria-label="{escape(chart.described)}"{rows}>{"".join(parts)}</svg>')


def thinned(chart: Chart) -> str:
    """What a point of the picture stands for where there are more than can be seen; empty otherwise."""
    fold = _fold(chart)
    if fold == 1 or not len(chart.t_s):
        return ""
    return f"lowest and highest value of each {clock(float(2 * fold * np.median(np.diff(chart.t_s))))}"


def shaded(chart: Chart) -> Markup:
    """A key of the bands that a chart has; empty without any."""
    kinds = list(dict.fromkeys(band.kind for band in chart.bands))
    strip = _bursts(chart) > MOST_FULL_BURSTS
    keys = []
    for kind in kinds:
        along = kind is Kind.BURST and strip
        box = f'<rect width="22" height="{5 if along else 10}" class="band {kind.value}"/>'
        words = f"{_WORDS[kind]}{', along the top' if along else ''}"
        keys.append(f'<span><svg width="22" height="10" aria-hidden="true">{box}</svg> {words}</span>')
    return Markup(f'<p class="key">Shaded: {" ".join(keys)}</p>') if kinds else Markup()


def legend(chart: Chart) -> Markup:
    """The names of the lines with their strokes; a script makes buttons of them and adds values."""
    keys = (
        f'<span><svg width="22" height="10" aria-hidden="true"><line x2="22" y1="5" y2="5" stroke="var(--{line.role.value})" '
        f'stroke-width="2.4"{_dashed(number)}/></svg>{escape(line.name)}</span>'
        for number, line in enumerate(chart.lines)
    )
    return Markup("").join(Markup(each) for each in keys)


def _bursts(chart: Chart) -> int:
    return sum(band.kind is Kind.BURST for band in chart.bands)


def _bands(chart: Chart, x: Scale) -> Iterator[str]:
    strip = _bursts(chart) > MOST_FULL_BURSTS
    bursts = [band for band in chart.bands if band.kind is Kind.BURST and strip]
    for band in [each for each in chart.bands if each not in bursts][:_MOST_BANDS]:
        yield _rect(band, x, "0", "100%", f' class="band {band.kind.value}"')
    if bursts:
        path = "".join(
            f"M{10 * x(each.start_s):.1f} 0H{max(10 * x(each.end_s), 10 * x(each.start_s) + 1):.1f}V1H{10 * x(each.start_s):.1f}Z"
            for each in bursts
        )
        box = 'viewBox="0 0 1000 1" preserveAspectRatio="none" width="100%" height="5"'
        yield f'<svg {box} class="strip"><path d="{path}" class="band burst"/></svg>'


def _rect(band: Band, x: Scale, top: str, height: str, more: str) -> str:
    left, right = x(band.start_s), x(band.end_s)
    seen = f"{band.name}: {clock(round(band.start_s))} to {clock(round(band.end_s))}"
    return (
        f'<rect x="{left:.2f}%" y="{top}" width="{max(right - left, 0.1):.2f}%" height="{height}"{more}>'
        f"<title>{escape(seen)}</title></rect>"
    )


def _lanes(chart: Chart, x: Scale) -> Iterator[str]:
    high = 100 / len(chart.lanes)
    for place, lane in enumerate(chart.lanes):
        name = lane.name if len(lane.name) <= _LONGEST_LANE else f"{lane.name[: _LONGEST_LANE - 1]}…"
        yield f'<text x="-8" y="{(place + 0.5) * high:.2f}%" dy="4" text-anchor="end" class="tick">'
        yield f"<title>{escape(lane.name)}</title>{escape(name)}</text>"
        yield f'<g fill="var(--{lane.role.value})">'
        for band in lane.bands:
            strength = "" if band.strength == 1.0 else f' opacity="{band.strength:.2g}"'
            yield _rect(band, x, f"{(place + 0.18) * high:.2f}%", f"{0.64 * high:.2f}%", strength)
        yield "</g>"


def _lines(chart: Chart, x: Scale) -> Iterator[str]:
    low, high = scale_of(chart)
    y = Scale(low, high, chart.log)
    ticks = logarithmic(low, high, chart.form) if chart.log else linear(low, high, chart.form)
    for value, words in zip(ticks, labels(ticks, chart.form, log=chart.log), strict=True):
        at = 100 - y(value)
        yield f'<line x1="0" x2="100%" y1="{at:.2f}%" y2="{at:.2f}%" class="grid"/>'
        yield f'<text x="-6" y="{at:.2f}%" dy="4" class="tick" text-anchor="end">{escape(words)}</text>'
    fold = _fold(chart)
    t_s = ends_of(chart.t_s, fold)
    yield '<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" width="100%" height="100%">'
    for place, line in enumerate(chart.lines):
        yield from _path(chart, line, place, t_s, folded(line.values, fold), x, y)
    yield "</svg>"
    yield from _limits(chart, y)


def _fold(chart: Chart) -> int:
    """How many points of the chart each point of the picture stands for."""
    return -(-len(chart.t_s) // (_SMALL_POINTS if chart.small else MOST_POINTS)) or 1


def _limits(chart: Chart, y: Scale) -> Iterator[str]:
    """Each with its words at the right, above it or else below it; those of one that is too near are its title only."""
    written: list[float] = []
    words = []
    for limit in chart.limits:
        at, color = 100 - y(limit.value), f"var(--{limit.role.value})"
        yield f'<line x1="0" x2="100%" y1="{at:.2f}%" y2="{at:.2f}%" class="limit" stroke="{color}">'
        yield f"<title>{escape(limit.words)}</title></line>"
        for centre, dy in ((at - 5, -4), (at + 5, 13)):
            if 3 <= centre <= 97 and all(abs(centre - each) >= _NEAR for each in written):
                written.append(centre)
                place = f'x="100%" dx="-4" y="{at:.2f}%" dy="{dy}" class="tick name" text-anchor="end"'
                words.append(f'<text {place} style="fill:{color}">{escape(limit.words)}</text>')
                break
    yield from words


def _dashed(number: int) -> str:
    dash = DASHES[number % len(DASHES)]
    return f' stroke-dasharray="{" ".join(map(str, dash))}"' if dash else ""


def _path(chart: Chart, line: Line, place: int, t_s: Floats, values: Floats, x: Scale, y: Scale) -> Iterator[str]:
    """A line with gaps where nothing is known; a point between two gaps is a dot."""
    known = np.isfinite(values) & ((values > 0) | (not chart.log))
    runs = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    path, area = [], []
    for start, end in zip(runs[::2].tolist(), runs[1::2].tolist(), strict=True):
        points = [
            (10 * x(at), 1000 - 10 * y(value))
            for at, value in zip(t_s[start:end].tolist(), values[start:end].tolist(), strict=True)
        ]
        words = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
        if chart.stepped:
            words += [f"V{b:.1f}H{a:.1f}" for a, b in points[1:]]
        else:
            words += [f"L{a:.1f} {b:.1f}" for a, b in points[1:]]
        path.append("".join(words) + ("h.1" if len(points) == 1 else ""))
        area.append(f"{path[-1]}V1000H{points[0][0]:.1f}Z")
    color = f"var(--{line.role.value})"
    if line.filled and area:
        yield f'<path d="{"".join(area)}" style="fill:{color};fill-opacity:.13;stroke:none"/>'
    if path:
        yield f'<path d="{"".join(path)}" stroke="{color}"{_dashed(place)} vector-effect="non-scaling-stroke"/>'


def _time_axis(chart: Chart, x: Scale) -> Iterator[str]:
    found = times(*chart.span, _SMALL_TICKS if chart.small else _MOST_TICKS)
    for number, (value, words) in enumerate(zip(found, labels(found, Form.SECONDS), strict=True)):
        at = x(value)
        yield f'<svg x="{at:.2f}%" y="100%" overflow="visible"><line y2="4" class="axis"/></svg>'
        less = " alternate" if number % 2 and len(found) > FEW_TICKS else ""
        yield f'<text x="{at:.2f}%" y="100%" dy="17" class="tick{less}" text-anchor="middle">{escape(words)}</text>'


def only_value(words: str) -> str:
    """What a limit asks for without what it is about, for small charts: `<= 650ms` of `latency_p95 <= 650ms`."""
    found = re.search(r"(?:<=|>=|==|<|>)\s*\S+", words)
    return found[0] if found else words
