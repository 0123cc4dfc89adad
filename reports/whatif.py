"""what_if.md and its plot: what a change of a scenario does."""

import matplotlib as mpl

from soak.reports.changes import show_signed
from soak.reports.plots import whatif as plot
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.whatif import WhatIf
from soak.schemas.units import show_gain

TEMPLATE = "what_if.md.j2"
PLOT = "what_if.svg"


def render_what_if(result: WhatIf) -> dict[str, bytes]:
    """The files of the comparison that people look at, by name."""
    environment = make_environment()
    environment.filters.update(signed=show_signed, gain=show_gain)
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    markdown = environment.from_string(text).render(result=result, plot=PLOT)
    with mpl.rc_context(STYLE):
        return {"what_if.md": markdown.encode(), PLOT: plot.plot(result)}
