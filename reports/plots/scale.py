"""Axes of plots: round ticks, durations as clocks, shares in percent, sizes in bytes; logarithmic ones at 1, 2 and 5."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import Formatter, Locator, NullLocator

from soak.reports.look.charts import Form
from soak.reports.look.ticks import linear, logarithmic, show
from soak.schemas.language.expression import Unit
from soak.schemas.units import write_duration

_MINUTE_S, _DAY_S = 60.0, 86_400.0
_MOST_ACROSS, _MOST_UP = 8, 5
_LEAST = 3
"""Of fewer than these on a logarithmic axis nothing can be read between them: its ticks are as those of a linear one."""
_CLOCKS_S = (60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0, 7200.0, 18_000.0, 36_000.0, 86_400.0, 172_800.0, 432_000.0)
"""Ticks of logarithmic axes from a minute on: 1, 2, 5, 10 and 20 minutes, 1, 2, 5 and 10 hours, 1, 2 and 5 days."""
_FORMS = {Unit.DURATION: Form.SECONDS, Unit.RATIO: Form.RATIO, Unit.SIZE: Form.BYTES}


class Round(Locator):
    """Round ticks, at most that many."""

    def __init__(self, form: Form = Form.NUMBER, most: int = _MOST_UP, *, whole: bool = False) -> None:
        self._form, self._most, self._whole = form, most, whole

    def __call__(self) -> Any:
        """The ticks between the ends of the axis."""
        assert self.axis is not None
        return self.tick_values(*sorted(self.axis.get_view_interval()))

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """The ticks of a range."""
        found = linear(vmin, vmax, self._form, self._most)
        return [value for value in found if value == round(value)] if self._whole else found


class Decades(Round):
    """Ticks of a logarithmic axis: 1, 2 and 5 of each power of ten, fewer where that were too many."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """The ticks of a range."""
        low, high = max(vmin, 1e-12), max(vmax, 1e-12)
        found = self._within(low, high)
        return found if len(found) >= _LEAST else linear(low, high, self._form, self._most)

    def _within(self, low: float, high: float) -> list[float]:
        if self._form is not Form.SECONDS or high < _CLOCKS_S[0]:
            return logarithmic(low, high, most=self._most)
        below = logarithmic(low, _CLOCKS_S[0], most=self._most) if low < _CLOCKS_S[0] else []
        for step in (1, 2, 3):
            clocks = [each for each in _CLOCKS_S[::step] if low <= each <= high]
            if len(below) + len(clocks) <= self._most:
                return [*(each for each in below if each <= _CLOCKS_S[0] / 2), *clocks]
        return [*below[::2], *clocks]


class Shown(Formatter):
    """Writes values with their unit."""

    def __init__(self, form: Form) -> None:
        self._form = form

    def __call__(self, value: float, pos: int | None = None) -> str:
        """One value."""
        if self._form is Form.SECONDS and value >= _MINUTE_S:
            return write_duration(value)
        if self._form is Form.RATIO:
            # Ticks of shares of a thousandth of a percent would all read 0.01%.
            return f"{round(100 * value, 9) or 0:.6g}%" if value else "0"
        return "0" if not value else show(value, self._form)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """All of them: whole days as days."""
        days = self._form is Form.SECONDS and max(values, default=0.0) >= 4 * _DAY_S
        return [f"{value / _DAY_S:g}d" if days and value and value % _DAY_S == 0 else self(value) for value in values]


def scale(axis: Axis, form: Form, *, log: bool = False, most: int | None = None, whole: bool = False) -> None:
    """Round ticks of a form; the range is as it is, and may change later."""
    across = axis.axis_name == "x"  # type: ignore[attr-defined]
    most = most or (_MOST_ACROSS if across else _MOST_UP)
    if log:
        axis.axes.set_xscale("log") if across else axis.axes.set_yscale("log")
    axis.set_major_locator(Decades(form, most + 1) if log else Round(form, most, whole=whole))
    axis.set_major_formatter(Shown(form))
    axis.set_minor_locator(NullLocator())


def form_of(unit: Unit) -> Form:
    """How values of an SLI's unit are written on an axis."""
    return _FORMS.get(unit, Form.NUMBER)


def span_axis(axes: Axes, ended_s: float) -> None:
    """Scenario time along the bottom, as clocks, up to `ended_s`."""
    axes.set_xlim(0, ended_s if ended_s > 0 else 60.0)
    scale(axes.xaxis, Form.SECONDS)
    axes.set_xlabel("scenario time")


def whole_numbers(axes: Axes) -> None:
    """Integer ticks on the y axis, from zero."""
    scale(axes.yaxis, Form.NUMBER, whole=True)
    axes.set_ylim(bottom=0, top=max(axes.get_ylim()[1], 1.0))


def whole_numbers_along(axes: Axes) -> None:
    """Integer ticks on the x axis."""
    scale(axes.xaxis, Form.NUMBER, whole=True)


def roomy(axes: Axes, share: float = 0.12) -> None:
    """Space above the highest value of a logarithmic axis, for words."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** share)
