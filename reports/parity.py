"""parity.md and its plot: how two runs of the same scenario compare."""

import matplotlib as mpl

from soak.reports.plots import parity as plot
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.parity import Figure, Latencies, Parity
from soak.schemas.language.expression import Unit

TEMPLATE = "parity.md.j2"
PLOT = "parity.svg"


def render_parity(parity: Parity, latencies: Latencies) -> dict[str, bytes]:
    """The readable files of the comparison by name."""
    environment = make_environment()
    environment.filters.update(signed=_signed)
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    markdown = environment.from_string(text).render(parity=parity, plot=PLOT)
    with mpl.rc_context(STYLE):
        return {"parity.md": markdown.encode(), PLOT: plot.plot(parity, latencies)}


def _signed(figure: Figure) -> str:
    """The difference of a figure, signed if it has a direction."""
    if figure.difference is None:
        return "–"
    text = Unit(figure.unit).show(figure.difference)
    directed = figure.base is not None or figure.unit != Unit.RATIO
    return f"+{text}" if directed and figure.difference > 0 else text
