"""What the pages of both comparisons have in common: directions in words and tones, and a row of relative changes."""

from collections.abc import Sequence

from markupsafe import Markup

from soak.reports.look.charts import Form
from soak.reports.look.figures import Span, intervals
from soak.reports.look.plot import Axis
from soak.reports.look.table import Cell, Column, Table, Tone
from soak.reports.look.ticks import extent, linear
from soak.reports.summary import shown
from soak.schemas.evidence.changes import Direction, RelativeResult
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.expression import Unit

ORDER = (Direction.WORSE, Direction.BETTER, Direction.UNCHANGED, Direction.UNTESTED, Direction.UNKNOWN)
TONES = {Direction.WORSE: Tone.BAD, Direction.BETTER: Tone.OK, Direction.UNTESTED: Tone.DOUBT}
MOST_ROWS = 14
_MANY_TIMES = 9.0
_FORMS = {Unit.RATIO: Form.RATIO, Unit.DURATION: Form.SECONDS, Unit.SIZE: Form.BYTES}
FARTHEST = (-1.0, 3.0)
"""Relative changes beyond these are drawn at the edge."""


def direction_cell(direction: Direction) -> Cell:
    """A direction as a status."""
    return Cell(direction.value, tone=TONES.get(direction, Tone.NONE))


def percent(relative: float) -> str:
    """A relative change with its sign, or how many times as large it has become."""
    if relative >= _MANY_TIMES:
        return f"x{1 + relative:,.0f}"
    return f"{100 * relative:+,.0f} %" if abs(relative) >= 1 else f"{100 * relative:+.2g} %"


def drawn(rows: Sequence[Span], word: str) -> Markup:
    """Relative changes, one below the other, with a line at no change."""
    return intervals(rows, word, tick=lambda value: f"{100 * value:+g} %" if value else "0", within=FARTHEST)


def axis_of(words: str, unit: Unit, values: Sequence[float]) -> Axis:
    """A scale for values of an SLI."""
    low, high = extent(None, None, list(values), log=False)
    if unit in _FORMS:
        return Axis(words, low, high, _FORMS[unit])
    return Axis(words, low, high, ticks=[(each, unit.show(each)) for each in linear(low, high, Form.NUMBER)])


def numbered(words: str, count: int) -> Axis:
    """A scale for things that are counted from 1 on."""
    step = max(1, -(-count // 8))
    return Axis(words, 0.5, count + 0.5, ticks=[(float(place), str(place)) for place in range(1, count + 1, step)])


def relative_objectives(found: Sequence[RelativeResult], units: dict[str, str]) -> Table:
    """Objectives that are relative to the base. units: of SLIs, by name."""
    columns = (
        Column("", status=True),
        Column("objective", code=True),
        Column("observed", number=True),
        Column("target", number=True),
    )
    rows = [
        [
            each.status.value,
            each.objective,
            "nothing observed" if each.value is None else Unit(units[each.sli]).show_beside(each.value, each.target),
            shown(each.target, units[each.sli]),
        ]
        for each in found
    ]
    return Table(columns, rows, "Relative objectives")


def broken(found: Sequence[RelativeResult]) -> list[RelativeResult]:
    """Those that do not hold."""
    return [each for each in found if each.status is not Status.PASS]
