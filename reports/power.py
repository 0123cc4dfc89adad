"""power.md and its plot: what the objectives of a soak can see. `size_words` and `duration_words` are the terminal's too."""

import math

import matplotlib as mpl

from soak.reports.plots import power as plot
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.power import ObjectivePower, PowerReport, Scale, Violation
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration

TEMPLATE = "power.md.j2"
PLOT = "power.svg"
_HOUR_S = 3600.0
_MINUTE_S = 60.0


def render_power(report: PowerReport) -> dict[str, bytes]:
    """The files that people look at, by name."""
    environment = make_environment()
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    markdown = environment.from_string(text).render(
        report=report, plot=PLOT, size=size_words, enough=duration_words, probability=probability_words
    )
    with mpl.rc_context(STYLE):
        return {"power.md": markdown.encode(), PLOT: plot.plot(report)}


def size_words(objective: ObjectivePower, size: float) -> str:
    """The size of a violation for people."""
    unit, scale = Unit(objective.unit), objective.scale
    if scale is Scale.VALUE:
        return _ratio(size) if unit is Unit.RATIO else unit.show(size)
    if scale is Scale.SHARE:
        return f"{100 * size:.3g}%"
    if scale is Scale.FACTOR:
        return f"{size:.4g}x"
    return f"{_figures(size)}/h" if size >= 1 or size <= 0 else f"once in {show_duration(_HOUR_S / size)}"


def _ratio(share: float) -> str:
    """As many figures as tell it from 0 and from 100 %."""
    if not 0 < share < 1:
        return f"{share:.0%}"
    digits = max(2, 2 - math.floor(math.log10(100 * min(share, 1 - share))))
    return f"{100 * share:.{digits}f}".rstrip("0").rstrip(".") + "%"


def duration_words(violation: Violation, report: PowerReport) -> str:
    """Whether the scenario's duration is enough for a violation."""
    own = show_duration(report.duration_s)
    if violation.duration_s is None:
        seen = f"seen with {probability_words(violation.probability)}"
        return f"{own} is enough: {seen}" if violation.enough else f"{own} is not enough: {seen}"
    step_s = _MINUTE_S if report.duration_s >= _HOUR_S else 1.0
    needs = show_duration(math.ceil(violation.duration_s / step_s) * step_s)
    if violation.enough:
        return f"{own} is enough: needs {'less than ' if violation.at_most else ''}{needs}"
    return f"{own} is too short: needs {needs}, {_figures(violation.duration_s / report.duration_s)} times as long"


def _figures(factor: float) -> str:
    return f"{factor:,.0f}" if factor >= 1000 else f"{factor:.3g}"


def probability_words(probability: float) -> str:
    """A probability that is rounded neither up to certainty nor down to nothing."""
    if not 0.001 <= probability <= 0.999:
        return "> 99.9%" if probability > 0.5 else "< 0.1%"
    return f"{100 * probability:.1f}%"
