"""limits.md and its plots: where a scenario breaks."""

import matplotlib as mpl

from reports.plots import limits as plots
from reports.plots.canvas import STYLE
from reports.summary import TEMPLATES, make_environment
from schemas.limits import Limits, Search

TEMPLATE = "limits.md.j2"
PLANE = "plots/plane.svg"


def render_limits(limits: Limits) -> dict[str, bytes]:
    """The files that people look at, by name."""
    names = [plot_name(limits, search) for search in limits.searches]
    with mpl.rc_context(STYLE):
        files = {
            name: plots.plot_search(limits, search)
            for name, search in zip(names, limits.searches, strict=True)
            if search.points
        }
        if limits.grid:
            files[PLANE] = plots.plot_plane(limits, limits.grid)
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    markdown = make_environment().from_string(text).render(limits=limits, plots=list(files), names=names)
    return {"limits.md": markdown.encode(), **files}


def plot_name(limits: Limits, search: Search) -> str:
    """The file of the plot along a parameter."""
    return f"plots/{limits.parameters[search.parameter].path}.svg"
