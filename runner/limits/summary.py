"""What a search found, for a terminal."""

from collections.abc import Iterator
from pathlib import Path

from soak.reports.limits import BASES, causes, chance, standing
from soak.schemas.evidence.limits import Finding, Limit, Limits, Search
from soak.schemas.units import show_ratio


def summary_lines(limits: Limits, directory: Path) -> str:
    """The answer, what it rests on, and where the rest is."""
    lines = []
    for search in limits.searches:
        lines += [*_search_lines(limits, search), ""]
    cells = [cell for row in (limits.grid.cells if limits.grid else []) for cell in row if cell]
    if cells:
        passing = sum(cell.passing for cell in cells)
        lines += [f"  both: PASS is likely enough in {passing} of {len(cells)} cells of their plane", ""]
    points = {tuple(point.texts) for search in limits.searches for point in search.points}
    points |= {tuple(cell.texts) for cell in cells}
    lines.append(f"  {limits.replications:,} replications at {len(points)} points")
    return "\n".join([*lines, f"  report: {directory / 'limits.html'}"])


def _search_lines(limits: Limits, search: Search) -> Iterator[str]:
    parameter = limits.parameters[search.parameter]
    span = f"{parameter.low_text} to {parameter.high_text}"
    others = "".join(f", {p.path} at {p.own_text}" for p in limits.parameters if p is not parameter)
    heads = {
        Finding.FOUND: "LIMIT FOUND",
        Finding.EVERYWHERE: "NO LIMIT: PASS is likely enough at every value that was tried",
        Finding.NOWHERE: "NO LIMIT: PASS is not likely enough at any value that was tried",
        Finding.UNKNOWN: "INTERRUPTED before there was an answer",
    }
    yield f"{heads[search.finding]}  {limits.scenario}"
    yield f"  {parameter.path} from {span}{others}; PASS is to be at least {show_ratio(limits.probability)} likely"
    for limit in search.limits:
        yield from _limit_lines(limits, search, limit)
    if not search.limits:
        for point in search.points:
            yield f"  {point.texts[search.parameter]:>10}   PASS {chance(point)}, by {BASES[point.basis]}"


def _limit_lines(limits: Limits, search: Search, limit: Limit) -> Iterator[str]:
    yield f"  {limit.side.value:8} {limit.at.texts[search.parameter]:>10}   PASS {chance(limit.at)}"
    yield f"  {'beyond':8} {limit.beyond.texts[search.parameter]:>10}   PASS {chance(limit.beyond)}"
    yield f"  {'breaks':8} {'':>10}   {causes(limit.beyond)}"
    yield f"  {standing(limits.parameters[search.parameter], limit)}"
