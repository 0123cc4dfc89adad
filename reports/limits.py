"""limits.md, limits.html, plots, and the lines for a terminal: where a scenario breaks."""

import base64
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
    inline = {name: base64.b64encode(content).decode() for name, content in files.items()}
    context = {
        "limits": limits,
        "answers": list(answers(limits)),
        "method": _method(limits),
        "command": command(limits),
        "bases": BASES,
        "names": names,
        "plane": PLANE,
    }
    markdown = make_environment().get_template("limits.md.j2").render(context)
    page = make_environment(escaped=True).get_template("limits.html.j2").render(context, inline=inline)
    return {"limits.md": markdown.encode(), "limits.html": page.encode(), **files}


def answers(limits: Limits) -> Iterator[str]:
    """What was found, a sentence or two for each limit, or for each parameter without one."""
    for search in limits.searches:
        parameter = limits.parameters[search.parameter]
        for limit in search.limits:
            yield _limit_words(limits, search, parameter, limit)
        span = f"{parameter.path}: no limit from {parameter.low_text} to {parameter.high_text}"
        tried = "; ".join(f"{point.texts[search.parameter]}: {chance(point)}" for point in search.points)
        if search.finding is SearchOutcome.EVERYWHERE:
            yield f"{span}, PASS is likely enough at every value tried ({tried})."
        elif search.finding is SearchOutcome.NOWHERE:
            yield f"{span}, PASS is not likely enough at any value tried ({tried})."
        elif search.finding is SearchOutcome.UNKNOWN:
            yield f"{parameter.path}: not known, the search was interrupted."


def _limit_words(limits: Limits, search: Search, parameter: VariedParameter, limit: Limit) -> str:
    at, beyond = limit.at.texts[search.parameter], limit.beyond.texts[search.parameter]
    what = f"{at} is the {limit.side.value} value at which PASS is at least {show_ratio(limits.probability)} likely"
    return f"{parameter.path}: {what}; {standing(parameter, limit)}. At {beyond} it breaks: {causes(limit.beyond)}."


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


def _method(limits: Limits) -> str:
    low, high = map(show_ratio, (round(bound, 3) for bound in limits.zone))
    return (
        "Every value gets the same seeds (common random numbers), drawn from the scenario's. A value is decided by a sequential "
        f"probability ratio test (Wald 1945): is P(PASS) {high} or more, or {low} or less? Each answer is wrong with a "
        f"probability of at most {show_ratio(limits.error)}; between the two is the indifference zone. Where {limits.most} "
        "replications do not decide, the share of PASS does. Values on the way were only screened: the limit does not depend on "
        "them. Intervals are Wilson's, at 95 %."
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
        lines += [f"  both parameters: PASS is likely enough in {passing} of {len(cells)} cells of the grid", ""]
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
        SearchOutcome.EVERYWHERE: "NO LIMIT: PASS is likely enough at every value tried",
        SearchOutcome.NOWHERE: "NO LIMIT: PASS is not likely enough at any value tried",
        SearchOutcome.UNKNOWN: "INTERRUPTED before there was an answer",
    }
    yield f"{heads[search.finding]}  {limits.scenario}"
    yield f"  {parameter.path} from {span}{others}; required: PASS at least {show_ratio(limits.probability)} likely"
    for limit in search.limits:
        yield from _limit_lines(limits, search, limit)
    if not search.limits:
        for point in search.points:
            yield f"  {point.texts[search.parameter]:>10}   PASS {chance(point)}, decided by {BASES[point.basis]}"


def _limit_lines(limits: Limits, search: Search, limit: Limit) -> Iterator[str]:
    yield f"  {limit.side.value:8} {limit.at.texts[search.parameter]:>10}   PASS {chance(limit.at)}"
    yield f"  {'beyond':8} {limit.beyond.texts[search.parameter]:>10}   PASS {chance(limit.beyond)}"
    yield f"  {'breaks':8} {'':>10}   {causes(limit.beyond)}"
    yield f"  {standing(limits.parameters[search.parameter], limit)}"
