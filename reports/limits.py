"""limits.md, plots, and the lines for a terminal: where a scenario breaks."""

import shlex
from collections.abc import Iterator

import matplotlib as mpl

from soak.reports.plots import limits as plots
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import make_environment
from soak.schemas.evidence.limits import Basis, Limit, Limits, Point, Search, SearchOutcome, VariedParameter
from soak.schemas.units import show_ratio

PLANE = "plots/plane.svg"
BASES = {Basis.TEST: "sequential test", Basis.SHARE: "share of PASS", Basis.GLANCE: "screening"}
_MOST_CAUSES = 3


def render_limits(limits: Limits) -> dict[str, bytes]:
    """The files that people look at, by name."""
    names = [f"plots/{limits.parameters[search.parameter].path}.svg" for search in limits.searches]
    with mpl.rc_context(STYLE):
        files = {
            name: plots.plot_search(limits, search)
            for name, search in zip(names, limits.searches, strict=True)
            if search.points
        }
        if limits.grid:
            files[PLANE] = plots.plot_plane(limits, limits.grid)
    context = {
        "limits": limits,
        "answers": list(answers(limits)),
        "method": method(limits),
        "command": command(limits),
        "bases": BASES,
        "names": names,
        "plane": PLANE,
    }
    markdown = make_environment().get_template("limits.md.j2").render(context)
    return {"limits.md": markdown.encode(), **files}


def answers(limits: Limits) -> Iterator[str]:
    """What was found, a sentence or two for each limit, or for each parameter without one."""
    for search in limits.searches:
        parameter = limits.parameters[search.parameter]
        for limit in search.limits:
            yield _limit_words(limits, search, parameter, limit)
        span = f"{parameter.path}: no limit from {parameter.low_text} to {parameter.high_text}"
        tried = "; ".join(
            f"{point.texts[search.parameter]}: {limits.claim(point)}, {chance(point)}" for point in search.points
        )
        if search.finding is SearchOutcome.EVERYWHERE:
            yield f"{span}, every value tried is good enough ({tried})."
        elif search.finding is SearchOutcome.NOWHERE:
            yield f"{span}, no value tried is good enough ({tried})."
        elif search.finding is SearchOutcome.UNKNOWN:
            yield f"{parameter.path}: not known, the search was interrupted."


def _limit_words(limits: Limits, search: Search, parameter: VariedParameter, limit: Limit) -> str:
    at, beyond = limit.at.texts[search.parameter], limit.beyond.texts[search.parameter]
    good, bad = limits.claim(limit.at), limits.claim(limit.beyond)
    what = f"{at} is the {limit.side.value} value that is good enough ({good}); {standing(parameter, limit)}"
    return f"{parameter.path}: {what}. At {beyond} it breaks ({bad}): {causes(limit.beyond)}."


def standing(parameter: VariedParameter, limit: Limit) -> str:
    """Where the scenario's own value is, seen from the limit."""
    if limit.times is None or limit.times == 1:
        return f"you are at {parameter.own_text}{', the limit itself' if limit.times else ''}"
    ahead = limit.times > 1 if limit.side == "largest" else limit.times < 1
    factor = f"{limit.times:.2g} times your value"
    return f"you are at {parameter.own_text}, {'' if ahead else 'beyond it: '}the limit is {factor}"


def chance(point: Point) -> str:
    """The probability of PASS with its interval and what it was counted from."""
    low, high = (f"{100 * bound:.1f}" for bound in point.interval)
    return f"{100 * point.share:.1f} % ({low} … {high} %; {point.passes} of {point.replications})"


def causes(point: Point) -> str:
    """Why replications failed, the most frequent cause first."""
    named = [f"{cause.what} ({cause.replications} of {point.replications})" for cause in point.causes[:_MOST_CAUSES]]
    return ", ".join(named) or "too few passed"


