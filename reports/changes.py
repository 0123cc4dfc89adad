"""changes.md and its plot: how a run compares with a base."""

import matplotlib as mpl

from soak.reports.plots import changes as plot
from soak.reports.plots import tasks as task_plot
from soak.reports.plots.canvas import STYLE
from soak.reports.summary import TEMPLATES, make_environment
from soak.schemas.evidence.changes import Changes, Differences
from soak.schemas.language.expression import Unit
from soak.schemas.units import show_gain

TEMPLATE = "changes.md.j2"
PLOT = "changes.svg"
TASK_PLOT = "tasks.svg"


def render_changes(changes: Changes, differences: Differences | None = None) -> dict[str, bytes]:
    """The readable files of the comparison by name; `differences`: of the tasks, if they were paired."""
    text = (TEMPLATES / TEMPLATE).read_text(encoding="utf-8")
    environment = make_environment()
    environment.filters.update(signed=show_signed, gain=show_gain)
    markdown = environment.from_string(text).render(changes=changes, plot=PLOT, task_plot=TASK_PLOT)
    with mpl.rc_context(STYLE):
        drawn = {PLOT: plot.plot(changes)}
        if changes.tasks is not None and differences is not None:
            drawn[TASK_PLOT] = task_plot.plot(changes.tasks, differences)
    return {"changes.md": markdown.encode(), **drawn}


def show_signed(value: float | None, unit: str = Unit.DURATION) -> str:
    """A difference in base units, with its sign."""
    return "–" if value is None else Unit(unit).show_difference(value)
