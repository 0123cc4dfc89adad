"""The number of users that a closed workload plans, over time."""

import matplotlib as mpl

from soak.reports.plots.canvas import BLUE, STYLE, figure, to_svg
from soak.reports.plots.planned_load import mark_windows
from soak.reports.plots.scale import span_axis
from soak.schemas.language.model import Scenario

_HEIGHT_IN = 2.8


def plot(scenario: Scenario) -> bytes:
    """Users at work over the run, as SVG; scheduled faults and phases are marked."""
    users = scenario.workload.users
    assert users
    with mpl.rc_context(STYLE):
        fig, (axes,) = figure(1, _HEIGHT_IN)
        times_s, numbers = zip(
            *users.levels, (max(users.levels[-1][0], scenario.duration_s), users.levels[-1][1]), strict=True
        )
        axes.fill_between(times_s, numbers, color=BLUE, alpha=0.35, lw=0)
        axes.plot(times_s, numbers, color=BLUE, lw=1.6, label="users")
        mark_windows(axes, scenario)
        axes.set_ylim(0, users.count * 1.15)
        axes.set_ylabel("users")
        axes.set_title(f"Planned load of {scenario.name}")
        span_axis(axes, scenario.duration_s)
        return to_svg(fig)
