"""what_if.md, its plot, and the lines for a terminal: what a change of a scenario does."""

import matplotlib as mpl

from soak.reports.changes import show_signed
from soak.reports.plots import whatif as plot
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.changes import Direction
from soak.schemas.evidence.whatif import Effect, WhatIf
from soak.schemas.language.expression import Unit
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


def summary_lines(result: WhatIf) -> str:
    """The comparison for a terminal: what became worse or better."""
    word = "REGRESSED" if result.regressed else "NOT REGRESSED"
    lines = [f"{word}  {result.scenario} with {' '.join(result.variant.settings)}"]
    # The reasons begin with the SLIs that became worse, which stand below with all others.
    worse = sum(each.direction is Direction.WORSE for each in result.effects)
    lines += [f"  {reason}" for reason in result.reasons[worse:]]
    differing = [each for each in result.effects if each.higher or each.lower]
    ordered = sorted(differing, key=lambda each: _ORDER.index(each.direction))
    lines += [f"  {each.direction.value:9}  {each.sli:20}  {each.detail}{_gain(each)}" for each in ordered]
    units = {each.sli: Unit(each.unit) for each in result.effects}
    for objective in result.objectives:
        unit = units[objective.sli]
        value = "nothing observed" if objective.value is None else unit.show_beside(objective.value, objective.target)
        lines.append(f"  {objective.status.value:12} {objective.objective:40} {value:>16}")
    passed, count = (result.base.verdicts.PASS, result.variant.verdicts.PASS), len(result.seeds)
    same = sum(each.pairs > 0 and not each.higher and not each.lower for each in result.effects)
    return "\n".join(
        [
            *lines,
            f"  {count} pairs of replications: {same} more SLIs are identical in every pair; "
            f"PASS in {passed[0]} before, in {passed[1]} now",
        ]
    )


_ORDER = (Direction.WORSE, Direction.BETTER, Direction.UNCHANGED, Direction.UNTESTED, Direction.UNKNOWN)


def _gain(effect: Effect) -> str:
    return "" if effect.gain is None else f", variance reduction x{show_gain(effect.gain)}"
