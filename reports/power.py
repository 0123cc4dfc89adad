"""power.md, its plot, and the lines for a terminal: what the objectives of a soak detect."""

import math
from collections.abc import Iterator

import matplotlib as mpl

from soak.reports.false_alarms import condition_words, false_alarm_lines, remedy_words, said
from soak.reports.plots import power as plot
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.power import ObjectivePower, PowerReport, Scale, Violation
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_duration, show_ratio

TEMPLATE = "power.md.j2"
PLOT = "power.svg"
_HOUR_S = 3600.0
_MINUTE_S = 60.0
_WIDEST = 60


def render_power(report: PowerReport) -> dict[str, bytes]:
    """The files that people look at, by name."""
    environment = make_environment()
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    markdown = environment.from_string(text).render(
        report=report,
        plot=PLOT,
        size=size_words,
        enough=duration_words,
        probability=probability_words,
        condition=condition_words,
        said=said,
        remedy=remedy_words,
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
        seen = f"detected with {probability_words(violation.probability)}"
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


def summary_lines(report: PowerReport) -> str:
    """The whole of it for a terminal."""
    width = min(_WIDEST, max(len(each.objective) for each in report.objectives))
    lines = [
        f"{report.title or report.scenario}: {show_duration(report.duration_s)}, "
        f"violations detected with {show_ratio(report.power)} probability",
        "",
        f"  {'objective':{width}} {'observations':>12}  {'smallest detected':18} {'violation':18} shortest duration",
    ]
    for objective in report.objectives:
        lines += _objective_lines(objective, report, width)
    if any(not violation.asked for each in report.objectives for violation in each.violations):
        lines += ["", "  * default violation: choose another with --violation"]
    if report.aborted:
        lines += ["", f"  {report.aborted} of {report.replications} replications were aborted and are left out"]
    if report.false_alarms:
        lines += ["", *false_alarm_lines(report.false_alarms)]
    return "\n".join([*lines, ""])


def _objective_lines(objective: ObjectivePower, report: PowerReport, width: int) -> Iterator[str]:
    head = f"  {objective.objective:{width}} {objective.observations:>12,.0f}"
    if objective.method is None:
        yield f"{head}  no statement: {objective.reason}"
        return
    smallest = "none" if objective.smallest is None else size_words(objective, objective.smallest)
    for violation in objective.violations:
        size = size_words(objective, violation.size) + ("" if violation.asked else " *")
        yield f"{head}  {smallest:18} {size:18} {duration_words(violation, report)}"
        head, smallest = " " * len(head), ""
    if not objective.violations:
        yield f"{head}  {smallest:18} {'name one':18} (--violation)"
