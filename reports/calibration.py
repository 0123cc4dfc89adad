"""calibration.md and its plots: the parameters of the model, how they fit, and whether they predict what was held back."""

from pathlib import Path

import matplotlib as mpl

from soak.reports.plots import fit, held_back
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.calibration import CalibratedParameter, Calibration, Taken
from soak.schemas.language.distributions import Distribution
from soak.schemas.language.expression import Unit
from soak.schemas.stream.block import Floats
from soak.schemas.units import show_duration, show_rate, show_ratio

TEMPLATE = "calibration.md.j2"
FIT, HELD_BACK = "fit.svg", "held_back.svg"


def render_calibration(calibration: Calibration, held_s: Floats, chosen: Distribution) -> dict[str, bytes]:
    """The files that people look at, by name; `held_s`: the service times that `chosen` was fitted to."""
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    environment = make_environment()
    environment.filters["valued"] = valued
    markdown = environment.from_string(text).render(calibration=calibration, fit=FIT, held_back=HELD_BACK)
    with mpl.rc_context(STYLE):
        return {
            "calibration.md": markdown.encode(),
            FIT: fit.plot(calibration, held_s, chosen),
            HELD_BACK: held_back.plot(calibration),
        }


def valued(value: float | None, unit: str) -> str:
    """A parameter's value for people; empty for none."""
    if value is None:
        return ""
    return {"ratio": show_ratio, "per s": show_rate}.get(unit, show_duration)(value)


def summary_lines(calibration: Calibration, directory: Path) -> str:
    """The calibration for a terminal; `directory`: where the overlay is."""
    check = calibration.check
    words = {"PREDICTS": "the model predicts the held-back part"}.get(check.answer.value, "")
    lines = [f"{check.answer.value}  {calibration.scenario}{': ' if words else ''}{words}"]
    lines += [f"  {reason}" for reason in check.reasons]
    lines += [f"  {_parameter_line(each)}" for each in calibration.parameters]
    lines.append("")
    for each in check.predictions:
        if each.inside is None or each.low is None or each.high is None or each.observed is None:
            lines.append(f"  {'':8} {each.sli:16} nothing to compare")
            continue
        bounds = f"{Unit(each.unit).show(each.low)} to {Unit(each.unit).show(each.high)}"
        place = "inside" if each.inside else "OUTSIDE"
        lines.append(
            f"  {place:8} {each.sli:16} {Unit(each.unit).show(each.observed):>12} observed, {bounds} predicted"
        )
    lines.append(f"  {check.outside} of {check.compared} outside, {check.expected:.2g} expected by chance")
    lines += [f"  note: {note}" for note in calibration.notes]
    return "\n".join([*lines, f"  overlay: {directory / 'overlay.yaml'}"])


def _parameter_line(parameter: CalibratedParameter) -> str:
    if parameter.taken is Taken.UNSEEN or parameter.estimate is None or parameter.low is None or parameter.high is None:
        return f"{parameter.key:34} as in the scenario: {parameter.detail}"
    interval = f"{valued(parameter.low, parameter.unit)} to {valued(parameter.high, parameter.unit)}"
    stands = ", scenario value kept" if parameter.taken is Taken.SCENARIO else ""
    return f"{parameter.key:34} {valued(parameter.estimate, parameter.unit):>10} ({interval}){stands}"
