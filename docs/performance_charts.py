"""The charts of docs/performance.md as SVG, in the palette of the reports, for light and for dark paper."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from soak.reports.look.palette import DASHES, SERIES, SHADES, Role

WIDTH, LEFT, RIGHT, LINE = 760, 220, 90, 26
_ROLES = (Role.INK, Role.SOFT, Role.LINE, Role.PAPER, *SERIES)


def page(height: float, title: str, parts: Iterator[str]) -> str:
    """A whole picture."""
    bright = "".join(f".{role}{{fill:{SHADES[role].light}}}.{role}l{{stroke:{SHADES[role].light}}}" for role in _ROLES)
    dark = "".join(f".{role}{{fill:{SHADES[role].dark}}}.{role}l{{stroke:{SHADES[role].dark}}}" for role in _ROLES)
    style = f"text{{font:12px 'DejaVu Sans',sans-serif}}{bright}@media (prefers-color-scheme:dark){{{dark}}}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{style}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height:.0f}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def text(x: float, y: float, words: str, role: Role = Role.INK, anchor: str = "start") -> str:
    """A line of text."""
    return f'<text class="{role}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def line(points: Sequence[tuple[float, float]], role: Role, width: float = 1.0, dashes: Sequence[int] = ()) -> str:
    """A line through points."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    own = f' stroke-dasharray="{" ".join(map(str, dashes))}"' if dashes else ""
    return f'<polyline class="{role}l" points="{path}" fill="none" stroke-width="{width}"{own}/>'


def decades(low: float, high: float) -> list[float]:
    """The powers of ten around a range."""
    return [10.0**power for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def place(value: float, ticks: Sequence[float], start: float, end: float) -> float:
    """Where a value is between start and end, on a scale of powers of ten."""
    return start + (end - start) * math.log10(value / ticks[0]) / math.log10(ticks[-1] / ticks[0])


def short(value: float) -> str:
    """A number in few characters."""
    if value >= 1_000_000:
        return f"{value / 1_000_000:.3g} M"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def bars(rows: Sequence[dict[str, Any]]) -> str:
    """CPU per task over bare SimPy, a bar for each tool with its lowest and highest round."""
    ticks = decades(min(row["low"] for row in rows), max(row["high"] for row in rows))
    bottom = 34 + LINE * len(rows)

    def parts() -> Iterator[str]:
        yield text(10, 18, "CPU per task, bare SimPy = 1")
        for tick in ticks:
            x = place(tick, ticks, LEFT, WIDTH - RIGHT)
            yield line([(x, 28), (x, bottom)], Role.SOFT if tick == 1 else Role.LINE)
            yield text(x, bottom + 16, short(tick), Role.SOFT, "middle")
        for index, row in enumerate(sorted(rows, key=lambda each: float(each["ratio"]))):
            y = 34 + LINE * index
            ratio, low, high = (place(row[key], ticks, LEFT, WIDTH - RIGHT) for key in ("ratio", "low", "high"))
            role = Role.BLUE if row["label"].startswith("soak") else Role.GREY
            yield text(LEFT - 8, y + 13, row["label"], Role.INK, "end")
            yield f'<rect class="{role}" x="{LEFT}" y="{y + 3}" width="{max(ratio - LEFT, 1):.1f}" height="13" rx="2"/>'
            yield line([(low, y + 9.5), (high, y + 9.5)], Role.INK, 1.5)
            yield text(
                max(ratio, high) + 6, y + 13, f"{row['ratio']:.2f}" if row["ratio"] < 10 else f"{row['ratio']:.0f}"
            )

    return page(bottom + 26, "CPU per task of each tool over bare SimPy", parts())


def lines(series: dict[str, list[tuple[float, float]]], words: str) -> str:
    """CPU seconds over tasks, a line for each; both scales are powers of ten.

    A line that ends early goes on thinly, as steep as if each task cost the same.
    """
    most = max(point[0] for each in series.values() for point in each)
    ends_s = {name: each[-1][1] * most / each[-1][0] for name, each in series.items()}
    across = [min(point[0] for each in series.values() for point in each) * 0.8, most * 1.02]
    up = decades(min(point[1] for each in series.values() for point in each), max(ends_s.values()))
    left, right, top, bottom = 60, WIDTH - 220, 30, 340

    def at(point: tuple[float, float]) -> tuple[float, float]:
        return place(point[0], across, left, right), place(point[1], up, bottom, top)

    def parts() -> Iterator[str]:
        yield text(10, 18, words)
        for tick, _ in max(series.values(), key=len):
            x = place(tick, across, left, right)
            yield line([(x, top), (x, bottom)], Role.LINE)
            yield text(x, bottom + 16, f"{round(tick, -3):,.0f}", Role.SOFT, "middle")
        for tick in up:
            y = place(tick, up, bottom, top)
            yield line([(left, y), (right, y)], Role.LINE)
            yield text(left - 6, y + 4, short(tick), Role.SOFT, "end")
        yield text((left + right) / 2, bottom + 34, "tasks", Role.SOFT, "middle")
        ends = apart({name: at((most, end_s))[1] for name, end_s in ends_s.items()})
        for index, (name, each) in enumerate(series.items()):
            role = SERIES[index % len(SERIES)]
            yield line([at(point) for point in each], role, 2, DASHES[index % len(DASHES)])
            yield from (f'<circle class="{role}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in map(at, each))
            x, y = at((most, ends_s[name]))
            yield line([at(each[-1]), (x, y)], role, 0.7)
            yield line([(x + 4, y), (right + 8, ends[name])], role, 0.5)
            yield text(right + 12, ends[name] + 4, name, role)

    return page(bottom + 44, words, parts())


def apart(wanted: dict[str, float], least: float = 15.0) -> dict[str, float]:
    """Heights near those wanted, far enough from each other for text."""
    placed: dict[str, float] = {}
    last = -math.inf
    for name, y in sorted(wanted.items(), key=lambda item: item[1]):
        placed[name] = last = max(y, last + least)
    over = max(0.0, last - 344)
    return {name: y - over for name, y in placed.items()}