def method(limits: Limits) -> str:
    """How limits are searched for, in sentences."""
    low, high = map(show_ratio, (round(bound, 3) for bound in limits.zone))
    return (
        "Every value gets the same seeds (common random numbers), drawn from the scenario's. A value is decided by a sequential "
        f"probability ratio test (Wald 1945). Good enough means that PASS is likelier than {low}; not good enough, that it is "
        f"less likely than {high}: each of that is wrong with a probability of at most {show_ratio(limits.error)}. On which side "
        f"of {show_ratio(limits.probability)} it is between the two, the test cannot say. Where {limits.most} replications do "
        "not decide, the share of PASS does, which proves nothing. Values on the way were only screened: the limit does not "
        "depend on them. Intervals hold at 95 % whenever one stops, each by itself (a confidence sequence: Robbins 1970, Howard "
        "et al. 2021); the test asks for less, and is decided earlier."
    )


def command(limits: Limits) -> str:
    """The command that reproduces the files, in their directory."""
    vary = [word for p in limits.parameters for word in ("--vary", f"{p.path}={p.low_text}..{p.high_text}")]
    words = [
        *vary,
        "--probability",
        str(limits.probability),
        "--tolerance",
        str(limits.tolerance),
        "--most",
        str(limits.most),
    ]
    cells = ["--grid", str(limits.cells)] if limits.grid else []
    return shlex.join(["soak", "limits", "scenario.yaml", *words, *cells])


def summary_lines(limits: Limits) -> str:
    """The search for a terminal: the answer, and what it is based on."""
    lines = []
    for search in limits.searches:
        lines += [*_search_lines(limits, search), ""]
    cells = [cell for row in (limits.grid.cells if limits.grid else []) for cell in row if cell]
    if cells:
        passing = sum(cell.passing for cell in cells)
        lines += [f"  both parameters: {passing} of {len(cells)} cells of the grid are good enough", ""]
    points = {tuple(point.texts) for search in limits.searches for point in search.points}
    points |= {tuple(cell.texts) for cell in cells}
    lines.append(f"  {limits.replications:,} replications at {len(points)} points")
    return "\n".join(lines)


def _search_lines(limits: Limits, search: Search) -> Iterator[str]:
    parameter = limits.parameters[search.parameter]
    span = f"{parameter.low_text} to {parameter.high_text}"
    others = "".join(f", {p.path} at {p.own_text}" for p in limits.parameters if p is not parameter)
    heads = {
        SearchOutcome.FOUND: "LIMIT FOUND",
        SearchOutcome.EVERYWHERE: "NO LIMIT: every value tried is good enough",
        SearchOutcome.NOWHERE: "NO LIMIT: no value tried is good enough",
        SearchOutcome.UNKNOWN: "INTERRUPTED before there was an answer",
    }
    yield f"{heads[search.finding]}  {limits.scenario}"
    low, high = (show_ratio(round(bound, 3)) for bound in limits.zone)
    yield f"  {parameter.path} from {span}{others}"
    yield (
        f"  good enough: PASS likelier than {low}, beyond: less likely than {high} ({show_ratio(limits.probability)} is asked; "
        f"each wrong with at most {show_ratio(limits.error)})"
    )
    for limit in search.limits:
        yield from _limit_lines(limits, search, limit)
    if not search.limits:
        for point in search.points:
            yield f"  {point.texts[search.parameter]:>10}   PASS {chance(point)}, decided by {BASES[point.basis]}"


def _limit_lines(limits: Limits, search: Search, limit: Limit) -> Iterator[str]:
    yield f"  {limit.side.value:8} {limit.at.texts[search.parameter]:>10}   PASS {chance(limit.at)}{_undecided(limit.at)}"
    yield f"  {'beyond':8} {limit.beyond.texts[search.parameter]:>10}   PASS {chance(limit.beyond)}{_undecided(limit.beyond)}"
    yield f"  {'breaks':8} {'':>10}   {causes(limit.beyond)}"
    yield f"  {standing(limits.parameters[search.parameter], limit)}"


def _undecided(point: Point) -> str:
    return "" if point.basis is Basis.TEST else ", not decided by the test"
