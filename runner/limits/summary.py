"""What a search found, in words."""

from pathlib import Path

from schemas.limits import Basis, Finding, Limit, Limits, Parameter, Point, Search
from schemas.units import show_ratio

_MOST_CAUSES = 3


def summary_lines(limits: Limits, directory: Path) -> str:
    """The answer for a terminal."""
    lines = []
    for search in limits.searches:
        lines += [*_search_lines(limits, search), ""]
    if limits.grid:
        cells = [cell for row in limits.grid.cells for cell in row if cell]
        passing = sum(cell.passing for cell in cells)
        lines += [f"plane of both: PASS is likely enough in {passing} of {len(cells)} cells", ""]
    points = {tuple(point.texts) for search in limits.searches for point in search.points}
    points |= {tuple(cell.texts) for row in (limits.grid.cells if limits.grid else []) for cell in row if cell}
    lines.append(f"  {limits.replications:,} replications at {len(points)} points")
    return "\n".join([*lines, f"  report: {directory / 'limits.md'}"])


def _search_lines(limits: Limits, search: Search) -> list[str]:
    parameter = limits.parameters[search.parameter]
    span = f"{parameter.low_text} to {parameter.high_text}"
    lines = [f"{limits.scenario}: {parameter.path} from {span}, the scenario's value is {parameter.own_text}"]
    if search.finding is Finding.FOUND:
        return lines + [line for limit in search.limits for line in _limit_lines(limits, search, limit)]
    enough = f"at least {show_ratio(limits.probability)} likely"
    what = {
        Finding.EVERYWHERE: f"no limit in this range: PASS is {enough} at both ends",
        Finding.NOWHERE: f"no limit in this range: PASS is not {enough} at any value that was tried",
        Finding.UNKNOWN: "interrupted before there was an answer; so far:",
    }[search.finding]
    place = search.parameter
    return [*lines, f"  {what}", *(f"  {point.texts[place]:>12}  {chance(point)}" for point in search.points)]


def _limit_lines(limits: Limits, search: Search, limit: Limit) -> list[str]:
    at, beyond = limit.at.texts[search.parameter], limit.beyond.texts[search.parameter]
    lines = [
        f"  limit   {at:>10}   {chance(limit.at)}; the {limit.side} value that is good enough",
        f"  beyond  {beyond:>10}   {chance(limit.beyond)}; breaks: {causes(limit.beyond)}",
    ]
    return [*lines, f"  {standing(limits.parameters[search.parameter], limit, at)}"]


def standing(parameter: Parameter, limit: Limit, at: str) -> str:
    """Where the scenario's own value is, seen from the limit."""
    ahead = limit.times is not None and (limit.times >= 1 if limit.side == "largest" else limit.times <= 1)
    if limit.times is None:
        return f"you are at {parameter.own_text}, the limit is {at}"
    factor = f"{limit.times:.2g} times your value"
    if limit.times == 1:
        return f"you are at {parameter.own_text}: that is the limit"
    return f"you are at {parameter.own_text}, the limit is {at}: {factor}{'' if ahead else '; you are beyond it'}"


def chance(point: Point) -> str:
    """The probability of PASS with its interval."""
    low, high = map(show_ratio, (round(each, 3) for each in point.interval))
    weak = {Basis.TEST: "", Basis.SHARE: ", close to call", Basis.GLANCE: ", a glance"}[point.basis]
    return f"PASS {show_ratio(round(point.share, 3))} ({low} to {high}; {point.passes} of {point.replications}{weak})"


def causes(point: Point) -> str:
    """What kept replications from PASS, the most frequent first."""
    named = [f"{cause.what} ({cause.replications} times)" for cause in point.causes[:_MOST_CAUSES]]
    return ", ".join(named) or "nothing"
