"""calibration.md and its plots: the parameters of the model, how they fit, and whether they predict what was held back."""

import matplotlib as mpl

from soak.reports.plots import fit, held_back
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.calibration import Calibration
from soak.schemas.language.distributions import Distribution
from soak.schemas.stream.block import Floats

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
    from soak.schemas.units import show_duration, show_rate, show_ratio

    if value is None:
        return ""
    return {"ratio": show_ratio, "per s": show_rate}.get(unit, show_duration)(value)
