"""changes.md and its plot: how a run compares with a base."""

import matplotlib as mpl

from reports.plots import changes as plot
from reports.plots.canvas import STYLE
from reports.summary import TEMPLATES, make_environment
from schemas.changes import Changes

TEMPLATE = "changes.md.j2"
PLOT = "changes.svg"


def render_changes(changes: Changes) -> dict[str, bytes]:
    """The files of the comparison that people look at, by name."""
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    markdown = make_environment().from_string(text).render(changes=changes, plot=PLOT)
    with mpl.rc_context(STYLE):
        return {"changes.md": markdown.encode(), PLOT: plot.plot(changes)}
